"""Workbooks of Excel as sources: what librarians save, and what a stranger may send."""

from __future__ import annotations

import resource
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from handlers.corpus.ingest import ingest
from handlers.corpus.sources.formats import open_source
from handlers.corpus.sources.reader import BadLine, Record
from handlers.corpus.sources.tables import xlsx_rows
from handlers.corpus.sources.tables.xlsx_rows import XlsxRows
from handlers.errors import SourceError, UsageError

SHEET = "xl/worksheets/sheet1.xml"


def book(path: Path, *rows: tuple[object, ...], change: Callable[[Any], None] | None = None) -> Path:
    from openpyxl import Workbook  # half a second, which every process of the tests would spend

    made = Workbook()
    assert made.active is not None
    for row in rows:
        made.active.append(row)
    if change is not None:
        change(made)
    made.save(path)
    return path


def read(path: Path) -> list[tuple[int, Record | BadLine]]:
    return list(open_source(str(path)).records())


def with_sheet(path: Path, xml: bytes) -> Path:
    """A workbook whose sheet is other XML."""
    plain = book(path.with_name("plain.xlsx"), ("id",))
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.infolist():
            new.writestr(part.filename, xml if part.filename == SHEET else old.read(part))
    return path


def sheet(rows: str, *, size: str = "A1:B2") -> bytes:
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return (
        f'<worksheet xmlns="{space}"><dimension ref="{size}"/><sheetData>{rows}</sheetData></worksheet>'
    ).encode()


def text(cell: str, value: str) -> str:
    return f'<c r="{cell}" t="inlineStr"><is><t>{value}</t></is></c>'


def test_a_librarians_sheet_is_read_row_by_row(tmp_path: Path) -> None:
    path = book(
        tmp_path / "in.xlsx",
        (),
        ("编号", " 题名 ", "摘要", "馆藏", None),
        (7, "题目", "一\n二", 1.5, "under no name"),
        (),
        ("b", None, datetime.fromisoformat("2024-05-01"), date(2024, 5, 2), None),
        ("c", "#N/A", True, datetime.fromisoformat("2024-05-01T12:30"), None),
    )
    assert read(path) == [
        (3, {"编号": 7, "题名": "题目", "摘要": "一\n二", "馆藏": 1.5}),
        (5, {"编号": "b", "摘要": "2024-05-01", "馆藏": "2024-05-02"}),
        (6, {"编号": "c", "摘要": True, "馆藏": "2024-05-01T12:30:00"}),
    ]
    result = ingest(open_source(str(path)), tmp_path / "state")
    assert (result.papers, result.rejects) == (3, 0)


def test_a_formula_is_the_value_that_was_saved_with_it(tmp_path: Path) -> None:
    row = f'<row r="1">{text("A1", "id")}{text("B1", "title")}</row>'
    row += f'<row r="2">{text("A2", "p1")}<c r="B2" t="str"><f>HYPERLINK("http://x")</f><v>题目</v></c></row>'
    assert read(with_sheet(tmp_path / "in.xlsx", sheet(row))) == [(2, {"id": "p1", "title": "题目"})]


def test_the_first_visible_sheet_with_rows_is_read_and_the_others_are_named(tmp_path: Path) -> None:
    def change(made: Any) -> None:
        made.active.sheet_state = "hidden"
        made.create_sheet("empty")
        papers = made.create_sheet("papers")
        papers.append(("id", "title"))
        papers.append(("p1", "t"))
        made.create_sheet("more").append(("id",))

    path = book(tmp_path / "in.xlsx", ("id",), ("hidden",), change=change)
    source = open_source(str(path))
    assert list(source.records()) == [(2, {"id": "p1", "title": "t"})]
    assert isinstance(source, XlsxRows)
    assert source.notes.others == ["sheets that are not read: Sheet, more"]
    assert source.notes.columns == ["id", "title"]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda path: path.write_bytes(b"PK"), "no workbook"),
        (lambda path: path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)), "has a password"),
        (lambda path: with_sheet(path, b"<worksheet><broken"), "cannot be read as a workbook"),
        (lambda path: with_sheet(path, sheet('<row r="1"><c r="@@" t="s"><v>9</v></c></row>')), "cannot be"),
        (lambda path: book(path, ("id", "id"), ("a", "b")), "names 'id' twice"),
    ],
)
def test_what_is_none_is_refused_with_what_to_do(
    tmp_path: Path, made: Callable[[Path], object], said: str
) -> None:
    path = tmp_path / "in.xlsx"
    made(path)
    with pytest.raises(SourceError, match=said):
        read(path)


def test_a_workbook_without_its_parts_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "in.xlsx", "w") as parts:
        parts.writestr("hello.txt", "x")
    with pytest.raises(SourceError, match="cannot be read as a workbook"):
        read(tmp_path / "in.xlsx")


def test_a_zip_that_unpacks_to_more_than_is_read_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = with_sheet(tmp_path / "in.xlsx", sheet("<row/>" * 20_000))
    monkeypatch.setattr(xlsx_rows, "_MOST_BYTES", 100_000)
    with pytest.raises(SourceError, match="unpacks to more than is read; save its sheet as CSV"):
        open_source(str(path))
    monkeypatch.undo()
    monkeypatch.setattr(xlsx_rows, "_MOST_IN_MEMORY", 100)
    with pytest.raises(SourceError, match="unpacks to more"):
        open_source(str(path))


def test_a_sheet_that_says_it_is_as_large_as_can_be_is_what_it_has(tmp_path: Path) -> None:
    rows = f'<row r="1">{text("A1", "id")}</row><row r="2">{text("A2", "p1")}{text("XFD2", "far")}</row>'
    rows += f'<row r="90000">{text("A90000", "p2")}</row><row r="1048576">{text("A1048576", "p3")}</row>'
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = read(with_sheet(tmp_path / "in.xlsx", sheet(rows, size="A1:XFD1048576")))
    assert found == [(2, {"id": "p1"}), (90_000, {"id": "p2"})], (
        "behind 100,000 empty rows nothing is looked for"
    )
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


def test_a_record_longer_than_any_is_a_bad_line(tmp_path: Path) -> None:
    path = book(tmp_path / "in.xlsx", ("id", "title"), ("p1", "x" * 400))
    ((number, row),) = XlsxRows(path, limit=100).records()
    assert (number, isinstance(row, BadLine)) == (2, True)


def test_without_the_extra_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = book(tmp_path / "in.xlsx", ("id",))
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    with pytest.raises(UsageError, match=r"paperfleet\[xlsx\]"):
        open_source(str(path))
