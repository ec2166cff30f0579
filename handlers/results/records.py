"""A run's results as records, chunk by chunk in the corpus' order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from pydantic_core import SchemaValidator, core_schema, from_json

from handlers.corpus.field_names import field_named
from handlers.domain.call import CallTotals
from handlers.domain.language_names import primary_subtag
from handlers.domain.ledger import PaperRow
from handlers.domain.licenses import refusal_to_derive
from handlers.domain.money import usd
from handlers.domain.paper import Paper, PaperStatus
from handlers.domain.part_lines import decode_unvalidated
from handlers.domain.run import RunSpec
from handlers.errors import CorpusChangedError, DamagedObjectError, UsageError, damage_error
from handlers.ports import Backend, ObjectStore
from handlers.reporting.page.survey import read_line
from handlers.reporting.passage_lines import PassageLines
from handlers.tasks.translation.policy import source_language

COLUMNS = (
    "id", "status", "title", "abstract", "body", "keywords", "checks", "usage", "error", "reason", "language",
    "source_language", "source_title", "license", "url", "same_as", "reused_from", "model", "prompt_version",
    "fingerprint", "cost_usd", "notice", "segments",
)  # fmt: skip
MORE = ("source_abstract", "source_keywords", "source_body")
"""Columns that are written where they are asked for."""
OWN = "own"
"""Stands for all columns of the source that Paperfleet does not read."""
_LOOKED_AT = 1_000
"""Papers whose fields are looked at for a source's own columns."""
_NAMED = 40
_CHUNK = 500
_CHUNK_BYTES = 2 << 20
"""Of the corpus; a chunk is closed by the first that is reached, and one of them is in memory."""


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


def records(
    chunk: list[SourceRow],
    *,
    spec: RunSpec,
    store: ObjectStore,
    drafts: bool,
    columns: Sequence[str] = COLUMNS,
) -> Iterator[tuple[PaperStatus, dict[str, Any]]]:
    """The statuses and results of a chunk, their keys in the order of ``columns``. DamagedObjectError names
    the one that is not as it was written."""
    as_ever = tuple(columns) == COLUMNS
    for row in chunk:
        record = _record(row, _line(row[2], store), spec, drafts=drafts)
        status: PaperStatus = record["status"]
        if not as_ever:
            paper = from_json(row[0]) if needs_papers(columns) else {}
            record = {name: record[name] if name in record else _source(name, paper) for name in columns}
        yield status, record


def needs_papers(columns: Sequence[str]) -> bool:
    """Whether a record has what only the corpus holds."""
    return not set(columns) <= set(COLUMNS)


def _source(name: str, paper: Mapping[str, Any]) -> Any:
    return paper.get(name.removeprefix("source_") if name in MORE else name)


def with_own(columns: Sequence[str], lines: Iterable[bytes]) -> tuple[str, ...]:
    """The columns with ``own`` as the names that it stands for, by the first thousand lines of the corpus.
    UsageError for a column that no line has, with those there are."""
    known = {*COLUMNS, *MORE, "date"}
    missing = set(columns) - known - {OWN}
    if not missing and OWN not in columns:
        return tuple(columns)
    there: dict[str, None] = {}
    for number, line in enumerate(lines):
        if number >= _LOOKED_AT and not missing:
            break
        fields = from_json(line)
        there |= dict.fromkeys(fields) if number < _LOOKED_AT else {}
        missing.difference_update(fields)
    own = [name for name in there if name not in known]
    if missing:
        names = ", ".join((*COLUMNS, *MORE, *own[:_NAMED]))
        wrong = next(name for name in columns if name in missing)
        raise UsageError(
            f"--columns: there is no column {wrong!r}{_meant(wrong)}; there are {names}, and {OWN}: all"
            " others"
        )
    found = [own if name == OWN and OWN not in there else [name] for name in columns]
    return tuple(dict.fromkeys(chain.from_iterable(found)))


