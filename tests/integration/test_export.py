"""``export`` out of a real ledger and store: order, outcomes, formats, and a file that is whole."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.domain.call import Usage
from handlers.domain.result import Check, Part, PartLine
from handlers.errors import DamagedObjectError, UnknownRunError, UsageError
from handlers.results.csv_lines import CsvLines
from handlers.results.export import _array, export, export_jsonl
from handlers.results.export_shape import ExportShape, columns_of, format_of
from handlers.results.records import COLUMNS, MORE, with_own
from handlers.results.xlsx_writer import SheetCounts, export_xlsx, readable, to_xlsx
from tests.builders import values
from tests.builders.values import RUN, call, part_line

PAPERS: list[dict[str, Any]] = [
    {"id": "zeta", "title": "甲", "abstract": "乙", "language": "zh", "license": "CC-BY-4.0",
     "url": "https://example.org/z"},
    {"id": "flagged", "title": "甲二", "language": "zh"},
    {"id": "failed", "title": "甲三", "language": "zh"},
    {"id": "english", "title": "Title", "abstract": "Text", "keywords": ["k"], "body": "Body",
     "language": "en"},
    {"id": "closed", "title": "甲四", "language": "zh", "license": "CC-BY-ND"},
    {"id": "pending", "title": "甲五", "language": "zh"},
    {"id": "alpha", "title": "甲", "abstract": "乙", "language": "zh", "same_as": "zeta",
     "url": "https://example.org/a"},
    {"id": "waiting", "title": "甲六", "language": "zh"},
]  # fmt: skip
LINES: list[PartLine] = [
    part_line("zeta", calls=(call("1"), call("2", kind="repair")), reused_from="old/zeta"),
    part_line("flagged", "flagged", error="numbers", reason="numbers: 3 lost",
              checks=(Check(name="numbers", verdict="fail", detail="3 lost"),)),
    part_line("failed", "failed", error="http_500", reason="the API failed", fields={}, checks=()),
    part_line("english", "skipped", reason="already in en", fields={}, checks=(), calls=()),
    part_line("closed", "skipped", reason="licence forbids", fields={}, checks=(), calls=()),
    part_line("pending", "pending", fields={}, checks=(),
              calls=(call("9", usage=Usage(prompt_tokens=7, completion_tokens=3)),)),
]  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FileStore]:
    store = FileStore(tmp_path / "state")
    yield store
    store.close()


@pytest.fixture
def ledger(tmp_path: Path, store: FileStore) -> Iterator[SqliteLedger]:
    source = tmp_path / "source.jsonl"
    source.write_text("".join(json.dumps(paper) + "\n" for paper in PAPERS))
    store.put_file(values.CORPUS, source)
    ledger = SqliteLedger(tmp_path / "state" / "ledger.sqlite3")
    ledger.create_run(values.run_record(papers=len(PAPERS), same_as=1))
    part = Part(RUN, "b1/1-job-1", tuple(line.model_dump_json().encode() + b"\n" for line in LINES))
    (pointers,) = store.write_parts("job-a", [part])
    entries = [
        values.entry(line.id, line.status, pointer=where, error=line.error, cost=1500)
        for line, where in zip(LINES, pointers, strict=True)
    ]
    ledger.commit([values.commit(*entries)])
    yield ledger
    ledger.close()


Export = Callable[..., dict[str, dict[str, Any]]]


@pytest.fixture
def exported(ledger: SqliteLedger, store: FileStore, tmp_path: Path) -> Export:
    """The records by id, in the file's order."""

    def run(**flags: Any) -> dict[str, dict[str, Any]]:
        output = tmp_path / "out.jsonl"
        export_jsonl(values.backend(ledger=ledger, store=store), RUN, output, shape=ExportShape(**flags))
        records = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
        return {record["id"]: record for record in records}

    return run


def test_there_is_a_line_a_paper_in_the_order_of_the_corpus(exported: Export) -> None:
    records = exported()
    assert list(records) == [paper["id"] for paper in PAPERS]
    assert all(tuple(record) == COLUMNS for record in records.values())
    assert [record["status"] for record in records.values()] == [
        "done", "flagged", "failed", "skipped", "skipped", "pending", "done", "pending",
    ]  # fmt: skip


