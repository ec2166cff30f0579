"""Sources: formats, broken bytes, bounds."""

from __future__ import annotations

import gzip
import io
import os
import random
import threading
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.corpus.sources.formats import Source, open_source, source_at_hand
from handlers.corpus.sources.json_lines import parse_object
from handlers.corpus.sources.reader import BadLine, excerpt_of
from handlers.corpus.sources.source_notes import NotingSource
from handlers.errors import SourceError
from tests.builders.growth import assert_linear


def read(source: Source) -> list[tuple[int, Any]]:
    return list(source.records())


def saved(folder: Path, name: str, content: bytes) -> str:
    path = folder / name
    path.write_bytes(content)
    return str(path)


def reasons(rows: list[tuple[int, Any]]) -> dict[int, str]:
    return {number: row.reason for number, row in rows if isinstance(row, BadLine)}


def test_jsonl_gives_objects_with_line_numbers_and_passes_over_blank_lines(tmp_path: Path) -> None:
    source = open_source(saved(tmp_path, "a.jsonl", b'\xef\xbb\xbf{"id":"1"}\r\n\n  \n{"id":"2"}'))
    assert read(source) == [(1, {"id": "1"}), (4, {"id": "2"})]


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl", "a.ndjson.gz"])
def test_gzip_is_known_by_its_bytes(tmp_path: Path, name: str) -> None:
    packed = gzip.compress(b'{"id":"1"}\n') + gzip.compress(b'{"id":"2"}\n')
    assert read(open_source(saved(tmp_path, name, packed))) == [(1, {"id": "1"}), (2, {"id": "2"})]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_reads_quotes_newlines_and_the_delimiter_of_its_header(tmp_path: Path, delimiter: str) -> None:
    rows = [["id", "title"], ["1", '"x"\ny, z;\t'], ["2", ""]]
    text = "\r\n".join(delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)
    source = open_source(saved(tmp_path, "a.csv.gz", gzip.compress(b"\xef\xbb\xbf" + text.encode())))
    assert read(source) == [(2, {"id": "1", "title": '"x"\ny, z;\t'}), (4, {"id": "2"})]


def test_standard_input_is_jsonl_unless_said_otherwise() -> None:
    plain = io.BufferedReader(io.BytesIO(b'{"id":"1"}\n'))
    packed = io.BufferedReader(io.BytesIO(gzip.compress(b"id\n7\n")))
    assert read(open_source("-", stdin=plain)) == [(1, {"id": "1"})]
    assert read(open_source("-", stdin=packed, format_name="csv")) == [(2, {"id": "7"})]


def test_a_named_pipe_is_read_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b'{"id":"1"}\n',))
    writer.start()
    assert read(open_source(str(pipe), format_name="jsonl")) == [(1, {"id": "1"})]
    writer.join()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"id": ', "not JSON"),
        (b"[1]", "a JSON list, not an object"),
        (b'{"id": "\xff"}', "invalid UTF-8 at byte 9"),
        (b'{"id": ' + b"1" * 5000 + b"}", "not JSON"),
        (b'{"a":' + b"[" * 200_000, "nested too deep"),
        (b"\xed\xa0\x80", "invalid UTF-8"),
    ],
)
def test_a_bad_line_says_why_and_the_next_one_is_read(tmp_path: Path, line: bytes, reason: str) -> None:
    rows = read(open_source(saved(tmp_path, "a.jsonl", b'{"id":"1"}\n' + line + b'\n{"id":"3"}\n')))
    assert [number for number, _ in rows] == [1, 2, 3]
    assert reason in reasons(rows)[2]


@given(st.binary(max_size=200))
def test_no_bytes_make_a_line_raise(line: bytes) -> None:
    assert isinstance(parse_object(line), (dict, BadLine))


@given(st.text())
def test_excerpts_are_short_and_on_one_line(text: str) -> None:
    assert len(excerpt_of(text)) <= 160
    assert excerpt_of(text).isprintable()


