"""Counts and durations in words."""

from __future__ import annotations


def counted(count: int, noun: str, nouns: str = "") -> str:
    """``1 line``, ``1,294 lines``; ``nouns`` is the plural where it is not the noun with an ``s``."""
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def in_hours(seconds: float) -> str:
    """``45 s``, ``5 min``, ``1 min 30 s``, ``24 h`` or ``4 h 54 min``: seconds of an hour and more are left
    out, and no unit is named of which there is nothing."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(round(seconds / 60), 60) if whole >= 3600 else (0, minutes)
    parts = ((hours, "h"), (minutes, "min"), (0 if hours else rest, "s"))
    return " ".join(f"{count:,} {unit}" for count, unit in parts if count) or "0 s"
