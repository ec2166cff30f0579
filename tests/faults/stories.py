"""What every state machine of the faults shares: where its files lie, and how its examples are made."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, settings

MEMORY = Path("/dev/shm")
"""Thousands of durable commits need no disk here: no machine is switched off."""
EVERYWHERE = settings(
    deadline=None, suppress_health_check=list(HealthCheck), print_blob=True, derandomize=True, database=None
)
