"""What became of each paper, a line a paper in the corpus' order."""

from __future__ import annotations

import json
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal

from pydantic_core import PydanticSerializationError, SchemaValidator, core_schema, from_json, to_json

from handlers.errors import CorpusChangedError, UsageError
from handlers.models import NANO, Paper, PaperStatus, RunSpec
from handlers.part_lines import parsed
from handlers.pipeline.csv_lines import CsvLines
from handlers.ports import Ledger, ObjectStore
from handlers.records import PaperRow
from handlers.tasks.policy import source_language, subtag

ExportFormat = Literal["jsonl", "csv"]
COLUMNS = (
    "id", "status", "title", "abstract", "body", "keywords", "checks", "usage", "error", "reason", "language",
    "source_language", "source_title", "license", "url", "same_as", "reused_from", "model", "prompt_version",
    "fingerprint", "cost_usd", "notice",
)  # fmt: skip
_CHUNK = 500
_CHUNK_BYTES = 2 << 20
"""Of the corpus; a chunk is closed by the first that is reached, and one of them is in memory."""
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def export(
    run_id: str,
    *,
    ledger: Ledger,
    store: ObjectStore,
    format: ExportFormat,  # noqa: A002 - the flag's name
    output: Path | Literal["-"],
    drafts: bool = False,
) -> dict[PaperStatus, int]:
    """Write the results of a run to a file (all of it or nothing) or to standard output; returns papers
    by status.

    A record has the columns of ``COLUMNS``. Texts are the translation of a ``done`` paper; with
    ``drafts`` also what the gate refused (status ``flagged``); of a paper that was skipped because it is
    in the target language already, the original. A paper with ``same_as`` shares the outcome of that
    paper, and its usage and cost are 0: sums over the lines count each call once.
    """
    spec = ledger.run(run_id).spec
    counts: dict[PaperStatus, int] = {"done": 0, "flagged": 0, "failed": 0, "skipped": 0, "pending": 0}
    with _replacing(output) as file:
        lines = CsvLines(file, COLUMNS) if format == "csv" else _JsonLines(file)
        try:
            for record in _records(run_id, spec, ledger, store, drafts=drafts):
                counts[record["status"]] += 1
                lines.write(record)
        finally:
            lines.finish()
    return counts


class _JsonLines:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, record: dict[str, Any]) -> None:
        try:
            line = to_json(record)
        except PydanticSerializationError:  # half of a surrogate pair, which UTF-8 has no bytes for
            line = _ENCODER.encode(record).encode("utf-8", "replace")
        self._file.write(line + b"\n")

    def finish(self) -> None:
        self._file.flush()


def _records(
    run_id: str, spec: RunSpec, ledger: Ledger, store: ObjectStore, *, drafts: bool
) -> Iterator[dict[str, Any]]:
    """Memory holds one chunk of papers, however many there are."""
    for papers in _chunks(store.lines(spec.corpus)):
        leaders = [paper.get("same_as") or paper["id"] for paper, _ in papers]
        rows = ledger.paper_rows(run_id, list(dict.fromkeys(leaders)))
        for (paper, raw), leader in zip(papers, leaders, strict=True):
            row = rows.get(leader)
            yield _record(paper, raw, row, _line(row, store), spec, drafts=drafts)


def _chunks(lines: Iterator[bytes]) -> Iterator[list[tuple[dict[str, Any], bytes]]]:
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
_ASKED = SchemaValidator(
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
        paper: dict[str, Any] = _ASKED.validate_json(line, strict=True)
    except ValueError as error:
        raise CorpusChangedError("a line of the corpus is no paper: ingest the source again") from error
    return paper


def _line(row: PaperRow | None, store: ObjectStore) -> dict[str, Any] | None:
    """The part's line that the ledger points at."""
    if row is None or row.pointer is None:
        return None
    where = row.pointer
    try:
        line = parsed(store.read(where.key, where.offset, where.length), where)
    except CorpusChangedError as error:
        raise CorpusChangedError(f"the result of paper {row.paper_id!r}: {error}") from error
    if line["id"] != row.paper_id:
        raise CorpusChangedError(f"{where.key} has paper {line['id']!r} in the place of {row.paper_id!r}")
    return line


def _record(
    paper: dict[str, Any],
    raw: bytes,
    row: PaperRow | None,
    line: dict[str, Any] | None,
    spec: RunSpec,
    *,
    drafts: bool,
) -> dict[str, Any]:
    """One result, its keys in the order of ``COLUMNS``."""
    status: PaperStatus = "pending" if row is None else row.status
    translated = line is not None and (status == "done" or (status == "flagged" and drafts))
    language = paper.get("language") or source_language(Paper.model_validate_json(raw))
    untouched = status == "skipped" and subtag(language) == subtag(spec.target_language)
    terminal = line if line is not None and status != "pending" else {}
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
        "usage": _usage(line if same_as is None else None),
        "error": row.error if row else None,
        "reason": terminal.get("reason"),
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
        "cost_usd": row.cost / NANO if row and same_as is None else 0,
        "notice": published.get("notice"),
    }


_TOKENS = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")


def _usage(line: dict[str, Any] | None) -> dict[str, int]:
    """Tokens over all calls that led to the line, those of interrupted attempts included."""
    calls = [] if line is None else [*line.get("carried", ()), *line.get("calls", ())]
    usages = [usage for call in calls if (usage := call.get("usage")) is not None]
    if len(usages) == 1:  # nearly always
        get = usages[0].get
        return {"calls": len(calls), **{name: get(name, 0) for name in _TOKENS}}
    return {"calls": len(calls), **{name: sum(usage.get(name, 0) for usage in usages) for name in _TOKENS}}


@contextmanager
def _replacing(output: Path | Literal["-"]) -> Iterator[IO[bytes]]:
    """A file that takes its name only once it is whole; standard output and devices as they are."""
    if output == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = output.resolve()
    if target.is_dir():
        raise UsageError(f"--output {output}: is a folder; give a file in it")
    if not target.parent.is_dir():
        raise UsageError(f"--output {output}: there is no folder {target.parent}")
    if target.exists() and not stat.S_ISREG(target.stat().st_mode):
        with target.open("wb") as device:  # /dev/null and pipes are written to, never replaced
            yield device
        return
    scratch = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        with scratch.open("wb", buffering=1 << 20) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)
