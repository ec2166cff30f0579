"""A run's papers in the corpus' order, chunk by chunk, each with what the ledger says of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic_core import SchemaValidator, core_schema

from handlers.domain.call import CallTotals
from handlers.domain.ledger import PaperRow
from handlers.domain.paper import PaperStatus
from handlers.domain.part_lines import decode_unvalidated
from handlers.domain.run import RunSpec
from handlers.errors import CorpusChangedError, DamagedObjectError, damage_error
from handlers.ports import Backend, ObjectStore
from handlers.reporting.page.survey import read_line
from handlers.reporting.passage_lines import PassageLines

_CHUNK = 500
_CHUNK_BYTES = 2 << 20
"""Of the corpus; a chunk is closed by the first that is reached, and one of them is in memory."""
_SUMS = ("sent", "prompt", "completion", "cached", "reasoning")
"""Of a whole paper that has not ended."""


class Result(NamedTuple):
    """What a record needs of a row of the ledger."""

    paper_id: str
    status: PaperStatus
    error: str | None
    cost: int
    key: str
    """"" if it has no line yet."""
    offset: int
    length: int
    behind: dict[str, int] | None = None
    """Sums over its passages' calls, of a whole paper that has not ended."""


SourceRow = tuple[bytes, dict[str, Any], Result | None]
"""A paper's line of the corpus, what every record needs of it, and its result."""
PackedRow = tuple[bytes, dict[str, Any], tuple[Any, ...] | None]
"""The same as it travels to another process: without the line where the record is made of the rest."""


def pack(chunk: list[SourceRow], *, whole: bool = False) -> list[PackedRow]:
    """``whole``: with the line of every paper."""
    return [
        (b"", paper, tuple(result))
        if not whole and result is not None and result.status != "skipped" and paper.get("language")
        else (raw, paper, None if result is None else tuple(result))
        for raw, paper, result in chunk
    ]


def unpack(chunk: list[PackedRow]) -> list[SourceRow]:
    make = Result._make
    return [(raw, paper, None if plain is None else make(plain)) for raw, paper, plain in chunk]


def chunks_of(backend: Backend, run_id: str, spec: RunSpec) -> Iterator[list[SourceRow]]:
    """Memory holds few chunks of papers, however many there are."""
    return rows_of(backend, run_id, backend.store.lines(spec.corpus))


def rows_of(backend: Backend, run_id: str, lines: Iterator[bytes]) -> Iterator[list[SourceRow]]:
    """The papers of these lines of the corpus, chunk by chunk."""
    passages = PassageLines(backend.ledger, backend.store, run_id)
    for papers in _papers(lines):
        leaders = [paper.get("same_as") or paper["id"] for paper, _ in papers]
        rows = backend.ledger.paper_rows(run_id, list(dict.fromkeys(leaders)))
        yield [
            (raw, paper, _result(rows.get(leader), backend.store, passages))
            for (paper, raw), leader in zip(papers, leaders, strict=True)
        ]


def _result(row: PaperRow | None, store: ObjectStore, passages: PassageLines) -> Result | None:
    if row is None:
        return None
    behind = None
    if row.status == "pending" and (line := read_line(store, row)) is not None:
        sums = CallTotals.of(passages.calls(line, since=row.generation))
        behind = {name: getattr(sums, name) for name in _SUMS}
    where = row.pointer
    place = ("", 0, 0) if where is None else (where.key, where.offset, where.length)
    return Result(row.paper_id, row.status, row.error, row.cost, *place, behind)


def _papers(lines: Iterator[bytes]) -> Iterator[list[tuple[dict[str, Any], bytes]]]:
    """What every record needs of a paper, and the paper's whole line."""
    papers: list[tuple[dict[str, Any], bytes]] = []
    size = 0
    for raw in lines:
        papers.append((_paper(raw), raw))
        size += len(raw)
        if len(papers) >= _CHUNK or size >= _CHUNK_BYTES:
            yield papers
            papers, size = [], 0
    if papers:
        yield papers


# Corpus and parts were validated when they were written, and a million of them are read here: they are
# parsed, and only what would give out a wrong record is checked again. Of a paper's own texts, which few
# records repeat, not even strings are made.
_PAPER_FIELDS = SchemaValidator(
    core_schema.typed_dict_schema(
        {"id": core_schema.typed_dict_field(core_schema.str_schema())}
        | {
            name: core_schema.typed_dict_field(core_schema.any_schema(), required=False)
            for name in ("title", "language", "license", "url", "same_as")
        },
        extra_behavior="ignore",
    )
)


def _paper(line: bytes) -> dict[str, Any]:
    try:
        paper: dict[str, Any] = _PAPER_FIELDS.validate_json(line, strict=True)
    except ValueError as error:
        raise CorpusChangedError("a line of the corpus is no paper: ingest the source again") from error
    return paper


def stored_line(result: Result | None, store: ObjectStore) -> dict[str, Any] | None:
    """The part's line that the ledger points at."""
    if result is None or not result.key:
        return None
    try:
        line = decode_unvalidated(
            store.read(result.key, result.offset, result.length), result.key, result.offset
        )
    except DamagedObjectError as error:
        raise DamagedObjectError(f"the result of paper {result.paper_id!r}: {error}") from error
    if line["id"] != result.paper_id:
        problem = f"{result.key} has paper {line['id']!r} in the place of {result.paper_id!r}"
        raise damage_error(result.key, problem)
    return line
