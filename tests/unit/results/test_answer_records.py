"""What a task's answers are exported as: columns, types and values, in every format."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.domain.result import Part
from handlers.domain.tasks.reads import Reads
from handlers.errors import UsageError
from handlers.results.answer_records import AnswerColumns, duckdb_type
from handlers.results.export import export
from handlers.results.export_shape import ExportShape
from handlers.results.parquet_writer import export_parquet
from handlers.results.xlsx_writer import export_xlsx
from tests.builders import values
from tests.builders.values import RUN, part_line

TEXT = {"type": "string"}
METHOD = {"type": "object", "properties": {"name": TEXT, "sure": {"type": ["number", "null"]}}}
FIELDS: dict[str, Any] = {
    "field": {"enum": ["physics", "=1+1"]}, "stars": {"type": "integer"}, "share": {"type": "number"},
    "good": {"type": "boolean"}, "words": {"type": "array", "items": TEXT},
    "methods": {"type": "array", "items": METHOD}, "reason": TEXT, "ID": TEXT,
}  # fmt: skip
ANSWER = {
    "field": "=1+1", "stars": 5, "share": 0.5, "good": True, "words": ["a", "=b"],
    "methods": [{"name": "@x", "sure": None}], "reason": "+cmd", "ID": "-1-x", "stranger": 1,
}  # fmt: skip
COLUMNS = AnswerColumns(FIELDS, ("Headline", "n"), Reads(shape="record", fields=("text",)), "reviews")
RECORDS = [
    {"id": name, "title": "t", "record": {"Headline": ["=h", 2], "n": number, "text": "x", "status": "s"}}
    for number, name in enumerate(["done", "flagged", "waiting"])
]


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    source, store = tmp_path / "source.jsonl", FileStore(tmp_path / "state")
    source.write_text("".join(json.dumps(each) + "\n" for each in RECORDS))
    store.put_file(values.CORPUS, source)
    ledger = SqliteLedger(tmp_path / "state" / "ledger.sqlite3")
    ledger.create_run(values.run_record(papers=3))
    lines = (
        part_line("done", fields=ANSWER, gate="g1"),
        part_line("flagged", "flagged", error="schema", fields=ANSWER),
    )
    part = Part(RUN, "b1/1-job-1", tuple(line.model_dump_json().encode() + b"\n" for line in lines))
    (pointers,) = store.write_parts("job-a", [part])
    ledger.commit([values.commit(*(
        values.entry(line.id, line.status, pointer=where, error=line.error)
        for line, where in zip(lines, pointers, strict=True)
    ))])  # fmt: skip
    backend = values.backend(ledger=ledger, store=store)

    def write(form: Any, names: tuple[str, ...] | None = None, answers: AnswerColumns = COLUMNS) -> Path:
        chosen = answers.chosen(names, store.lines(values.CORPUS))
        shape, output = ExportShape(columns=chosen, answers=answers), tmp_path / f"out.{form}"
        if form in ("parquet", "xlsx"):
            {"parquet": export_parquet, "xlsx": export_xlsx}[form](backend, RUN, output, shape=shape)
        else:
            export(backend, RUN, output, form, shape)
        return output

    yield write
    ledger.close()
    store.close()


def test_columns_are_the_answers_beside_what_every_run_has(written: Callable[..., Path]) -> None:
    done, flagged, waiting = map(json.loads, written("jsonl").read_text().splitlines())
    assert list(done) == [
        "id", "status", "field", "stars", "share", "good", "words", "methods", "answer_reason", "answer_ID",
        "source_Headline", "source_n", "checks", "usage", "error", "reason", "same_as", "reused_from",
        "model", "task", "gate", "fingerprint", "cost_usd", "notice",
    ]  # fmt: skip
    assert {name: done[name] for name in list(FIELDS)[:6]} == {
        name: ANSWER[name] for name in list(FIELDS)[:6]
    }
    assert (done["answer_reason"], done["reason"], done["answer_ID"], done["id"]) == (
        "+cmd",
        None,
        "-1-x",
        "done",
    )
    assert (done["source_Headline"], done["source_n"], done["task"], done["gate"]) == (
        ["=h", 2],
        0,
        "reviews",
        "g1",
    )
    assert (flagged["status"], flagged["field"], flagged["error"]) == ("flagged", None, "schema")
    assert (waiting["status"], waiting["stars"], waiting["source_n"]) == ("pending", None, 2)


def test_csv_has_nested_values_as_json_and_runs_no_formula(written: Callable[..., Path]) -> None:
    text = written("csv").read_text()
    done = next(csv.DictReader(io.StringIO(text)))
    assert (done["field"], done["answer_reason"], done["answer_ID"]) == ("'=1+1", "'+cmd", "'-1-x")
    assert (json.loads(done["words"]), json.loads(done["methods"])) == (["a", "=b"], ANSWER["methods"])
    assert (done["good"], done["share"], json.loads(done["source_Headline"])) == ("true", "0.5", ["=h", 2])
    hostile = AnswerColumns({"=cmd": TEXT}, (), COLUMNS.reads)
    assert "'=cmd" in written("csv", None, hostile).read_text().partition("\n")[0]


def test_parquet_has_the_types_that_the_schema_says(written: Callable[..., Path]) -> None:
    duckdb = pytest.importorskip("duckdb", reason="an extra")
    rows = duckdb.connect().execute(f"SELECT * FROM read_parquet('{written('parquet')}')")
    types = {name: str(kind) for name, kind, *_ in rows.description}
    found = dict(zip(types, rows.fetchone(), strict=True))
    kinds = (
        duckdb.connect().execute(f"DESCRIBE SELECT * FROM read_parquet('{written('parquet')}')").fetchall()
    )
    named = {name: kind for name, kind, *_ in kinds}
    assert [named[name] for name in ("field", "stars", "share", "good", "words", "methods")] == [
        "VARCHAR", "BIGINT", "DOUBLE", "BOOLEAN", "VARCHAR[]", 'STRUCT("name" VARCHAR, sure DOUBLE)[]',
    ]  # fmt: skip
    assert {name: found[name] for name in list(FIELDS)[:6]} == {
        name: ANSWER[name] for name in list(FIELDS)[:6]
    }
    assert json.loads(found["source_Headline"]) == ["=h", 2]


def test_a_workbook_has_truth_values_and_no_formula(written: Callable[..., Path]) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="an extra")
    pytest.importorskip("xlsxwriter", reason="an extra")
    head, done, *_ = openpyxl.load_workbook(written("xlsx")).active.iter_rows()
    cells = {name.value: cell for name, cell in zip(head, done, strict=True)}
    assert (cells["good"].value, cells["good"].data_type) == (True, "b")
    assert (cells["field"].value, cells["field"].data_type) == ("=1+1", "s")
    assert (cells["stars"].value, cells["share"].value) == (5, 0.5)


def test_chosen_columns_may_be_any_field_of_the_source(written: Callable[..., Path]) -> None:
    done, *_ = map(json.loads, written("jsonl", ("id", "source_status", "own")).read_text().splitlines())
    assert done == {
        "id": "done", "source_status": "s", "source_Headline": ["=h", 2], "source_n": 0, "source_text": "x",
    }  # fmt: skip
    with pytest.raises(UsageError, match="no column 'source_txt'; there are id, status, field"):
        written("jsonl", ("id", "source_txt"))


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        (TEXT, "VARCHAR"), ({"type": ["string", "null"], "enum": ["a", None]}, "VARCHAR"), ({}, "JSON"),
        ({"enum": ["a", 1]}, "JSON"), ({"const": True}, "BOOLEAN"), ({"enum": [1, 0.5]}, "DOUBLE"),
        ({"enum": [1, 2]}, "BIGINT"),
        ({"type": ["integer", "number"]}, "DOUBLE"), ({"type": ["string", "integer"]}, "JSON"),
        ({"type": "array"}, "JSON"), ({"type": "object"}, "JSON"), ({"type": "null"}, "JSON"),
        ({"type": "array", "items": {"type": "array", "items": {"type": "integer"}}}, "BIGINT[][]"),
        ({"type": "object", "properties": {'a"b': TEXT, "c d": METHOD}},
         'STRUCT("a""b" VARCHAR, "c d" STRUCT("name" VARCHAR, "sure" DOUBLE))'),
        ({"type": "object", "properties": {"a": TEXT, "A": TEXT}}, "JSON"),
    ],
)  # fmt: skip
def test_a_type_of_the_schema_is_one_of_the_table(schema: dict[str, Any], kind: str) -> None:
    assert duckdb_type(schema) == kind


def test_a_value_that_no_column_holds_is_told_and_leaves_no_file(
    written: Callable[..., Path], tmp_path: Path
) -> None:
    pytest.importorskip("duckdb", reason="an extra")
    with pytest.raises(UsageError, match="a value has no place in its column"):
        written("parquet", None, AnswerColumns({"words": {"type": "integer"}}, (), COLUMNS.reads))
    assert not (tmp_path / "out.parquet").exists()
