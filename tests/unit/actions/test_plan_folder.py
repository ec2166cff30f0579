"""What travels with a plan."""

from __future__ import annotations

from handlers.actions.plan_folder import without_repeats
from handlers.domain.result import PartPointer


def place(number: int) -> PartPointer:
    return PartPointer(key="runs/r/segments/job-a.jsonl", offset=number, length=1)


def test_each_call_travels_once_however_often_it_was_copied() -> None:
    lines = {
        place(1): {"a"},
        place(2): {"a", "b"},
        place(3): {"a", "b"},
        place(4): {"c"},
        place(5): set[str](),
    }
    assert without_repeats(lines) == [place(2), place(4)]
    assert without_repeats({}) == []