def test_a_line_over_the_limit_is_refused_and_the_next_one_is_read(tmp_path: Path) -> None:
    fits = b'{"id":"' + b"a" * 91 + b'"}'
    content = fits + b"\r\n" + fits + b" \n" + b"x" * 5_000_000 + b"\n" + fits
    rows = read(open_source(saved(tmp_path, "a.jsonl", content), limit=100))
    assert list(reasons(rows)) == [2, 3]
    assert [number for number, _ in rows] == [1, 2, 3, 4]


def test_a_compressed_bomb_is_passed_over_at_bounded_memory(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "bomb.jsonl.gz", "wb", compresslevel=1) as stream:
        for _ in range(64):
            stream.write(b" " * (1 << 20))
        stream.write(b'\n{"id":"1"}\n')
    source = open_source(str(tmp_path / "bomb.jsonl.gz"), limit=1 << 20)
    tracemalloc.start()
    rows = read(source)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "longer than 1048576 bytes" in reasons(rows)[1]
    assert rows[1] == (2, {"id": "1"})
    assert peak < 16 << 20


def incompressible_lines() -> bytes:
    chance = random.Random(1)
    return b"".join(b'{"id":"%d","x":"%s"}\n' % (n, chance.randbytes(40).hex().encode()) for n in range(2000))


