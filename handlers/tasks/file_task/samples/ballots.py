"""What several answers to one record come to: most of them decide.

An answer is one vote: the values of all fields of few possible values together, so that the result is an
answer that was given, and not one put together of several. That more of independent answers are right than of
a single one is self-consistency (Wang et al., 2023, arXiv:2203.11171).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from handlers.domain.tasks.answer_types import choices_of
from handlers.domain.value import canonical_json
from handlers.tasks.file_task.schema_subset import kind_of

AGREEMENT = "answer_agreement"
"""Beside an answer's fields: the share of the record's answers that say it. No field of a task begins so."""
SHARE: Mapping[str, Any] = {"type": "number", "minimum": 0, "maximum": 1}
_FEW = ("boolean", "integer")


def voting_fields(schema: Mapping[str, Any], before: str = "") -> Iterator[str]:
    """Paths of the fields that are voted on, lists and what is in them left out."""
    for name, inner in schema["properties"].items():
        kind = kind_of(inner)
        if len(choices_of(inner)) > 1 or kind in _FEW:
            yield before + name
        elif kind == "object":
            yield from voting_fields(inner, f"{before}{name}.")


def ballot_of(fields: Mapping[str, Any], voted_on: Sequence[str]) -> str:
    """Equal for answers that say the same."""
    return canonical_json([_at(fields, path) for path in voted_on])


def _at(fields: Any, path: str) -> Any:
    for part in path.split("."):
        fields = fields.get(part) if isinstance(fields, dict) else None
    return int(fields) if isinstance(fields, float) and fields.is_integer() else fields


def leader(ballots: Sequence[str | None]) -> str | None:
    """The one with most votes, of several the first that was cast. None is an answer without a vote."""
    votes = _counted(ballots)
    return max(votes, key=votes.__getitem__) if votes else None


def is_decided(ballots: Sequence[str | None], samples: int) -> bool:
    """Whether no later one of so many answers in all can change who leads."""
    votes, left, first = _counted(ballots), samples - len(ballots), leader(ballots)
    if left <= 0 or first is None:
        return left <= 0
    before = True
    for each, count in votes.items():
        before = before and each != first
        if each != first and count + left + before > votes[first]:  # an equal number goes to the earlier one
            return False
    return left <= votes[first]


def _counted(ballots: Sequence[str | None]) -> Counter[str]:
    """In the order in which they were cast."""
    return Counter(each for each in ballots if each is not None)
