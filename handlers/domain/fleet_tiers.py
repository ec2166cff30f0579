"""How many processes and threads a fleet has, by name."""

from __future__ import annotations

from typing import Literal

Tier = Literal["standard", "parallel", "ultra", "extreme"]
TIERS: dict[str, tuple[int, int]] = {
    "standard": (1, 10),
    "parallel": (5, 20),
    "ultra": (10, 50),
    "extreme": (20, 100),
}
"""Tier → (jobs, workers per job)."""
CUSTOM = "custom"
"""Name of a plan's fleet that is no tier."""
MOST_AUTO = 500
"""Most threads of a process under ``workers = "auto"``: beyond them its CPU is the limit."""
