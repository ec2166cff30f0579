"""Papers are found inside of what APIs and programs wrap them in, at bounded memory."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from handlers.corpus.sources.formats import open_source
from handlers.corpus.sources.reader import BadLine

PAPERS = [{"id": "1", "title": "甲"}, {"id": "2", "title": "乙"}]


def read(folder: Path, text: str, **options: Any) -> list[Any]:
    (folder / "a.json").write_text(text, encoding="utf-8")
    return [row for _, row in open_source(str(folder / "a.json"), **options).records()]


@pytest.mark.parametrize(
    "wrapped",
    [
        {"records": PAPERS},
        {"status": "ok", "message": {"facets": {"title": 1}, "items": PAPERS, "query": {"x": [{}]}}},
        {"response": {"numFound": 2, "docs": PAPERS}},
        {"hits": {"total": {"value": 2}, "hits": [{"_source": paper} for paper in PAPERS]}},
        {"data": {"search": {"edges": [{"cursor": "x", "node": paper} for paper in PAPERS]}}},
        {"id": ["1", "2"], "title": ["甲", "乙"]},
        {"id": {"0": "1", "1": "2"}, "title": {"0": "甲", "1": "乙"}},
        {"columns": ["id", "title"], "index": [0, 1], "data": [["1", "甲"], ["2", "乙"]]},
        {"1": {"title": "甲"}, "2": {"title": "乙"}},
    ],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_a_wrapper_stands_for_what_it_wraps(wrapped: Any, indent: int | None, tmp_path: Path) -> None:
    text = json.dumps(wrapped, ensure_ascii=False, indent=indent)
    assert read(tmp_path, text) == PAPERS
    assert read(tmp_path, f"{text}\n{text}\n") == PAPERS * 2


@pytest.mark.parametrize(
    "record",
    [
        {"id": "1", "title": "A", "data": [{"id": "table"}]},
        {"id": "1", "results": [{"p": 0.05}]},
        {"id": "1", "results": [{"title": "A"}], "items": [{"title": "B"}]},
        {"results": []},
    ],
)
def test_what_may_be_a_paper_wraps_nothing(record: dict[str, Any], tmp_path: Path) -> None:
    assert read(tmp_path, json.dumps(record) + "\n") == [record]


def test_a_record_of_a_list_that_cannot_be_read_costs_only_itself(tmp_path: Path) -> None:
    listed = '[{"id": "1"}, {"id": "\\q"}, {"id": "3"}]'
    text = f'{{"n": 2, "results": {listed}, "tail": {{"x": [1, "]}}"]}}}}\n{{"id": "4"}}'
    rows = read(tmp_path, text)
    assert [row["id"] for row in rows if not isinstance(row, BadLine)] == ["1", "3", "4"]
    assert rows[1].reason.startswith("not JSON: Invalid \\escape")


def test_a_list_that_is_cut_off_gives_what_came_before(tmp_path: Path) -> None:
    rows = read(tmp_path, '{"results": [{"id": "1"}, {"id": "2"}, {"id')
    assert rows[:2] == [{"id": "1"}, {"id": "2"}]
    assert "does not end" in rows[-1].reason


@pytest.mark.slow
def test_a_wrapped_list_of_any_size_is_read_at_bounded_memory(tmp_path: Path) -> None:
    papers = [{"id": str(number), "title": "x" * 3000} for number in range(2000)]
    text = json.dumps({"meta": {}, "results": papers, "tail": "y" * 10_000})
    (tmp_path / "a.json").write_text(text)
    tracemalloc.start()
    found = sum(
        row["id"] == str(n) for n, (_, row) in enumerate(open_source(str(tmp_path / "a.json")).records())
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == 2000
    assert peak < len(text)


def test_lines_as_tools_write_them_are_objects(tmp_path: Path) -> None:
    text = '{"id":"1"}\n\ufeff{"id":"2"}\n\x00{"id":"3"}\n[{"id":"4"},{"id":"5"}]\n"{\\"id\\":\\"6\\"}"\n'
    text += '{"_index":"p","_id":"7","_source":{"title":"x"}}\n'
    rows = read(tmp_path, text)
    assert [row.get("id", row.get("_id")) for row in rows] == ["1", "2", "3", "4", "5", "6", "7"]
