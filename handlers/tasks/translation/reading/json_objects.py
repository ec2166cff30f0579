"""JSON objects and arrays in a text, one after the other, whatever stands between them.

Everything is bounded by the text's length: the decoder's work on starts that lead nowhere is counted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from handlers.rare_pattern import rare_pattern

_ATTEMPTS = 64
_WORK = 8
"""So many times the text's length may be decoded in vain."""
_START = rare_pattern(r'\{(?=\s*+["}])|\[(?=\s*+\{)')
_NUMBER = object()
_STRING_OR_COMMA = rare_pattern(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)|,(?=\s*+[}\]])', re.DOTALL)
_BACKSLASH = re.compile(r'\\(?:u[0-9a-fA-F]{4}|["\\/bfnrt]|)')


@dataclass(frozen=True)
class Decoded:
    """``value`` stands in the text up to ``end``."""

    value: dict[str, Any] | list[Any]
    end: int


class RepeatedKeyError(ValueError):
    """An object gives a key two meanings: which one counts cannot be known."""


def decoded(text: str, start: int = 0) -> Decoded | None:
    """The object or array that starts at ``start``; raises ``RepeatedKeyError``."""
    try:
        value, end = _DECODER.raw_decode(text, start)
    except RepeatedKeyError:
        raise
    except (ValueError, RecursionError):
        return None
    return Decoded(value, end) if isinstance(value, dict | list) else None


def string_at(text: str) -> str | None:
    """The text that a JSON string holds, if ``text`` is one."""
    try:
        value = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, str) else None


def all_decoded(text: str, decoder: json.JSONDecoder | None = None) -> Iterator[Decoded]:
    """The outermost objects and arrays of objects, in their order; raises ``RepeatedKeyError`` after the
    last if the only fault of one of them is a key with two meanings and none can be read after it.
    ``decoder``: in place of the one that reads texts alone."""
    decoder = decoder or _DECODER
    work, repeated = _WORK * len(text) + 10_000, None
    for start, at_most in _starts(text):
        if start < at_most.reached:
            continue
        try:
            value, end = decoder.raw_decode(text, start)
        except RepeatedKeyError as error:
            repeated = error
        except json.JSONDecodeError as error:
            work -= max(error.pos - start, 0)
        except (ValueError, RecursionError):
            work -= 10_000
        else:
            repeated, at_most.reached = None, end
            yield Decoded(value, end)
        if work < 0:
            break
    if repeated is not None:
        raise repeated


@dataclass
class _Reached:
    reached: int = 0


def _starts(text: str) -> Iterator[tuple[int, _Reached]]:
    """Places to try: the first ones, and if there are very many the last ones, for there the answer is."""
    reached, tried, late = _Reached(), 0, list[int]()
    for match in _START.finditer(text):
        start = match.start()
        if start < reached.reached:
            continue
        if tried < _ATTEMPTS:
            tried += 1
            yield start, reached
        else:
            late.append(start)
    for start in late[-_ATTEMPTS:]:
        yield start, reached


def repaired(text: str) -> str:
    """Backslashes that start no JSON escape doubled, trailing commas dropped."""
    return _STRING_OR_COMMA.sub(lambda match: "" if match[0] == "," else match[0], doubled(text))


def doubled(text: str) -> str:
    """Backslashes that start no JSON escape doubled."""
    return _BACKSLASH.sub(lambda match: match[0] if len(match[0]) > 1 else "\\\\", text)


def unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these pairs; RepeatedKeyError if a key has two values."""
    value = dict(pairs)
    if len(value) < len(pairs):
        for key, item in pairs:
            if item is not value[key] and not (isinstance(item, str) and item == value[key]):
                raise RepeatedKeyError(key)
    return value


def _number(_: str) -> object:
    """Numbers are no texts, and reading a million digits as one would take for ever."""
    return _NUMBER


_DECODER = json.JSONDecoder(
    object_pairs_hook=unrepeated, parse_int=_number, parse_float=_number, parse_constant=_number, strict=False
)