def _meant(name: str) -> str:
    """What a source's column of that name has become."""
    field = field_named(name)
    of_source = f"source_{field}"
    if of_source in (*COLUMNS, *MORE):
        ours = f", and {field} its translation" if field != "language" else ""
        return f", which is read as the {field}: {of_source} has what the source says{ours}"
    return f", which is read as the {field}: give {field}" if field else ""


def chunks_of(backend: Backend, run_id: str, spec: RunSpec) -> Iterator[list[SourceRow]]:
    """Memory holds few chunks of papers, however many there are."""
    passages = PassageLines(backend.ledger, backend.store, run_id)
    for papers in _papers(backend.store.lines(spec.corpus)):
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
    if row.status == "pending" and (line := read_line(store, row)) is not None and line.passage:
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


def _line(result: Result | None, store: ObjectStore) -> dict[str, Any] | None:
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


def _record(row: SourceRow, line: dict[str, Any] | None, spec: RunSpec, *, drafts: bool) -> dict[str, Any]:
    """One result, its keys in the order of ``COLUMNS``."""
    raw, paper, result = row
    status: PaperStatus = "pending" if result is None else result.status
    withheld = None
    if status in ("done", "flagged") and spec.skip_no_derivatives:
        # An earlier version may have let it follow a paper whose licence allows more.
        withheld = refusal_to_derive(paper.get("license"))
        status = "skipped" if withheld else status
    translated = line is not None and (status == "done" or (status == "flagged" and drafts))
    language = paper.get("language") or source_language(Paper.model_validate_json(raw))
    untouched = status == "skipped" and primary_subtag(language) == primary_subtag(spec.target_language)
    terminal = line if line is not None and status != "pending" and not withheld else {}
    published = terminal if translated else {}
    texts = published.get("fields", {}) if translated else from_json(raw) if untouched else {}
    same_as = paper.get("same_as")
    return {
        "id": paper["id"],
        "status": status,
        "title": texts.get("title"),
        "abstract": texts.get("abstract"),
        "body": texts.get("body"),
        "keywords": texts.get("keywords"),
        "checks": terminal.get("checks", []),
        "usage": _usage(line, result.behind if result else None) if same_as is None else _usage(None, None),
        "error": result.error if result and status != "skipped" else None,
        "reason": withheld or terminal.get("reason"),
        "language": spec.target_language if translated else language if untouched else None,
        "source_language": language,
        "source_title": paper.get("title", ""),
        "license": paper.get("license"),
        "url": paper.get("url"),
        "same_as": same_as,
        "reused_from": terminal.get("reused_from"),
        "model": published.get("model"),
        "prompt_version": published.get("prompt_version"),
        "fingerprint": terminal.get("fingerprint"),
        "cost_usd": usd(result.cost) if result and same_as is None else 0,
        "notice": published.get("notice"),
        "segments": terminal.get("coverage"),
    }


_TOKENS = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")
_SUMS = ("sent", "prompt", "completion", "cached", "reasoning")


def _usage(line: dict[str, Any] | None, unfinished: Mapping[str, int] | None) -> dict[str, int]:
    """Tokens over all calls that led to the line: those of interrupted attempts and of a whole paper's
    passages included."""
    calls, behind = [], unfinished or {}
    if line is not None and unfinished is None:
        calls, behind = [*line.get("carried", ()), *line.get("calls", ())], line.get("behind") or {}
    usages = [usage for call in calls if (usage := call.get("usage")) is not None]
    if len(usages) == 1 and not behind:  # nearly always
        get = usages[0].get
        return {"calls": len(calls), **{name: get(name, 0) for name in _TOKENS}}
    sums = {
        name: sum(usage.get(name, 0) for usage in usages) + behind.get(name.removesuffix("_tokens"), 0)
        for name in _TOKENS
    }
    return {"calls": len(calls) + behind.get("sent", 0), **sums}
