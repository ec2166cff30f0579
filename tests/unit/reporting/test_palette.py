"""Colours that can be read."""

from __future__ import annotations

import pytest

from handlers.reporting.page import palette


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, two: str) -> float:
    light, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(
    ("theme", "background"), [(palette.LIGHT, "#ffffff"), (palette.DARK, palette.PAPER["dark"])]
)
def test_words_and_bars_stand_out_as_wcag_aa_asks(theme: dict[str, str], background: str) -> None:
    for name in ("ink", "muted", "blue", "done", "flagged", "failed"):
        assert contrast(theme[name], background) >= 4.5, name
    for name in ("purple", "skipped", "pending"):
        assert contrast(theme[name], background) >= 3, name


def test_each_colour_has_a_meaning_of_its_own_to_be_repainted_by() -> None:
    assert len(set(palette.LIGHT.values())) == len(palette.LIGHT)
    assert palette.LIGHT.keys() == palette.DARK.keys()
