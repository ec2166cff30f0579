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


def rows_as_json_lines(path: Path, lines: Path) -> None:
    """Write every row of a Parquet file as a line of JSON, in the file's order.

    UsageError without the extra ``parquet``; SourceError if the file is none.
    """
    duckdb = load("duckdb", extra="parquet")
    # DuckDB takes no parameter for the target of COPY: quoted as SQL asks.
    target = str(lines).replace("'", "''")
    copy = f"COPY (SELECT * FROM read_parquet(?)) TO '{target}' (FORMAT json)"  # noqa: S608 - quoted above
    database = duckdb.connect(":memory:", config=_CONFIG)
    try:
        database.execute(copy, [glob.escape(str(path))])
    except duckdb.Error as error:
        reason = str(error).partition("\n")[0]
        raise SourceError(f"{path} cannot be read as Parquet: {reason}") from error
    finally:
        database.close()


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
