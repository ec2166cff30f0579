"""Whoever stops reading half-way leaves a generator to the collector of garbage, which runs in any thread."""

from __future__ import annotations

import ast
import http.server
import re
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, cast

import duckdb
import pytest
import xlsxwriter

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.database import Database
from handlers.corpus.batching import cut
from handlers.corpus.index import IndexEntry
from handlers.corpus.sources.json_lines import JsonlSource
from handlers.corpus.sources.oai_pmh import OaiPmhSource
from handlers.corpus.sources.parquet_rows import ParquetRows
from handlers.corpus.sources.tables.csv_rows import CsvSource
from handlers.corpus.sources.tables.xlsx_rows import XlsxRows
from handlers.simulation.sim_job import batches
from handlers.simulation.sim_setup import SimSetup
from tests.builders.fakes import FakeClock

PACKAGE = Path(__file__).parents[2] / "handlers"
PAGE = (
    '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><ListRecords>'
    "<resumptionToken>more</resumptionToken></ListRecords></OAI-PMH>"
)


def entries() -> list[IndexEntry]:
    return [IndexEntry(n * 100, 100, 10, 0, 1, 0, "zh", f"p{n}") for n in range(9)]


def cut_ones(_: Path, *, in_memory: int = 100) -> Iterator[Any]:
    return cut(
        entries(), run_id="r", corpus_key="c", corpus_sha256="a" * 64,
        max_papers=2, max_tokens=99, in_memory=in_memory,
    )  # fmt: skip


def stored_lines(folder: Path) -> Iterator[Any]:
    (folder / "corpora").mkdir()
    (folder / "corpora" / "a.jsonl").write_bytes(b"1\n2\n3\n")
    return FileStore(folder).lines("corpora/a.jsonl")


def rows(folder: Path) -> Iterator[Any]:
    database = Database(folder / "db.sqlite", "")
    database.close()
    return database.stream("SELECT 1 UNION SELECT 2")


def parquet(folder: Path) -> Iterator[Any]:
    path = folder / "in.parquet"
    duckdb.sql(f"COPY (SELECT '1' AS id) TO '{path}' (FORMAT parquet)")
    return ParquetRows(path, limit=1_000).blocks()


def table(folder: Path) -> Iterator[Any]:
    path = folder / "in.csv"
    path.write_text("id,title\n1,a\n2,b\n")
    return CsvSource("in.csv", lambda: path.open("rb")).records()


def workbook(folder: Path) -> Iterator[Any]:
    path = folder / "in.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for number in range(9):
            sheet.write_row(number, 0, ["id" if number == 0 else f"p{number}", "title"])
    return XlsxRows(path).records()


def json_lines(folder: Path) -> Iterator[Any]:
    path = folder / "in.jsonl"
    path.write_text('{"id":1}\n')
    return JsonlSource("in.jsonl", lambda: path.open("rb")).blocks()


def harvest(folder: Path) -> Iterator[Any]:
    (folder / "oai").write_text(PAGE)
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    server = http.server.HTTPServer(("127.0.0.1", 0), handler)

    def answer_once() -> None:
        with server:
            server.handle_request()

    threading.Thread(target=answer_once).start()
    location = f"oai+http://127.0.0.1:{server.server_port}/oai"
    return OaiPmhSource(location, folder / "kept", FakeClock())._pages()


MADE: dict[str, list[Callable[[Path], Iterator[Any]]]] = {
    "adapters/file_store.py lines": [stored_lines],
    "adapters/sqlite/database.py stream": [rows],
    "corpus/batching.py cut": [cut_ones, partial(cut_ones, in_memory=1)],
    "corpus/sources/json_lines.py blocks": [json_lines],
    "corpus/sources/oai_pmh.py _pages": [harvest],
    "corpus/sources/parquet_rows.py blocks": [parquet],
    "corpus/sources/tables/csv_rows.py records": [table],
    "corpus/sources/tables/xlsx_rows.py records": [workbook],
    "simulation/sim_job.py batches": [lambda _: batches(SimSetup(papers=200))],
}
CLOSED_BY_READERS = {"parallel.py ordered_map"}
"""It holds processes and is made in a process without threads."""


_MAYBE = re.compile(r"^ +(?:with |finally:)(?s:.*)^ +yield |^ +yield (?s:.*)^ +finally:", re.MULTILINE)


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Of a function, without those of functions inside."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            yield child
            yield from statements(child)


def holds_something(function: ast.FunctionDef) -> bool:
    """Whether it yields where something is to be given back, to whoever iterates over it."""
    if any("contextmanager" in ast.unparse(each) for each in function.decorator_list):
        return False
    inside = [each for each in statements(function) if isinstance(each, ast.With | ast.Try)]
    held = [each for each in inside if (each.finalbody if isinstance(each, ast.Try) else _gives_back(each))]
    return any(isinstance(each, ast.Yield | ast.YieldFrom) for block in held for each in statements(block))


def _gives_back(block: ast.With) -> bool:
    return any(not ast.unparse(each.context_expr).startswith("suppress(") for each in block.items)


def holders() -> Iterator[str]:
    for path in sorted(PACKAGE.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        if not _MAYBE.search(source):
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef) and holds_something(node):
                yield f"{path.relative_to(PACKAGE)} {node.name}"


def test_each_generator_that_holds_something_is_known_here() -> None:
    assert sorted(holders()) == sorted(MADE.keys() | CLOSED_BY_READERS)


@pytest.mark.parametrize("name", MADE)
def test_a_reader_that_stops_half_way_leaves_what_any_thread_can_close(name: str, tmp_path: Path) -> None:
    for number, make in enumerate(MADE[name]):
        folder = tmp_path / str(number)
        folder.mkdir()
        reader = cast("Generator[Any, None, None]", make(folder))
        next(reader)
        with ThreadPoolExecutor(1) as other:
            other.submit(reader.close).result()
