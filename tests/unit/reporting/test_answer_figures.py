"""What a task's answers come to: counts, bins and lengths, as JSON, in words and on the page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.domain.result import Part
from handlers.domain.run_report import AnswerFigures
from handlers.reporting.answer_figures import answer_figures
from handlers.reporting.answers_told import answer_tables
from handlers.reporting.markdown import to_markdown
from tests.builders import values
from tests.builders.reports import report
from tests.builders.values import RUN, part_line

Counted = Callable[..., AnswerFigures]


@pytest.fixture
def counted(tmp_path: Path) -> Iterator[Counted]:
    """Of one field ``x`` with a schema, over papers with these values; each counts as often as its weight."""
    opened: list[Any] = []

    def count(schema: dict[str, Any], *found: Any, weights: tuple[int, ...] = ()) -> AnswerFigures:
        folder = tmp_path / str(len(opened))
        store, ledger = FileStore(folder), SqliteLedger(folder / "ledger.sqlite3")
        opened.extend((store, ledger))
        ledger.create_run(values.run_record(papers=len(found)))
        lines = [part_line(f"p{n:05}", fields={"x": value, "y": 1}) for n, value in enumerate(found)]
        lines.append(part_line("refused", "flagged", fields={"x": found[0]}))
        part = Part(RUN, "b1/1-job-1", tuple(line.model_dump_json().encode() + b"\n" for line in lines))
        (pointers,) = store.write_parts("job-a", [part])
        many = weights or (1,) * len(found)
        ledger.commit([values.commit(*(
            values.entry(line.id, line.status, pointer=where, weight=weight)
            for line, where, weight in zip(lines, pointers, (*many, 1), strict=True)
        ))])  # fmt: skip
        return answer_figures(RUN, {"x": schema}, ledger=ledger, store=store)["x"]

    yield count
    for each in opened:
        each.close()


def test_an_enum_is_counted_by_weight_in_the_order_of_its_schema(counted: Counted) -> None:
    found = counted({"enum": ["b", "a", "c"]}, "a", "c", "c", "odd", weights=(5, 1, 1, 1))
    assert (found.type, found.answered, list(found.counts.items())) == (
        "enum", 8, [("b", 0), ("a", 5), ("c", 2), ("other", 1)],
    )  # fmt: skip
    found = counted({"type": "boolean"}, True, False, True, None)
    assert (found.type, found.counts, found.answered) == ("boolean", {"true": 2, "false": 1}, 3)
    found = counted({"enum": [1, 2, None]}, 2, 2, 1)
    assert found.counts == {"1": 1, "2": 2}


def test_numbers_have_bins_between_their_bounds(counted: Counted) -> None:
    found = counted({"type": "number", "minimum": 0, "maximum": 1}, 0, 0.049, 0.05, 0.5, 1)
    assert (found.min, found.max, found.edges) == (0, 1, (0, 1))
    assert found.mean == pytest.approx(1.599 / 5)
    assert (len(found.bins), found.bins[0], found.bins[1], found.bins[-1], sum(found.bins)) == (
        20,
        2,
        1,
        1,
        5,
    )
    stars = counted({"type": "integer", "minimum": 1, "maximum": 5}, 1, 5, 5, 3)
    assert (stars.bins, stars.edges) == ((1, 0, 1, 0, 2), (1, 6))


def test_without_bounds_the_first_thousand_answers_tell_the_spread(counted: Counted) -> None:
    found = counted({"type": ["number", "null"]}, *(n / 10 for n in range(1000)), 1e9, -1e9, None)
    assert (len(found.bins), sum(found.bins), found.edges) == (20, 1002, (0, 99.9))
    assert (found.min, found.max) == (-1e9, 1e9)
    few = counted({"type": "integer"}, 7, 7, 9)
    assert (few.bins, few.edges) == ((2, 0, 1), (7, 10))
    assert counted({"type": "number"}, 3).bins[0] == 1


def test_lists_are_counted_by_their_lengths(counted: Counted) -> None:
    found = counted({"type": "array", "items": {"type": "string"}}, [], ["a"], ["b"], ["c"] * 90)
    assert (found.type, found.lengths) == ("list", {"0": 1, "1": 2, "50+": 1})


@pytest.mark.parametrize("value", [[1], {"a": 1}, "text", True, 10**400, "9" * 500])
@pytest.mark.parametrize(
    "schema", [{"type": "number"}, {"type": "array"}, {"enum": ["a"]}, {"type": "boolean"}], ids=str
)
def test_no_value_of_another_type_raises(counted: Counted, schema: dict[str, Any], value: Any) -> None:
    assert counted(schema, value).answered <= 1


def test_texts_and_objects_say_nothing_to_be_counted(counted: Counted) -> None:
    for schema in ({"type": "string"}, {"type": "object"}, {}, {"type": ["string", "number"]}):
        with pytest.raises(KeyError):
            counted(schema, "a")


def test_tables_say_the_same_and_no_name_is_markup(counted: Counted) -> None:
    answers = {
        "mood": counted({"enum": ["good", "<b>|bad"]}, "good", "good", "<b>|bad"),
        "[x](y)": counted({"type": "number", "minimum": 0, "maximum": 1}, 0.5, 1),
        "tags": counted({"type": "array"}, ["a"], []),
    }
    told = report(answers=answers)
    assert list(answer_tables(told)) == [
        (
            "Answers: numbers",
            ("field", "papers", "least", "mean", "most"),
            [("[x](y)", "2", "0.5", "0.75", "1")],
        ),
        ("Answers: mood", ("value", "papers", "share"), [("good", "2", "66.7%"), ("<b>|bad", "1", "33.3%")]),
        ("Answers: tags", ("entries", "papers", "share"), [("0", "1", "50.0%"), ("1", "1", "50.0%")]),
    ]
    assert "<b>|" not in to_markdown(told)
    shown = json.loads(told.model_dump_json())["answers"]
    assert shown["mood"] == {"type": "enum", "answered": 3, "counts": {"good": 2, "<b>|bad": 1}}
    assert set(shown["[x](y)"]) == {"type", "answered", "min", "max", "mean", "bins", "edges"}
