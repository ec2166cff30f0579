"""Parquet as a source: DuckDB writes its rows as JSON Lines at bounded memory, which are read as such."""

from __future__ import annotations

import glob
import tempfile
from collections.abc import Iterator
from pathlib import Path

from handlers.corpus.sources.json_lines import Block, JsonlSource, parsed_blocks
from handlers.corpus.sources.reader import BadLine, Record
from handlers.corpus.sources.source_notes import SourceNotes
from handlers.errors import SourceError
from handlers.extras import load

_CONFIG = {"memory_limit": "512MB", "threads": 1, "autoinstall_known_extensions": False}

_TEXT = (
    "CASE WHEN {0} IS NULL THEN NULL"
    " ELSE coalesce(to_json(try(decode({0}))), to_json({{'base64': base64({0})}})) END"
)


def rows_as_json_lines(path: Path, lines: Path) -> None:
    """Write every row of a Parquet file as a line of JSON, in the file's order.

    UsageError without the extra ``parquet``; SourceError if the file is none.
    """
    duckdb = load("duckdb", extra="parquet")
    # DuckDB takes no parameter for the target of COPY: quoted as SQL asks.
    target = str(lines).replace("'", "''")
    file = [glob.escape(str(path))]
    database = duckdb.connect(":memory:", config=_CONFIG)
    try:
        columns = database.execute("DESCRIBE SELECT * FROM read_parquet(?)", file).fetchall()
        # A column's name, which may be hostile, stands in double quotes with its own doubled: hence the S608,
        # as DuckDB takes no parameter for a name.
        rows = f"SELECT {', '.join(_read(*column[:2]) for column in columns)} FROM read_parquet(?)"  # noqa: S608
        database.execute(f"COPY ({rows}) TO '{target}' (FORMAT json)", file)
    except duckdb.Error as error:
        reason = str(error).partition("\n")[0]
        raise SourceError(f"{path} cannot be read as Parquet: {reason}") from error
    finally:
        database.close()


def _read(name: str, kind: str) -> str:
    """The column as SQL, binary ones as text: older programs write text without saying that it is. What is no
    UTF-8 is an object, which no text is taken for."""
    column = '"' + name.replace('"', '""') + '"'
    if kind == "BLOB":
        return f"{_TEXT.format(column)} AS {column}"
    if kind == "BLOB[]":
        return f"list_transform({column}, lambda cell: {_TEXT.format('cell')}) AS {column}"
    return column


class ParquetRows:
    """One record a row; its number is the row's, from 1."""

    def __init__(self, path: Path, *, limit: int, notes: SourceNotes | None = None) -> None:
        if not path.is_file():
            raise SourceError(f"{path} is no file: give a .parquet file")
        load("duckdb", extra="parquet")
        self.name = str(path)
        self._path = path
        self._limit = limit
        self.notes = notes or SourceNotes()

    def records(self) -> Iterator[tuple[int, Record | BadLine]]:
        yield from parsed_blocks(self.blocks())

    def blocks(self) -> Iterator[tuple[int, Block]]:
        with tempfile.TemporaryDirectory(prefix="paperfleet-parquet-") as folder:
            lines = Path(folder) / "rows.jsonl"
            rows_as_json_lines(self._path, lines)
            yield from JsonlSource(self.name, lambda: lines.open("rb"), limit=self._limit).blocks()