def test_a_gzip_that_is_cut_off_gives_what_came_before_and_names_the_place(tmp_path: Path) -> None:
    packed = gzip.compress(incompressible_lines())
    rows = read(open_source(saved(tmp_path, "a.jsonl.gz", packed[: len(packed) // 2])))
    assert len(rows) > 500
    assert [row["id"] for _, row in rows[:-1]] == [str(n) for n in range(len(rows) - 1)]
    assert "cut off" in reasons(rows)[len(rows)]


def test_a_corrupt_gzip_gives_what_came_before_and_names_the_place(tmp_path: Path) -> None:
    packer = zlib.compressobj(wbits=31)
    packed = packer.compress(incompressible_lines()) + packer.flush(zlib.Z_FULL_FLUSH) + b"\xff" * 50
    rows = read(open_source(saved(tmp_path, "a.jsonl.gz", packed)))
    good = [row["id"] for _, row in rows if not isinstance(row, BadLine)]
    assert len(good) > 300
    assert good == [str(n) for n in range(len(good))]
    assert "corrupt" in rows[-1][1].reason


def test_a_wrong_checksum_is_reported_at_the_end(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(b'{"id":"1"}\n'))
    packed[-6] ^= 1
    rows = read(open_source(saved(tmp_path, "a.jsonl.gz", bytes(packed))))
    assert rows[0] == (1, {"id": "1"})
    assert "corrupt" in rows[1][1].reason


@pytest.mark.parametrize(
    ("body", "line", "reason"),
    [
        (b"1,a,b\n9,z\n", 2, "3 columns where the header has 2"),
        (b"1,\xff\n9,z\n", 2, "invalid UTF-8"),
        (b'1,"a"b\n9,z\n', 2, "not CSV"),
        (b'1,"' + b"a\n" * 200 + b"9,z\n", 2, "longer than 100 bytes"),
    ],
)
def test_a_bad_csv_record_names_the_line_it_begins_in(
    tmp_path: Path, body: bytes, line: int, reason: str
) -> None:
    rows = read(open_source(saved(tmp_path, "a.csv", b"id,title\n" + body), limit=100))
    assert reason in reasons(rows)[line]
    assert rows[-1][1] == {"id": "9", "title": "z"}


def test_an_unclosed_quote_at_the_end_is_a_bad_record(tmp_path: Path) -> None:
    rows = read(open_source(saved(tmp_path, "a.csv", b'id,title\n1,a\n2,"b\nand c\n')))
    assert rows[0] == (2, {"id": "1", "title": "a"})
    assert reasons(rows)[3] == "not CSV: unexpected end of data; with it lines 4 to 4"


def test_marks_and_spreadsheets_signs_are_no_part_of_names_and_values(tmp_path: Path) -> None:
    text = '\ufeff\ufeffid,title\n"=""007""",x\n"=A(""1"")",y\n'
    rows = read(open_source(saved(tmp_path, "a.csv", text.encode())))
    assert [row for _, row in rows] == [{"id": "007", "title": "x"}, {"id": '=A("1")', "title": "y"}]


def test_a_csv_field_may_be_longer_than_the_modules_default(tmp_path: Path) -> None:
    rows = read(open_source(saved(tmp_path, "a.csv", b"id,body\n1," + b"x" * 300_000 + b"\n")))
    assert len(rows[0][1]["body"]) == 300_000


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.pdf", b"x", ["a.pdf", ".pdf", "--format"]),
        ("a.jsonl.gz", b"plain", ["a.jsonl.gz", "not gzip", "rename"]),
        ("lib.xls", b"PK", ["lib.xls", "older workbook", "save its sheet as CSV"]),
        ("lib.RIS", b"TY", ["lib.RIS", "references", "export the records as CSV"]),
        ("a.md", b"#", ["give the folder"]),
        ("a.zip", b"PK", ["unpack it"]),
    ],
)
def test_a_wrong_file_is_an_error_naming_thing_and_fix(
    tmp_path: Path, name: str, content: bytes, words: list[str]
) -> None:
    with pytest.raises(SourceError) as caught:
        open_source(saved(tmp_path, name, content))
    assert all(word in str(caught.value) for word in words)


def test_missing_files_folders_and_formats_are_errors(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        open_source(str(tmp_path / "none.jsonl"))
    with pytest.raises(SourceError, match="is a folder"):
        open_source(str(tmp_path), format_name="jsonl")
    with pytest.raises(SourceError, match="unknown format 'xml'"):
        open_source("-", format_name="xml")


@pytest.mark.parametrize("header", [b"id,id\n1,2\n", b'"id\n1,2\n', b"x" * 200])
def test_a_header_that_cannot_be_used_is_an_error(tmp_path: Path, header: bytes) -> None:
    with pytest.raises(SourceError, match="line 1: the header"):
        read(open_source(saved(tmp_path, "a.csv", header), limit=100))


@pytest.mark.parametrize("piece", [b"$", b"\\begin{", b"<", b"[", b"{", b'"', b'{"a":', b"\\u"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_a_flood_of_anything_is_read_in_linear_time(tmp_path: Path, name: str, piece: bytes) -> None:
    def flooded(size: int) -> Path:
        return saved(tmp_path, name, b"id,title\n" + piece * (size // len(piece)) + b"\n")

    assert_linear(flooded, lambda path: read(open_source(path)))


@pytest.mark.parametrize(
    "encoding",
    ["gb18030", "utf-16-le", "utf-16-be", "utf-16", "utf-8-sig", "utf-32", "utf-32-le", "utf-32-be", "hz"],
)
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_encoding_and_line_ends_are_found_out(tmp_path: Path, encoding: str, ends: str) -> None:
    text = ends.join(["", "sep=;", "id;title;;", "1;土壤水分的时空变化研究;;", "2;气温变化的分析", ";;;", ""])
    rows = read(open_source(saved(tmp_path, "a.csv", text.encode(encoding))))
    assert [row for _, row in rows] == [
        {"id": "1", "title": "土壤水分的时空变化研究"}, {"id": "2", "title": "气温变化的分析"}
    ]  # fmt: skip


def test_arrays_wrapped_lists_and_laid_out_objects_are_read(tmp_path: Path) -> None:
    for text in (
        '[{"id": "1"}, {"id": NaN}]', '{"id": "1"}{"id": null}', '{\n "id": "1"\n}\n{\n "id": null\n}',
        '{"message": {\n "items": [\n {"id": "1"}, {"id": null}]}\n}\n\n',
    ):  # fmt: skip
        rows = read(open_source(saved(tmp_path, "a.json", text.encode())))
        assert [row for _, row in rows] == [{"id": "1"}, {"id": None}]


def bad(rows: list[tuple[int, Any]]) -> list[int]:
    return [number for number, row in rows if isinstance(row, BadLine)]


def test_an_object_with_a_title_wraps_nothing_and_two_lists_are_not_told_apart(tmp_path: Path) -> None:
    paper = '{\n"title": "A paper",\n"data": [{"id": "table"}]}'
    (row,) = read(open_source(saved(tmp_path, "a.json", paper.encode())))
    assert row[1] == {"title": "A paper", "data": [{"id": "table"}]}
    both = '{\n"results": [{"id": "1"}],\n"items": [{"id": "2"}]}'
    (row,) = read(open_source(saved(tmp_path, "a.json", both.encode())))
    assert set(row[1]) == {"results", "items"}


def test_a_record_that_breaks_in_its_last_cell_is_refused_whole(tmp_path: Path) -> None:
    text = "id,title,abstract\na1,One,Background and so\nthe rest of it is here.\na2,Two,Whole\n"
    rows = read(open_source(saved(tmp_path, "a.csv", text.encode())))
    assert bad(rows) == [2, 3]
    assert rows[-1][1] == {"id": "a2", "title": "Two", "abstract": "Whole"}


def test_a_header_that_comes_again_is_no_paper(tmp_path: Path) -> None:
    one = "id,title\n1,One\n"
    source = open_source(saved(tmp_path, "a.csv", (one + "\ufeff" + one.replace("1", "2")).encode()))
    assert [row for _, row in read(source)] == [{"id": "1", "title": "One"}, {"id": "2", "title": "One"}]
    assert isinstance(source, NotingSource)
    assert "header again" in source.notes.phrases()[0]
    with pytest.raises(SourceError, match="'my note' twice"):
        read(open_source(saved(tmp_path, "b.csv", b"id,my  note,my note\n1,a,b\n")))


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("first", "encoding"), [("Café au lait très boné", "cp1252"), ("土壤水分的时空变化", "gb18030")]
)
def test_what_is_utf_8_stays_in_a_file_that_begins_in_something_else(
    tmp_path: Path, first: str, encoding: str, ends: str
) -> None:
    titles = [first, *["plain" * 100] * 200, "深度学习方法", "Über die Größe"]  # beyond what is looked at
    kinds = [encoding, *["ascii"] * 200, "utf-8", "utf-8"]
    lines = [
        f"{number},{title}{ends}".encode(kind)
        for number, (title, kind) in enumerate(zip(titles, kinds, strict=True))
    ]
    content = f"id,title{ends}".encode() + b"".join(lines)
    found = read(open_source(saved(tmp_path, "a.csv", content)))
    assert [row["title"] for _, row in found] == titles


def test_a_third_of_damaged_lines_does_not_make_another_encoding_of_it(tmp_path: Path) -> None:
    text = "土壤水分的时空变化研究方法".encode("gb18030")
    lines = [b"%d,%s\n" % (n, text[:-1] if n % 3 == 0 else text) for n in range(1, 41)]
    rows = read(open_source(saved(tmp_path, "a.csv", b"id,title\n" + b"".join(lines))))
    assert {row["title"] for _, row in rows if not isinstance(row, BadLine)} == {text.decode("gb18030")}
    assert len(bad(rows)) == 13


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "papers.jsonl"),
        (["reviews.csv", "own.toml", "README.md", "notes.txt"], "reviews.csv"),
        (["issues of June.jsonl.gz"], "'issues of June.jsonl.gz'"),
        (["-rf.parquet"], "./-rf.parquet"),
        (["$(id).csv"], "'$(id).csv'"),
        (["a\x1b[2J.csv"], "papers.jsonl"),
        (["a.jsonl", "b.csv"], "papers.jsonl"),
        (["package.json"], "papers.jsonl"),
    ],
)
def test_the_source_at_hand_is_the_one_that_is_there(
    names: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in names:
        Path(name).touch()
    assert source_at_hand() == said