def test_a_done_paper_has_its_translation_and_where_it_comes_from(exported: Export) -> None:
    record = exported()["zeta"]
    assert (record["title"], record["abstract"], record["body"]) == ("A title", "An abstract.", None)
    assert (record["keywords"], record["source_title"]) == (["one", "two"], "甲")
    assert (record["language"], record["source_language"]) == ("en", "zh")
    assert record["usage"] == {"calls": 2, "prompt_tokens": 200, "completion_tokens": 100, "cached_tokens": 0,
                               "reasoning_tokens": 0}  # fmt: skip
    assert (record["cost_usd"], record["reused_from"], record["notice"]) == (
        1.5e-06, "old/zeta", "Machine translation.",
    )  # fmt: skip
    assert (record["license"], record["url"]) == ("CC-BY-4.0", "https://example.org/z")


def test_a_paper_of_equal_text_shares_the_outcome_under_its_own_id_and_at_no_cost(exported: Export) -> None:
    records = exported()
    leader, follower = records["zeta"], records["alpha"]
    assert (follower["title"], follower["same_as"], follower["url"]) == (
        "A title", "zeta", "https://example.org/a",
    )  # fmt: skip
    assert (follower["cost_usd"], follower["usage"]["calls"]) == (0, 0)
    assert (follower["fingerprint"], follower["checks"]) == (leader["fingerprint"], leader["checks"])


def test_a_paper_that_follows_one_of_another_licence_is_not_given_out(
    ledger: SqliteLedger, store: FileStore, tmp_path: Path
) -> None:
    """As an ingest of an earlier version may have left it."""
    bound = {
        "id": "alpha",
        "title": "甲",
        "language": "zh",
        "same_as": "zeta",
        "license": "No derivatives allowed",
    }
    corpus = tmp_path / "state" / values.CORPUS
    corpus.write_text("".join(json.dumps(paper) + "\n" for paper in (PAPERS[0], bound)))
    output = tmp_path / "out.jsonl"
    counts = export_jsonl(
        values.backend(ledger=ledger, store=store), RUN, output, shape=ExportShape(drafts=True)
    )
    assert (counts["done"], counts["skipped"]) == (1, 1)
    record = json.loads(output.read_text(encoding="utf-8").splitlines()[1])
    assert (record["status"], record["title"], record["checks"], record["model"]) == (
        "skipped",
        None,
        [],
        None,
    )
    assert record["reason"] == "licence No derivatives allowed forbids derivatives"


def test_what_the_gate_refused_is_shown_only_as_a_draft(exported: Export) -> None:
    record = exported()["flagged"]
    assert (record["title"], record["error"], record["reason"]) == (None, "numbers", "numbers: 3 lost")
    assert record["checks"] == [{"name": "numbers", "verdict": "fail", "detail": "3 lost"}]
    draft = exported(drafts=True)["flagged"]
    assert (draft["title"], draft["status"]) == ("A title", "flagged")


def test_a_paper_in_the_target_language_keeps_its_own_text(exported: Export) -> None:
    record = exported()["english"]
    assert (record["status"], record["reason"], record["language"]) == ("skipped", "already in en", "en")
    assert (record["title"], record["abstract"], record["body"], record["keywords"]) == (
        "Title", "Text", "Body", ["k"],
    )  # fmt: skip
    assert record["notice"] is None


@pytest.mark.parametrize("paper_id", ["failed", "closed", "pending", "waiting"])
def test_a_paper_without_a_result_has_no_text(exported: Export, paper_id: str) -> None:
    record = exported(drafts=True)[paper_id]
    assert [record[name] for name in ("title", "abstract", "body", "keywords", "language", "notice")] == [
        None
    ] * 6


def test_tokens_of_an_unfinished_paper_are_told(exported: Export) -> None:
    record = exported()["pending"]
    assert (record["usage"]["prompt_tokens"], record["cost_usd"], record["reason"]) == (7, 1.5e-06, None)


