"""A run's results as records, chunk by chunk in the corpus' order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from pydantic_core import from_json

from handlers.corpus.field_names import field_named
from handlers.domain.language_names import primary_subtag
from handlers.domain.licenses import refusal_to_derive
from handlers.domain.money import usd
from handlers.domain.paper import Paper, PaperStatus
from handlers.domain.run import RunSpec
from handlers.errors import UsageError
from handlers.ports import ObjectStore
from handlers.results.answer_records import AnswerColumns
from handlers.results.source_rows import Result, SourceRow, stored_line
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


def records(
    chunk: list[SourceRow],
    *,
    spec: RunSpec,
    store: ObjectStore,
    drafts: bool,
    columns: Sequence[str] = COLUMNS,
    answers: AnswerColumns | None = None,
) -> Iterator[tuple[PaperStatus, dict[str, Any]]]:
    """The statuses and results of a chunk, their keys in the order of ``columns``, ``answers`` being those of
    a task. DamagedObjectError names the one that is not as it was written."""
    if answers is not None:
        yield from _answered(chunk, spec, store, columns, answers, drafts=drafts)
        return
    as_ever = tuple(columns) == COLUMNS
    for row in chunk:
        record = _record(row, stored_line(row[2], store), spec, drafts=drafts)
        status: PaperStatus = record["status"]
        if not as_ever:
            paper = from_json(row[0]) if needs_papers(columns) else {}
            record = {name: record[name] if name in record else _source(name, paper) for name in columns}
        yield status, record


def _answered(
    chunk: list[SourceRow],
    spec: RunSpec,
    store: ObjectStore,
    columns: Sequence[str],
    answers: AnswerColumns,
    *,
    drafts: bool,
) -> Iterator[tuple[PaperStatus, dict[str, Any]]]:
    whole = needs_papers(columns, answers)
    for raw, paper, result in chunk:
        line = stored_line(result, store)
        status, terminal, published = _outcome(paper, result, line, spec, drafts=drafts)
        record = {
            "id": paper["id"],
            "status": status,
            **answers.values(published.get("fields", {})),
            **_common(paper, result, line, terminal, published),
            "error": result.error if result and status != "skipped" else None,
            "task": answers.task or None,
            "gate": terminal.get("gate"),
        }
        source = from_json(raw) if whole else {}
        yield (
            status,
            {name: record[name] if name in record else answers.of_source(name, source) for name in columns},
        )


def needs_papers(columns: Sequence[str], answers: AnswerColumns | None = None) -> bool:
    """Whether a record has what only the corpus holds."""
    return not set(columns) <= set(COLUMNS if answers is None else answers.common)


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


def _record(row: SourceRow, line: dict[str, Any] | None, spec: RunSpec, *, drafts: bool) -> dict[str, Any]:
    """One result, its keys in the order of ``COLUMNS``."""
    raw, paper, result = row
    status, terminal, published = _outcome(paper, result, line, spec, drafts=drafts)
    language = paper.get("language") or source_language(Paper.model_validate_json(raw))
    untouched = status == "skipped" and primary_subtag(language) == primary_subtag(spec.target_language)
    texts = published.get("fields", {}) if published else from_json(raw) if untouched else {}
    common = _common(paper, result, line, terminal, published)
    return {
        "id": paper["id"],
        "status": status,
        "title": texts.get("title"),
        "abstract": texts.get("abstract"),
        "body": texts.get("body"),
        "keywords": texts.get("keywords"),
        "checks": common["checks"],
        "usage": common["usage"],
        "error": result.error if result and status != "skipped" else None,
        "reason": common["reason"],
        "language": spec.target_language if published else language if untouched else None,
        "source_language": language,
        "source_title": paper.get("title", ""),
        "license": paper.get("license"),
        "url": paper.get("url"),
        "same_as": common["same_as"],
        "reused_from": common["reused_from"],
        "model": common["model"],
        "prompt_version": published.get("prompt_version"),
        "fingerprint": common["fingerprint"],
        "cost_usd": common["cost_usd"],
        "notice": common["notice"],
        "segments": terminal.get("coverage"),
    }


def _outcome(
    paper: Mapping[str, Any],
    result: Result | None,
    line: dict[str, Any] | None,
    spec: RunSpec,
    *,
    drafts: bool,
) -> tuple[PaperStatus, dict[str, Any], dict[str, Any]]:
    """(status, the line of what has ended, the same where its texts are given out)."""
    status: PaperStatus = "pending" if result is None else result.status
    withheld = None
    if status in ("done", "flagged") and spec.skip_no_derivatives:
        # An earlier version may have let it follow a paper whose licence allows more.
        withheld = refusal_to_derive(paper.get("license"))
        status = "skipped" if withheld else status
    if withheld:
        return status, {"reason": withheld}, {}
    if line is None or status == "pending":
        return status, {}, {}
    return status, line, line if status == "done" or (status == "flagged" and drafts) else {}


def _common(
    paper: Mapping[str, Any],
    result: Result | None,
    line: dict[str, Any] | None,
    terminal: Mapping[str, Any],
    published: Mapping[str, Any],
) -> dict[str, Any]:
    """What a record has, whatever the task."""
    same_as = paper.get("same_as")
    return {
        "checks": terminal.get("checks", []),
        "usage": _usage(line, result.behind if result else None) if same_as is None else _usage(None, None),
        "reason": terminal.get("reason"),
        "same_as": same_as,
        "reused_from": terminal.get("reused_from"),
        "model": published.get("model"),
        "fingerprint": terminal.get("fingerprint"),
        "cost_usd": usd(result.cost) if result and same_as is None else 0,
        "notice": published.get("notice"),
    }


_TOKENS = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")


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
