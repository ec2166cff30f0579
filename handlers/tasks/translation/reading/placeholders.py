"""Placeholders that a model wrote in other brackets, with spaces or with other digits.

``[1]`` for ``⟦1⟧`` is read only where it can mean nothing else: each number that is missing stands there
exactly once, no other number stands in such brackets, and the source has none of that form.
"""

from __future__ import annotations

import re

from handlers.rare_pattern import rare_pattern
from handlers.tasks.translation.masking.masking import PLACEHOLDER

_PAIRS = {
    "⟦": "⟧", "[": "]", "［": "］", "【": "】", "〚": "〛", "〖": "〗", "〔": "〕", "⟨": "⟩", "〈": "〉",
    "⟪": "⟫", "《": "》", "<": ">", "＜": "＞", "{": "}", "｛": "｝", "「": "」", "『": "』", "((": "))",
}  # fmt: skip
_OPEN, _CLOSE = (re.escape("".join(sorted(set("".join(marks))))) for marks in (_PAIRS, _PAIRS.values()))
_FOREIGN = rare_pattern(
    rf"(?P<tick>`?)\\?(?P<open>(?P<left>[{_OPEN}])(?P=left)?)\s{{0,3}}[#№]?(?P<number>\d{{1,9}})\s{{0,3}}\\?"
    rf"(?P<close>(?P<right>[{_CLOSE}])(?P=right)?)(?P=tick)"
)
_COUNTED = rare_pattern(
    r"[①-⑳⑴-⒇❶-❿]|[(（\[［]\s?\d{1,2}\s?[)）\]］]|(?<![\d.,=＝<>≤≥A-Za-z])\d{1,2}\s?[)）、]"
)
"""Items of a list in the source: then a number in plain brackets may be one of them."""
_PLAIN = frozenset("[［{｛<＜(")
_IN_FORMULA = re.compile(r"[\^_}\\A-Za-z]")


def as_placeholders(text: str, source: str) -> str:
    """The text with its placeholders as they were given. Linear in the text."""
    if "⟦" not in source:
        return text
    wanted = PLACEHOLDER.findall(source)
    if not wanted:
        return text
    found = PLACEHOLDER.findall(text)
    if len(found) == len(wanted) and text.count("⟦") == text.count("⟧") == len(found) and "`" not in text:
        return text
    marks = [mark for mark in _FOREIGN.finditer(text) if _is_one(mark, text)]
    if any(not _is_proper(mark) for mark in marks) and not _can_only_mean(marks, source, wanted):
        marks = [mark for mark in marks if _is_proper(mark)]
    return _written(text, marks, keep_ticks="`" in source)


def _is_proper(mark: re.Match[str]) -> bool:
    return mark["open"] == "⟦" and mark["close"] == "⟧"


def _is_one(mark: re.Match[str], text: str) -> bool:
    opening, closing = mark["open"], mark["close"]
    if opening[0] == "{" and mark.start() and _IN_FORMULA.match(text, mark.start() - 1):
        return False
    return _mirrored(opening) == closing or (
        len(opening) == len(closing) == 1 and (opening == "⟦") != (closing == "⟧")
    )


def _mirrored(opening: str) -> str:
    return _PAIRS.get(opening) or "".join(_PAIRS.get(mark, "") for mark in reversed(opening))


def _can_only_mean(marks: list[re.Match[str]], source: str, wanted: list[str]) -> bool:
    if sorted(str(int(mark["number"])) for mark in marks) != sorted(wanted):
        return False
    forms = {(mark["open"], mark["close"]) for mark in marks if not _is_proper(mark)}
    if forms & {(mark["open"], mark["close"]) for mark in _FOREIGN.finditer(source)}:
        return False
    return not (any(opening in _PLAIN for opening, _ in forms) and _COUNTED.search(source))


def _written(text: str, marks: list[re.Match[str]], *, keep_ticks: bool) -> str:
    pieces: list[str] = []
    at = 0
    for mark in marks:
        start, end = mark.span()
        tick = mark["tick"] if keep_ticks else ""
        pieces += (text[at:start], f"{tick}⟦{int(mark['number'])}⟧{tick}")
        at = end
    return "".join(pieces) + text[at:]