def test_the_counts_are_those_of_the_ledger(ledger: SqliteLedger, store: FileStore, tmp_path: Path) -> None:
    counts = export(values.backend(ledger=ledger, store=store), RUN, tmp_path / "x.csv", "csv")
    assert counts == {"done": 2, "flagged": 1, "failed": 1, "skipped": 2, "pending": 2}


def test_csv_has_the_same_columns_and_texts(ledger: SqliteLedger, store: FileStore, tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    export(values.backend(ledger=ledger, store=store), RUN, output, "csv")
    rows = list(csv.DictReader(io.StringIO(output.read_bytes().decode(), newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert (rows[0]["id"], rows[0]["keywords"], rows[0]["body"]) == ("zeta", "one; two", "")
    assert json.loads(rows[0]["usage"])["calls"] == 2
    assert json.loads(rows[0]["checks"]) == [{"name": "placeholders", "verdict": "pass", "detail": ""}]


def cells(*values: object) -> list[str]:
    file = io.BytesIO()
    lines = CsvLines(file, ["c"] * len(values))
    lines.write({str(position): value for position, value in enumerate(values)})
    lines.finish()
    return list(csv.reader(io.StringIO(file.getvalue().decode(), newline="")))[1]


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+1+1", "-1-1", "-2+3+cmd|' /C calc'!A0", "--1", "-a", "+2价铁", "-80 ℃", "@SUM(A1)", "\t=1",
     "\r=1", "＝1", "－1", "+1e5(", "-1,2;3"],
)  # fmt: skip
def test_a_cell_is_never_a_formula(cell: str) -> None:
    assert cells(cell) == [f"'{cell}"]
    assert cells([cell, "b"]) == [f"'{cell}; b"]


@pytest.mark.parametrize("cell", ["-5", "+5", "-0.5", "-1,234.5", "+1e-9", "-3E8", "-5%", "-", "0704.0001"])
def test_a_number_is_what_it_was(cell: str) -> None:
    assert cells(cell) == [cell]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_csv_gives_any_text_back(text: str) -> None:
    assert cells("x", text) in (["x", text], ["x", f"'{text}"])


@pytest.mark.parametrize("name", ["o.csv", "o.tsv", "o.csv.gz", "o.tsv.gz", "o.jsonl.gz"])
def test_the_source_stands_beside_the_translation_where_it_is_asked_for(
    ledger: SqliteLedger, store: FileStore, tmp_path: Path, name: str
) -> None:
    columns = ("abstract", "source_abstract", "id", "source_keywords")
    output, shape = tmp_path / name, ExportShape(columns, bom="jsonl" not in name)
    export(values.backend(ledger=ledger, store=store), RUN, output, format_of(output, None), shape)
    content = output.read_bytes()
    content = gzip.decompress(content) if name.endswith(".gz") else content
    assert content.startswith(b"\xef\xbb\xbf") == shape.bom
    text, tab = io.StringIO(content.decode("utf-8-sig"), newline=""), "\t" if "tsv" in name else ","
    rows = list(map(json.loads, text)) if "jsonl" in name else list(csv.DictReader(text, delimiter=tab))
    assert tuple(rows[0]) == columns
    assert [rows[0][each] for each in columns[:3]] == ["An abstract.", "乙", "zeta"]
    assert len(rows) == len(PAPERS)


@pytest.mark.parametrize(
    ("name", "wanted", "meant"),
    [
        ("o.jsonl", None, "jsonl"), ("o.NDJSON", None, "jsonl"), ("o.json", None, "json"),
        ("o.json.gz", None, "json"),
        ("o.json", "jsonl", "jsonl"),
        ("o.csv", None, "csv"), ("a.b.CSV", None, "csv"), ("o.csv.gz", None, "csv"), ("o.tsv", None, "tsv"),
        ("o.parquet", None, "parquet"), ("o.xlsx", None, "xlsx"), ("o", None, "jsonl"), ("o", "csv", "csv"),
        ("o.txt", "csv", "csv"), ("o.csv", "csv", "csv"), ("o.gz", "csv", "csv"), (".csv", None, "jsonl"),
        ("-", None, "jsonl"), ("-", "tsv", "tsv"), ("/dev/null", None, "jsonl"),
    ],
)  # fmt: skip
def test_the_ending_decides_what_is_written(name: str, wanted: Any, meant: str) -> None:
    assert format_of("-" if name == "-" else Path(name), wanted) == meant


def test_a_json_file_is_one_array_of_the_same_records(
    ledger: SqliteLedger, store: FileStore, tmp_path: Path
) -> None:
    backend = values.backend(ledger=ledger, store=store)
    lines, array, one = tmp_path / "o.jsonl", tmp_path / "o.json", tmp_path / "o.json.gz"
    export(backend, RUN, lines, "jsonl")
    for output in (array, one):
        export(backend, RUN, output, format_of(output, None))
    records = list(map(json.loads, lines.read_text(encoding="utf-8").splitlines()))
    assert json.loads(array.read_bytes()) == json.loads(gzip.decompress(one.read_bytes())) == records
    assert len(array.read_bytes().splitlines()) == len(records) + 2, "an object a line"
    empty = io.BytesIO()
    with _array(empty):
        pass
    assert json.loads(empty.getvalue()) == []


@pytest.mark.parametrize(
    ("name", "wanted", "words"),
    [
        ("o.csv", "jsonl", "contradict"), ("o.xlsx", "csv", "contradict"),
        ("o.csv.gz", "parquet", "contradict"), ("o.xls", None, r"no format has the ending \.xls"),
        ("o.ods", None, "xlsx"), ("o.docx.gz", None, "docx"),
        ("o.parquet.gz", None, "packed already"), ("o.xlsx.gz", None, "packed already"),
        ("-", "xlsx", "cannot be streamed"), ("-", "parquet", "cannot be streamed"),
    ],
)  # fmt: skip
def test_an_ending_that_nothing_is_written_under_is_refused(name: str, wanted: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        format_of("-" if name == "-" else Path(name), wanted)


def test_columns_are_named_or_refused() -> None:
    assert columns_of(None) == COLUMNS
    assert columns_of(" id, source_abstract ,id") == ("id", "source_abstract")
    for names in ("", ","):
        with pytest.raises(UsageError, match=f"there are id, .*{MORE[-1]}"):
            columns_of(names)
    with pytest.raises(UsageError, match=f"no column 'nonsense'; there are id, .*{MORE[-1]}, 馆藏, and own"):
        with_own(("id", "nonsense"), ['{"id":"a","馆藏":1}'.encode()])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("题名", "read as the title: source_title has what the source says, and title its translation"),
        ("Title", "source_title"), ("Titel", "source_title"), ("タイトル", "source_title"),
        ("TI", "source_title"),
        ("摘要", "source_abstract"), ("Abstract", "source_abstract"), ("Résumé", "source_abstract"),
        ("关键词", "source_keywords"), ("正文", "source_body"),
        ("语种", "source_language has what the source says;"),
        ("编号", "read as the id: give id;"), ("链接", "give url;"), ("nonsense", "'nonsense'; there are"),
    ],
)  # fmt: skip
def test_a_sources_name_of_a_field_is_told_by_what_it_has_become(name: str, words: str) -> None:
    with pytest.raises(UsageError) as raised:
        with_own(("id", name), [b'{"id":"a"}'])
    assert words in str(raised.value)


def test_a_sources_own_columns_go_along_by_their_names(
    ledger: SqliteLedger, store: FileStore, tmp_path: Path
) -> None:
    """A list stays a list in JSON Lines and is read as text in a table; own columns are not translated."""
    own: dict[str, dict[str, Any]] = {
        "zeta": {"馆藏": "A-1", "分类": ["TP", "O1"]},
        "failed": {"馆藏": "=1+1", "more": {"册": 2, "所在": {"架": 3}}},
    }
    source = tmp_path / "source.jsonl"
    source.write_text("".join(json.dumps(paper | own.get(paper["id"], {})) + "\n" for paper in PAPERS))
    (tmp_path / "state" / values.CORPUS).write_bytes(source.read_bytes())
    columns = with_own(("id", "own", "date"), source.read_bytes().splitlines())
    assert columns == ("id", "馆藏", "分类", "more", "date")
    shape, backend = ExportShape(columns), values.backend(ledger=ledger, store=store)
    export_jsonl(backend, RUN, tmp_path / "o.jsonl", shape=shape)
    first = json.loads((tmp_path / "o.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert first == {"id": "zeta", "馆藏": "A-1", "分类": ["TP", "O1"], "more": None, "date": None}
    export(backend, RUN, tmp_path / "o.csv", "csv", shape)
    with (tmp_path / "o.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert (rows["zeta"]["馆藏"], rows["zeta"]["分类"]) == ("A-1", "TP; O1")
    assert (rows["failed"]["馆藏"], rows["failed"]["more"]) == ("'=1+1", '{"册":2,"所在":{"架":3}}')
    export_xlsx(backend, RUN, tmp_path / "o.xlsx", shape=shape)
    (sheet,) = sheets_of(tmp_path / "o.xlsx")
    assert sheet[3] == ["failed", "=1+1", "册: 2; 所在: 架: 3"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([{"name": "numbers", "verdict": "fail", "detail": "3 lost"},
          {"name": "terms", "verdict": "pass", "detail": ""}], "numbers: fail (3 lost)\nterms: pass"),
        ({"prompt_tokens": 7, "cached_tokens": 3, "none": None}, "prompt_tokens: 7; cached_tokens: 3"),
        (["a", "b"], "a; b"),
        ([1, None, [2]], "1; ; 2"),
        ({"a": {"b": {"c": {"d": 1}}}}, 'a: b: c: {"d":1}'),
        ([], ""), (None, ""), ({}, ""),
    ],
)  # fmt: skip
def test_a_workbook_has_words_in_place_of_json(value: object, text: str) -> None:
    assert readable(value) == text


def sheets_of(path: Path) -> list[list[list[str]]]:
    """Each cell of each sheet: formulas as they would be run, else the text or number."""
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(path) as book:
        names = sorted(name for name in book.namelist() if name.startswith("xl/worksheets/sheet"))
        roots = [ElementTree.fromstring(book.read(name)) for name in names]
    assert not any(root.findall(f".//{space}f") for root in roots)
    return [
        [["".join(cell.itertext()) for cell in row] for row in root.iter(f"{space}row")] for root in roots
    ]


def test_a_workbook_has_every_paper_and_no_formula(
    ledger: SqliteLedger, store: FileStore, tmp_path: Path
) -> None:
    output = tmp_path / "o.xlsx"
    backend = values.backend(ledger=ledger, store=store)
    shape = ExportShape(("id", "title", "source_title", "cost_usd"))
    counts, fit = export_xlsx(backend, RUN, output, shape=shape)
    assert (counts["done"], fit) == (2, SheetCounts(1, 0))
    (rows,) = sheets_of(output)
    with zipfile.ZipFile(output) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    widths = [float(width) for width in re.findall(r'<col [^>]*width="([\d.]+)"', sheet)]
    assert min(widths) > 15
    assert max(widths) > 45, "texts can be read"
    assert rows[:2] == [list(shape.columns), ["zeta", "A title", "甲", "1.5E-06"]]
    assert len(rows) == 1 + len(PAPERS)


def test_cells_are_texts_and_what_a_sheet_cannot_hold_is_told(tmp_path: Path) -> None:
    texts = ["=1+1", "-5", "@x", "http://x", "9007199254740993", "a\x0bb", "_x0041_", "\ud800", "😀" * 20_000]
    records = [{"id": text} for text in texts]
    assert to_xlsx(records, tmp_path / "o.xlsx", ("id",), most_rows=6) == SheetCounts(2, 2)
    first, second = sheets_of(tmp_path / "o.xlsx")
    assert [row[0] for row in first] == ["id", *texts[:5]]
    assert second[1:] == [["a_x000B_b"], ["_x005F_x0041_"], ["?"], ["😀" * 16_383]]
    assert to_xlsx([], tmp_path / "empty.xlsx", ("id",)) == SheetCounts(1, 0)
    with pytest.raises(UsageError, match="--output"):
        to_xlsx([], tmp_path / "no" / "o.xlsx", ("id",))


def test_a_workbook_without_its_library_is_refused_before_anything_is_written(
    ledger: SqliteLedger, store: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    with pytest.raises(UsageError, match="extra `xlsx`"):
        export_xlsx(values.backend(ledger=ledger, store=store), RUN, tmp_path / "o.xlsx")
    assert not (tmp_path / "o.xlsx").exists()


def test_a_result_that_cannot_be_read_names_its_paper(
    exported: Export, ledger: SqliteLedger, store: FileStore
) -> None:
    line = part_line("waiting").model_dump_json().replace("A title", "A \\ud800 title")
    ((where,),) = store.write_parts("job-b", [Part(RUN, "b1/2-job-1", (line.encode() + b"\n",))])
    ledger.commit([values.commit(values.entry("waiting", pointer=where), part="9")])
    with pytest.raises(DamagedObjectError, match="waiting"):
        exported()


def test_an_old_file_is_replaced_and_one_that_fails_leaves_the_old_one(
    ledger: SqliteLedger, store: FileStore, tmp_path: Path
) -> None:
    output = tmp_path / "out.jsonl"
    output.write_text("old")
    (tmp_path / "state" / "runs" / RUN / "segments" / "job-a.jsonl").write_bytes(b"cut")
    with pytest.raises(DamagedObjectError):
        export_jsonl(values.backend(ledger=ledger, store=store), RUN, output)
    assert output.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jsonl", "source.jsonl", "state"]


def test_a_result_of_another_paper_is_never_given_out(
    exported: Export, ledger: SqliteLedger, store: FileStore
) -> None:
    where = ledger.paper_rows(RUN, ["zeta"])["zeta"].pointer
    assert where is not None
    ledger.commit([values.commit(values.entry("waiting", pointer=where), part="9")])
    with pytest.raises(DamagedObjectError, match="in the place of 'waiting'"):
        exported()


def test_a_folder_or_a_place_that_is_not_there_is_refused(
    ledger: SqliteLedger, store: FileStore, tmp_path: Path
) -> None:
    for output in (tmp_path, tmp_path / "no" / "such" / "folder.jsonl"):
        with pytest.raises(UsageError, match="--output"):
            export_jsonl(values.backend(ledger=ledger, store=store), RUN, output)
    with pytest.raises(UnknownRunError):
        export_jsonl(values.backend(ledger=ledger, store=store), "nowhere", tmp_path / "x")


def test_a_pipe_is_written_to_and_a_link_followed(
    ledger: SqliteLedger, store: FileStore, tmp_path: Path
) -> None:
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    export_jsonl(values.backend(ledger=ledger, store=store), RUN, pipe)
    reader.join()
    assert read[0].count(b"\n") == len(PAPERS)
    target, link = tmp_path / "target.jsonl", tmp_path / "link.jsonl"
    target.write_text("old")
    link.symlink_to(target)
    export_jsonl(values.backend(ledger=ledger, store=store), RUN, link)
    assert link.is_symlink()
    assert target.read_bytes() == read[0]


def test_an_interrupted_workbook_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> Iterator[dict[str, str]]:
        yield {"id": "a" * 100_000}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        to_xlsx(interrupted(), tmp_path / "o.xlsx", ("id",))
    assert list(tmp_path.iterdir()) == []


def test_a_workbook_does_not_take_the_place_of_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "o.xlsx")
    with pytest.raises(UsageError, match="no regular file"):
        to_xlsx([], tmp_path / "o.xlsx", ("id",))
    assert (tmp_path / "o.xlsx").is_fifo()
