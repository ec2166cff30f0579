"""Parquet files, read back by DuckDB."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from handlers.errors import UsageError
from handlers.results.parquet_writer import to_parquet

COLUMNS = {
    "id": "VARCHAR",
    "title": "VARCHAR",
    "keywords": "VARCHAR[]",
    "cost_usd": "DOUBLE",
    "usage": "JSON",
}


def written(folder: Path, rows: list[dict[str, object]]) -> Path:
    path = folder / "it's results.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_rows_come_back_as_they_went_in(tmp_path: Path) -> None:
    hostile = "a'); DROP TABLE x; --"
    rows: list[dict[str, object]] = [
        {"id": hostile, "title": "光学 $x$", "keywords": ["一", "二"], "cost_usd": 0.5, "usage": {"n": 1}},
        {"id": "b", "title": None, "keywords": [], "cost_usd": 1e-9, "usage": None, "other": "left out"},
    ]
    output = tmp_path / "it's.parquet"
    assert to_parquet(written(tmp_path, rows), output, COLUMNS) == 2
    read = duckdb.connect().execute("SELECT * FROM read_parquet(?)", [str(output)])
    assert [column[0] for column in read.description] == list(COLUMNS)
    found = read.fetchall()
    assert found[0][:4] == (hostile, "光学 $x$", ["一", "二"], 0.5)
    assert json.loads(found[0][4]) == {"n": 1}
    assert found[1] == ("b", None, [], 1e-9, None)


def test_no_rows_are_a_file_with_columns(tmp_path: Path) -> None:
    output = tmp_path / "none.parquet"
    assert to_parquet(written(tmp_path, []), output, COLUMNS) == 0
    assert duckdb.connect().execute("SELECT COUNT(*) FROM read_parquet(?)", [str(output)]).fetchone() == (0,)


def test_a_target_that_cannot_be_written_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder.parquet").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        to_parquet(written(tmp_path, [{"id": "a"}]), tmp_path / "folder.parquet", COLUMNS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.parquet", "it's results.jsonl"]
