"""Sources that are a place and no stream: Parquet files, folders of Markdown."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.corpus.ingest import ingest
from handlers.corpus.sources.formats import open_source
from handlers.corpus.sources.markdown_folder import parse_markdown
from handlers.corpus.sources.reader import BadLine
from handlers.corpus.sources.source_notes import NotingSource
from handlers.errors import SourceError
from handlers.results.parquet_writer import to_parquet
from tests.builders.growth import assert_linear, repeated

FRONT = """---
id: "10.1/x"
title: 一种方法: 新的
keywords:
  - 模型
  - '数据'
tags: [a, "b"]
abstract: >
  第一行
  第二行
# a comment
license: CC-BY-4.0
---
## Part

text
"""


def parquet(folder: Path, name: str, rows: list[dict[str, Any]]) -> Path:
    lines = folder / "rows.jsonl"
    lines.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    to_parquet(
        lines, folder / name, {"id": "VARCHAR", "title": "VARCHAR", "keywords": "VARCHAR[]", "n": "INT"}
    )
    return folder / name


def read(path: Path, **options: Any) -> list[tuple[int, Any]]:
    return list(open_source(str(path), **options).records())


def test_the_rows_of_a_parquet_file_come_in_order_with_lists_and_nulls(tmp_path: Path) -> None:
    rows = [{"id": str(n), "title": f"题目{n}$x$", "keywords": ["a", "b"], "n": n} for n in range(3000)]
    rows.append({"id": "last", "title": None, "keywords": None, "n": None})
    path = parquet(tmp_path, "it's [1] *.parquet", rows)
    assert [record for _, record in read(path)] == rows
    result = ingest(open_source(str(path)), tmp_path / "state")
    assert (result.papers, result.rejects) == (3001, 0)


def test_binary_columns_are_texts_and_whole_numbers_stay(tmp_path: Path) -> None:
    """As programs write them that know no text, and ones that keep whole numbers with gaps as floats."""
    rows = (
        r"SELECT 1::DOUBLE id, '\xE9\xA2\x98'::BLOB title, ['\xE9\xA2\x98'::BLOB] keywords,"
        r" 'nan'::FLOAT abstract UNION ALL SELECT 2, '\xB1\xEA'::BLOB, NULL, NULL"
        r" UNION ALL SELECT 2 ** 60, NULL, NULL, NULL UNION ALL SELECT 4, NULL, NULL, NULL"
    )
    database = duckdb.connect()
    database.execute(f"COPY ({rows}) TO '{tmp_path / 'a.parquet'}' (FORMAT parquet)")
    database.close()
    result = ingest(open_source(str(tmp_path / "a.parquet")), tmp_path / "state")
    papers = [json.loads(line) for line in result.corpus.read_bytes().splitlines()]
    assert [(paper["id"], paper["title"], paper["keywords"]) for paper in papers] == [
        ("1", "题", ["题"]), ("4", "", [])
    ]  # fmt: skip
    reasons = [json.loads(line)["reason"] for line in result.rejects_path.read_bytes().splitlines()]
    assert reasons[0] == "title is bytes that are no UTF-8, not text"
    assert "1.152921504606847e+18, which may have been another" in reasons[1]


def test_what_is_no_parquet_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(SourceError, match=r"a\.parquet cannot be read as Parquet"):
        read(tmp_path / "a.parquet")
    with pytest.raises(SourceError, match="is no file"):
        open_source(str(tmp_path / "none.parquet"))
    with pytest.raises(SourceError, match="from a stream"):
        open_source("-", format_name="parquet")


def test_a_row_over_the_limit_is_refused_and_the_next_one_is_read(tmp_path: Path) -> None:
    path = parquet(tmp_path, "a.parquet", [{"id": "1", "title": "x" * 500}, {"id": "2"}])
    rows = read(path, limit=200)
    assert isinstance(rows[0][1], BadLine)
    assert rows[1][1]["id"] == "2"


def test_front_matter_gives_fields_and_the_rest_is_the_body() -> None:
    assert parse_markdown(FRONT.replace("\n", "\r\n"), name="a.md") == {
        "id": "10.1/x", "title": "一种方法: 新的", "keywords": ["模型", "数据"], "tags": ["a", "b"],
        "abstract": "第一行 第二行", "license": "CC-BY-4.0", "body": "## Part\n\ntext",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "title", "body"),
    [
        ("# A title #\n\ntext\n# Another", "A title", "text\n# Another"),
        ("```\n# no title\n```\n# Title", "Title", "```\n# no title\n```"),
        ("no title", "", "no title"),
        ("---\nnever: closed\n", "", "---\nnever: closed"),
        ("", "", ""),
    ],
)
def test_the_first_heading_is_the_title_and_leaves_the_body(text: str, title: str, body: str) -> None:
    assert parse_markdown(text, name="d/a.md") == {"id": "d/a.md", "title": title, "body": body}


def test_a_folder_is_read_by_path_and_a_bad_file_stops_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "papers"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "secret.md").write_text("# 不在这里")
    (folder / "b.md").write_text("# 题目二\n正文", encoding="utf-8")
    (folder / "a.markdown").write_text("\ufeff# 题目一", encoding="utf-8")
    (folder / "c.md").write_bytes(b"\xff")
    (folder / "d.md").write_text("---\nno colon\n---\n")
    (folder / "e.md").symlink_to(tmp_path / "secret.md")
    (folder / "picture.png").write_bytes(b"x")
    (folder / "sub" / "z.md").write_text("# 题目三")
    rows = read(folder)
    good = [record["id"] for _, record in rows if not isinstance(record, BadLine)]
    assert good == ["a.markdown", "b.md", "sub/z.md"]
    reasons = [record.reason for _, record in rows if isinstance(record, BadLine)]
    assert [reason.split(":")[0] for reason in reasons] == ["c.md", "d.md, line 2", "e.md"]
    result = ingest(open_source(str(folder)), tmp_path / "state")
    assert (result.papers, result.rejects) == (3, 3)


def test_what_is_no_paper_in_a_folder_is_left_out_and_told(tmp_path: Path) -> None:
    state = tmp_path / "results of june"
    for place in (".git", "node_modules/x", "sub", "results of june/runs/default"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "report.md").write_text("# 题目")
    (state / "ledger.sqlite3").touch()
    for name in ("one.pdf", "two.PDF", "table.csv", "LICENSE", ".hidden.md"):
        (tmp_path / name).touch()
    source = open_source(str(tmp_path))
    assert [record["id"] for _, record in source.records() if isinstance(record, dict)] == ["sub/report.md"]
    assert isinstance(source, NotingSource)
    assert source.notes.phrases() == [
        "1 .md file taken; left out: 2 .pdf, 1 without a suffix, 1 .csv, .git/, node_modules/,"
        " results of june/ (a state of Paperfleet)"
    ]
    with pytest.raises(SourceError, match="a state of Paperfleet's own"):
        open_source(str(state))
    with pytest.raises(SourceError, match=r"no files taken; left out: 1 \.toml"):
        (tmp_path / "sub" / "report.md").rename(tmp_path / "sub" / "x.toml")
        read(tmp_path / "sub")


def test_a_named_pipe_in_the_folder_is_passed_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    assert read(tmp_path) == []


def test_a_file_over_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("x" * 300)
    assert "longer than 200 bytes" in read(tmp_path, limit=200)[0][1].reason


@given(st.text(alphabet=st.sampled_from("-#`~ :[]\"'\n\tab")))
def test_no_text_makes_a_file_raise(text: str) -> None:
    assert isinstance(parse_markdown(text, name="a.md"), (dict, BadLine))


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece", ["$", "\\begin{", "<", "[", "{", "- \n", "a: [\n", "# \n", "```\n", "---\n"]
)
def test_a_flood_of_anything_is_parsed_in_linear_time(piece: str) -> None:
    assert_linear(
        lambda size: "---\nkey: " + repeated(piece)(size) + "\n---\n",
        lambda text: parse_markdown(text, name="a.md"),
    )
