"""What became of each paper, a line a paper in the corpus' order."""

from __future__ import annotations

import json
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any, Literal

from pydantic import ValidationError

from handlers.errors import CorpusChangedError, UsageError
from handlers.models import NANO, CallRecord, Paper, PaperStatus, PartLine, RunSpec
from handlers.part_lines import opened
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
_TEXTS = ("title", "abstract", "body", "keywords")
_CHUNK = 500
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
        self._file.write(_ENCODER.encode(record).encode("utf-8", "replace") + b"\n")

    def finish(self) -> None:
        self._file.flush()


def _records(
    run_id: str, spec: RunSpec, ledger: Ledger, store: ObjectStore, *, drafts: bool
) -> Iterator[dict[str, Any]]:
    """Memory holds one chunk of papers, however many there are."""
    papers = map(_paper, store.lines(spec.corpus))
    while chunk := list(islice(papers, _CHUNK)):
        leaders = list({paper.same_as or paper.id for paper in chunk})
        rows = ledger.paper_rows(run_id, leaders)
        for paper in chunk:
            row = rows.get(paper.same_as or paper.id)
            yield _record(paper, row, _line(row, store), spec, drafts=drafts)


def _paper(line: bytes) -> Paper:
    try:
        return Paper.model_validate_json(line)
    except ValidationError as error:
        raise CorpusChangedError("a line of the corpus is no paper: ingest the source again") from error


def _line(row: PaperRow | None, store: ObjectStore) -> PartLine | None:
    """The part's line that the ledger points at."""
    if row is None or row.pointer is None:
        return None
    where = row.pointer
    try:
        line = opened(store.read(where.key, where.offset, where.length), where)
    except CorpusChangedError as error:
        raise CorpusChangedError(f"the result of paper {row.paper_id!r}: {error}") from error
    if line.id != row.paper_id:
        raise CorpusChangedError(f"{where.key} has paper {line.id!r} in the place of {row.paper_id!r}")
    return line


def _record(
    paper: Paper, row: PaperRow | None, line: PartLine | None, spec: RunSpec, *, drafts: bool
) -> dict[str, Any]:
    """One result, its keys in the order of ``COLUMNS``."""
    status: PaperStatus = "pending" if row is None else row.status
    translated = line is not None and (status == "done" or (status == "flagged" and drafts))
    language = source_language(paper)
    untouched = status == "skipped" and subtag(language) == subtag(spec.target_language)
    terminal = line if status != "pending" else None
    return {
        "id": paper.id,
        "status": status,
        **_texts(paper, line if translated else None, untouched=untouched),
        "checks": [dict(each) for each in terminal.checks] if terminal else [],
        "usage": _usage(line if paper.same_as is None else None),
        "error": row.error if row else None,
        "reason": terminal.reason if terminal else None,
        "language": spec.target_language if translated else language if untouched else None,
        "source_language": language,
        "source_title": paper.title,
        "license": paper.license,
        "url": paper.url,
        "same_as": paper.same_as,
        "reused_from": terminal.reused_from if terminal else None,
        "model": terminal.model if terminal and translated else None,
        "prompt_version": terminal.prompt_version if terminal and translated else None,
        "fingerprint": terminal.fingerprint if terminal else None,
        "cost_usd": row.cost / NANO if row and paper.same_as is None else 0,
        "notice": terminal.notice if terminal and translated else None,
    }


def _texts(paper: Paper, line: PartLine | None, *, untouched: bool) -> dict[str, Any]:
    if line is not None:
        return {name: line.fields.get(name) for name in _TEXTS}
    if untouched:
        return {name: getattr(paper, name) for name in _TEXTS}
    return dict.fromkeys(_TEXTS)


def _usage(line: PartLine | None) -> dict[str, int]:
    """Tokens over all calls that led to the line, those of interrupted attempts included."""
    calls: tuple[CallRecord, ...] = () if line is None else line.carried + line.calls
    known = [call.usage for call in calls if call.usage is not None]
    return {
        "calls": len(calls),
        "prompt_tokens": sum(usage.prompt_tokens for usage in known),
        "completion_tokens": sum(usage.completion_tokens for usage in known),
        "cached_tokens": sum(usage.cached_tokens for usage in known),
        "reasoning_tokens": sum(usage.reasoning_tokens for usage in known),
    }


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
