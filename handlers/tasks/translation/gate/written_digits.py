"""Digits however they are written (full-width, superscript, enclosed, Arabic-Indic), as ASCII digits."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise

from handlers.rare_pattern import rare_pattern

_INVISIBLE = "\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff"
_DIGITS = "٠-٩۰-۹०-९০-৯๐-๙０-９𝟎-𝟿"
_ENCLOSED = "①-⑳⑴-⒇⒈-⒛㈠-㈩㊀-㊉❶-❿➀-➓⓵-⓾⓫-⓴"
_FRACTIONS = "½⅓⅔¼¾⅕-⅞"
_ODD = re.compile(f"[⁰¹²³⁴-⁹{_DIGITS}．／₀-₉{_ENCLOSED}{_FRACTIONS}{_INVISIBLE}]{{1,40}}")
_POWERS = {mark: str(value) for value, mark in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
_SCALED = r"[0-9]{1,12}(?:\.[0-9]{1,8})?[余多]?"
_MIXED = re.compile(
    rf"{_SCALED}(?:[十百千]?[万亿]|[百千])[余多]?(?:{_SCALED}[十百千万亿]{{1,2}}[余多]?){{1,3}}(?![0-9])"
    r"|[0-9]{1,8}万[0-9]{4}(?![0-9.万亿年])"
)
_PART = rare_pattern(r"([0-9]+(?:\.[0-9]+)?)[余多]?([十百千万亿]*)")
_WORTH = {"十": 1, "百": 2, "千": 3, "万": 4, "亿": 8}


def flat(text: str) -> str:
    """The text with ASCII digits and nothing invisible; ``3万5千`` as ``35000``."""
    if text.isascii():
        return text
    text = _ODD.sub(_run, text)
    return _MIXED.sub(_summed, text) if "万" in text or "亿" in text or "千" in text else text


def with_origin(text: str) -> tuple[str, list[int]]:
    """The flat text in lower case, mixed scales as they are, and for each character of it the position
    in ``text`` that it came from."""
    pieces = [
        _mark(mark, before) if _ODD.match(mark) else mark.lower()
        for before, mark in zip(" " + text, text, strict=False)
    ]
    return "".join(pieces), [at for at, piece in enumerate(pieces) for _ in piece]


def _run(match: re.Match[str]) -> str:
    return _plain_run(match[0])


@lru_cache(maxsize=1024)
def _plain_run(run: str) -> str:
    return "".join(_mark(mark, before) for before, mark in zip(" " + run, run, strict=False))


def _mark(mark: str, before: str) -> str:
    """A power stays apart from what it is the power of: ``10⁴`` is not 104."""
    if mark in _POWERS:
        return ("" if before in _POWERS else "^") + _POWERS[mark]
    if mark in "．／":
        return "." if mark == "．" else "/"
    if unicodedata.category(mark) == "Nd" or mark in "₀₁₂₃₄₅₆₇₈₉":
        return str(unicodedata.digit(mark))
    if unicodedata.category(mark) == "Cf":
        return ""
    part = unicodedata.normalize("NFKC", mark).partition("⁄")
    return f" {part[0]}/{part[2]}" if part[1] else f"({unicodedata.numeric(mark):.0f})"


def _summed(match: re.Match[str]) -> str:
    """The number of scales that go down (``2亿3千万``); anything else as it stands."""
    parts = [(number, sum(map(_WORTH.__getitem__, scale))) for number, scale in _PART.findall(match[0])]
    scales = [scale for _, scale in parts]
    if any(later >= earlier for earlier, later in pairwise(scales)):
        return match[0]
    total = sum(float(number) * 10**scale for number, scale in parts)
    return f"{total:.0f}" if total == int(total) else match[0]
