"""Counts in words."""

from __future__ import annotations


def counted(count: int, noun: str, nouns: str = "") -> str:
    """``1 line``, ``1,294 lines``; ``nouns`` is the plural where it is not the noun with an ``s``."""
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"
