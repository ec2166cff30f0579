"""How many examples a property is tried on where one is dear, or finds little: beside the profile's."""

from __future__ import annotations

from hypothesis import settings


def fewer(times: int) -> settings:
    """So many times fewer than others, and no fewer than three."""
    return settings(max_examples=max(3, settings.default.max_examples // times))


def several(times: int) -> settings:
    """So many times as many as others."""
    return settings(max_examples=times * settings.default.max_examples)
