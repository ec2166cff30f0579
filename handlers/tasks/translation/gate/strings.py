"""Strings that are copied to the letter though nothing masks them: SMILES, accession numbers, file names."""

from __future__ import annotations

import re

from handlers.rare_pattern import rare_pattern

_STRING = re.compile(r"[A-Za-z0-9_/.:=()\[\]#@+\\%-]{7,400}+")
_MARK, _DIGIT, _LETTER = re.compile(r"[=#@\[\]\\_]"), re.compile("[0-9]"), re.compile("[A-Za-z]")
_SURE = rare_pattern(
    r"(?=.{9})(?=(?:[^CcNnOo]*[CcNnOo]){4})(?=.*[=()#\[\]])"
    r"(?:\[[A-Za-z0-9@+-]{1,12}\]|Cl|Br|[BCNOPSFIbcnops0-9=#()+\\/%.@-]){6,400}"
)
"""SMILES (Weininger, 1988)."""
_MOST = 12
_LIKE = 0.8
"""Of a string's length that its beginning and end must have in common with another's."""


def changed_strings(source: str, answer: str) -> list[tuple[str, str, bool]]:
    """A string of the source, the one like it that stands in its place, and whether it is surely damage.
    Of texts that keep their case."""
    lost = sorted(string for string in _strings(source) if string not in answer)[:_MOST]
    if not lost:
        return []
    new = sorted(string for string in _strings(answer) if string not in source)[:_MOST]
    like = ((old, next((string for string in new if _is_like(old, string)), "")) for old in lost)
    return [(old, other, _SURE.fullmatch(old) is not None) for old, other in like if other]


def _strings(text: str) -> set[str]:
    runs = _STRING.findall(text)
    if not runs:
        return set()
    found = {run.rstrip(".:-/=([") for run in runs if not run.isalpha()}
    return {_balanced(string) for string in found if len(string) > 6 and _is_coded(string)}


def _is_coded(string: str) -> bool:
    mixed = _DIGIT.search(string) is not None and _LETTER.search(string) is not None
    return mixed or _MARK.search(string) is not None


def _balanced(string: str) -> str:
    """Without a bracket that the sentence around it opened or closes."""
    if string.endswith(")") and string.count(")") > string.count("("):
        string = string[:-1]
    return string[1:] if string.startswith("(") and string.count("(") > string.count(")") else string


def _is_like(old: str, new: str) -> bool:
    if _plain(old) == _plain(new):
        return _SURE.fullmatch(old) is not None
    one, other = old.lower(), new.lower()
    same = _alike(one, other) + _alike(one[::-1], other[::-1])
    return abs(len(old) - len(new)) <= max(2, len(old) // 8) and same >= _LIKE * len(old)


def _alike(one: str, other: str) -> int:
    """Characters that both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (mine, theirs) in pairs if mine != theirs), min(len(one), len(other)))


def _plain(string: str) -> str:
    return re.sub("[^a-z0-9]", "", string.lower())
