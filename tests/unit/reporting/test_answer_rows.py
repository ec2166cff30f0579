"""A record beside its answers: a table in which no text is markup, quotes marked, few values to filter by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.domain.paper import Paper
from handlers.domain.result import Part
from handlers.domain.tasks.reads import Reads
from handlers.reporting.review.answer_rows import TaskView, answer_table, searched, told
from handlers.reporting.review.selection import Selection
from handlers.reporting.review.site import write_site
from tests.builders import values
from tests.builders.values import RUN, part_line

EVIL = "<script>alert(1)</script>&\"'"
FIELDS: dict[str, Any] = {
    "mood": {"enum": ["good", "bad"]}, "sure": {"type": "boolean"}, "note": {"type": "string"},
    "stars": {"enum": [1, 2]}, "late": {"enum": ["x"]}, EVIL: {"type": "string"},
}  # fmt: skip
VIEW = TaskView("reviews", FIELDS, Reads(shape="record", fields=("text", "tags", "none")))
TEXT = "The battery lasts long, the good screen broke."


def paper(name: str = "r1", **record: Any) -> Paper:
    return Paper.model_validate(
        {"id": name, "title": "T", "record": {"text": TEXT, "tags": ["a", EVIL], **record}}
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""), ("a", "a"), (True, "yes"), (0, "0"), (0.5, "0.5"), (["a", 1], "a; 1"), ([], ""), ({}, ""),
        ({"a": [1, 2], "b": None}, "a: 1; 2; b: "), ([{"a": 1}, {"a": 2}], "a: 1\na: 2"),
        ([[[["x"]]]], '["x"]'),
    ],
)  # fmt: skip
def test_values_are_told_as_people_read_them(value: object, text: str) -> None:
    assert told(value) == text


def test_no_text_of_a_record_or_an_answer_is_markup() -> None:
    line = part_line("r1", fields={"note": EVIL, "mood": [EVIL], EVIL: {"a": EVIL}})
    table = answer_table(paper(), line, VIEW)
    for _, html in (*table.record, *table.answers):
        assert "<script" not in html
    assert [name for name, _ in table.record] == ["text", "tags"]
    assert [name for name, _ in table.answers] == list(FIELDS)


def test_what_an_answer_quotes_is_marked_in_the_source() -> None:
    line = part_line("r1", fields={"mood": "good", "note": "battery LASTS", EVIL: ["the", "screen broke."]})
    ((_, html), _) = answer_table(paper(), line, VIEW).record
    assert html == (
        'The <mark data-check="quote" title="quote">battery lasts</mark> long, the good'
        ' <mark data-check="quote" title="quote">screen broke.</mark>'
    )


def test_facets_are_the_first_fields_of_few_values_and_the_search_sees_both_sides() -> None:
    line = part_line("r1", fields={"mood": "bad", "sure": False, "stars": 2, "late": "x", "note": "n"})
    assert VIEW.facets == ("mood", "sure", "stars")
    assert VIEW.facets_of(line) == ("bad", "no", "2")
    assert set(searched(paper(), line, VIEW)) >= {"r1", "T", TEXT, EVIL, "bad", "n"}


@pytest.fixture
def selection(tmp_path: Path) -> Iterator[Selection]:
    source, store = tmp_path / "source.jsonl", FileStore(tmp_path / "state")
    lines = [
        part_line("r1", fields={"mood": "good", "note": EVIL}, checks=(), notice="N."),
        part_line("r2", "flagged", fields={"mood": "bad"}, error="schema", checks=(), notice=""),
    ]
    source.write_text("".join(paper(name).model_dump_json() + "\n" for name in ("r1", "r2", "r3")))
    store.put_file(values.CORPUS, source)
    ledger = SqliteLedger(tmp_path / "state" / "ledger.sqlite3")
    ledger.create_run(values.run_record(papers=3))
    part = Part(RUN, "b1/1-job-1", tuple(line.model_dump_json().encode() + b"\n" for line in lines))
    (pointers,) = store.write_parts("job-a", [part])
    entries = [
        values.entry(each.id, each.status, pointer=at) for each, at in zip(lines, pointers, strict=True)
    ]
    ledger.commit([values.commit(*entries)])
    yield Selection(RUN, ledger, store, True, VIEW)
    ledger.close()
    store.close()


def test_a_site_of_a_task_says_answers_and_no_translation(selection: Selection, tmp_path: Path) -> None:
    pytest.importorskip("jinja2", reason="an extra")
    site = write_site(selection, tmp_path / "site")
    assert (site.papers, site.left_out) == (2, {"pending": 1})
    page, index = ((tmp_path / "site" / name).read_text() for name in ("pages/0001.html", "index.html"))
    assert "Answers by model-a for reviews; not reviewed." in page
    assert 'name="facet0"' in index
    assert "answered by model-a for reviews: not reviewed." in index
    assert not any("ranslat" in text or "<script>alert" in text for text in (page, index))
    rows = (tmp_path / "site" / "search" / "0000.js").read_text()
    assert json.loads(rows[rows.index(",") + 1 : rows.rindex(")")])[0][-1] == ["good", "", ""]
