"""Patterns of strangers are refused, or cost nothing."""

from __future__ import annotations

from functools import partial

import pytest

from handlers.tasks.file_task.patterns import MOST_WEIGHT, PatternError, compiled_pattern, is_found, weight_of
from tests.builders.growth import assert_linear, repeated

REFUSED = [
    "(?:[a-f]{0,300}[c-z]{0,300}){10}\\d", "a{1000}", "((a{10}){10}){10}", "(?=a)", "(?<=a)b", "\\1",
    "(?P<n>a)(?P=n)", "[", "(", "a{2,1}", "a{9999999999}", "(x{1,10}){1,10}x{9}", "\\w{26}", "(*FAIL)", "\\C",
    "((((((((a?){2}){2}){2}){2}){2}){2}){2}){2}", ".{51}", "[[:^alpha:]]{26}", "." * 301, "\\p{L}{26}",
    "(?x)#[\n\\w{50}#]", "(?ix)a#\\p{\n\\w{50}#}", "(?x:\\w {26} )",
    "(?>a+)b", "(a)(?1)", "x{0,101}", "\\k<n>", "(?(1)a|b)", "(a{1,10}){1,11}", "[\\w-\\d]{26}",
]  # fmt: skip
TAKEN = [
    "(a+)+$", "(a|a)*b", "(.*)*x", "^(([a-z])+.)+[A-Z]([a-z])+$", "\\p{L}{5}", "(?i)(?:straße){5}", "a**",
    "(?:a?){50}(?:a){50}", "(?x) a {100} # c", "^[A-Z]{3}-\\d{4}$", "10\\.\\d{4,9}/\\S+", "(|a){100}",
    "a*+b", "(?R)^a$",
]  # fmt: skip
PIECES = ["a", "ab", "é", "x1 "]


@pytest.mark.parametrize("pattern", REFUSED, ids=lambda each: each[:30])
def test_what_could_cost_time_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        compiled_pattern(pattern)


@pytest.mark.parametrize("pattern", TAKEN)
def test_what_is_taken_costs_none(pattern: str) -> None:
    assert weight_of(pattern) <= MOST_WEIGHT
    compiled_pattern(pattern)
    for piece in PIECES:
        assert_linear(repeated(piece), partial(is_found, pattern), size=40_000)


@pytest.mark.parametrize(
    ("pattern", "weight"),
    [
        ("a{3}", 3),
        ("(ab){3}", 6),
        ("(a{2}){3}", 8),
        ("\\w{2}", 8),
        (".{2,5}", 10),
        ("a{4,}", 5),
        ("a+b*c?", 0),
    ],
)
def test_a_repetition_weighs_what_it_multiplies(pattern: str, weight: int) -> None:
    assert weight_of(pattern) == weight
