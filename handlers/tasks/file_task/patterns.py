"""Regular expressions of strangers: the engine is linear, and what a repetition may multiply is counted.

Rust's engine, which pydantic-core brings, has no look-around, no references and no backtracking. Its states
grow with counted repetitions all the same (``(?:[a-f]{0,300}[c-z]{0,300}){10}`` costs seconds a text), so
they are weighed before anything is compiled.
"""

from __future__ import annotations

import re
from functools import lru_cache

from pydantic_core import SchemaError, SchemaValidator, ValidationError, core_schema

MOST_CHARACTERS = 300
"""Of a pattern."""
MOST_WEIGHT = 100
LONGEST_TEXT = 4_000
"""Characters; a longer text is not looked at and fails."""
_PIECE = re.compile(
    r"\\(?:[pPuUx]\{[^}]{0,40}\}|.)|\[(?:\^?\]?(?:\\.|\[:\^?\w{1,12}:\]|[^\]\\])*)\]|\(\?[a-zA-Z-]{0,8}[:)]"
    r"|\(\?P?<\w{1,40}>|\{\s*[0-9]*\s*,?\s*[0-9]*\s*\}|.",
    re.DOTALL,
)
_VERBOSE = re.compile(r"\(\?[a-zA-Z]*x")
_HIDDEN = re.compile(r"#[^\n]*[\[\\]")
"""Of a comment what would be weighed as the beginning of a class or a sign."""
_COUNT = re.compile(r"\{\s*([0-9]*)\s*(,?)\s*([0-9]*)\s*\}")


class PatternError(Exception):
    """Why a pattern is not taken."""


def weight_of(pattern: str) -> int:
    """What its counted repetitions come to: the most times of each by what it repeats, nested ones times.
    A literal or an ASCII class weighs 1, a dot 2, any other class 4."""
    total, at = 0, 0
    stack: list[int] = [0]  # weights of what stands in each open group
    last = 0
    blank = " \t\r\n" if _VERBOSE.search(pattern) else ""
    while (match := _PIECE.match(pattern, at)) is not None:
        piece, at = match[0], match.end()
        if piece.startswith("(") and not (piece.startswith("(?") and piece.endswith(")")):
            stack.append(0)
            last = 0
            continue
        if piece == ")" and len(stack) > 1:
            last = stack.pop()
        elif (count := _COUNT.fullmatch(piece)) is not None:
            times = _most(count)
            total += times * max(last, 1) if times > 1 else 0
            grown = max(last, 1) * max(times, 1)
            stack[-1] += grown - last
            last = grown
            continue
        elif piece in "*+?|^$" or piece in blank:
            continue
        else:
            last = _weight(piece)
        stack[-1] += last
    return total


def _most(count: re.Match[str]) -> int:
    least = int(count[1][:6] or 0)
    if not count[2]:
        return least
    return int(count[3][:6]) if count[3] else least + 1


def _weight(piece: str) -> int:
    if piece == ".":
        return 2
    if piece.startswith("["):
        return 1 if piece.isascii() and not re.search(r"\[\^|\\[wWdDsSpP]|\[:\^", piece) else 4
    return 4 if len(piece) > 1 and piece[1] in "wWdDsSpP" else 1


@lru_cache(maxsize=256)
def compiled_pattern(pattern: str) -> SchemaValidator:
    """A validator of texts in which the pattern is found. PatternError says why there is none."""
    if len(pattern) > MOST_CHARACTERS:
        raise PatternError(f"it has more than {MOST_CHARACTERS} characters")
    if _VERBOSE.search(pattern) and _HIDDEN.search(pattern):
        raise PatternError("a comment of a verbose pattern has no brackets and no backslashes")
    if (weight := weight_of(pattern)) > MOST_WEIGHT:
        raise PatternError(
            f"its counted repetitions come to {weight:,}, over {MOST_WEIGHT}: repeat less, or with * and +"
        )
    try:
        return SchemaValidator(
            core_schema.str_schema(pattern=pattern, strict=True, regex_engine="rust-regex")
        )
    except SchemaError as error:
        first = next((line.strip() for line in reversed(str(error).splitlines()) if "error:" in line), "")
        why = first.partition("error:")[2].strip() or "it cannot be compiled"
        raise PatternError(f"{why[:200]} (no look-around and no references)") from None


def is_found(pattern: str, text: str) -> bool:
    """Whether the pattern is found in the text, which has ``LONGEST_TEXT`` characters at most."""
    try:
        compiled_pattern(pattern).validate_python(text)
    except ValidationError:
        return False
    return True
