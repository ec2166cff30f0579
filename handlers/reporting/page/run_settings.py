"""What a run was started with, as its page tells it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from handlers.counted import counted
from handlers.domain.money import usd as in_usd
from handlers.domain.run import RunRecord, RunSpec, SessionRecord
from handlers.reporting.page.figure import usd

Setting = tuple[str, str]

_LONGEST = 400
_MOST_SESSIONS = 20
_SECRET = re.compile(r"key|token$|secret|passw|auth|credential|cookie", re.IGNORECASE)


def run_settings(record: RunRecord, sessions: Sequence[SessionRecord]) -> tuple[Setting, ...]:
    """(name, value) in plain words. Values that look secret by their names are left out."""
    return (*_of_texts(record), *_of_calls(record.spec), *_of_sessions(record, sessions))


def _of_texts(record: RunRecord) -> Iterator[Setting]:
    spec = record.spec
    yield "corpus", f"{counted(record.papers, 'paper')}, sha256 {spec.corpus_sha256[:12]}"
    yield "task", f"{spec.task}, prompt {spec.prompt_version}, masking {spec.masking_version}"
    yield "target language", spec.target_language
    yield "texts", "title, abstract, keywords" + (" and full text" if spec.full_text else "")
    yield "glossary", counted(len(spec.glossary), "term") if spec.glossary else "none"
    yield "licences that forbid derivatives", "skipped" if spec.skip_no_derivatives else "translated"


def _of_calls(spec: RunSpec) -> Iterator[Setting]:
    yield "model", spec.model
    yield "temperature", "not sent" if spec.temperature is None else f"{spec.temperature:g}"
    yield spec.max_tokens_field, "by the text" if spec.max_tokens is None else f"{spec.max_tokens:,}"
    yield "JSON mode", spec.json_mode
    if spec.extra_body:
        yield "extra body", json.dumps(_shown(spec.extra_body), ensure_ascii=False)[:_LONGEST]


def _of_sessions(record: RunRecord, sessions: Sequence[SessionRecord]) -> Iterator[Setting]:
    yield "budget", "none" if record.budget is None else usd(in_usd(record.budget))
    yield "batch", f"up to {record.spec.batch_papers:,} papers, {record.spec.batch_tokens:,} tokens"
    for number, session in enumerate(sessions[:_MOST_SESSIONS], start=1):
        began = datetime.fromtimestamp(session.started_at, UTC)
        limit = f", at most {counted(session.limit, 'paper')}" if session.limit is not None else ""
        fleet = f"{counted(session.jobs, 'job')} with {counted(session.workers, 'worker')} each"
        yield f"session {number}", f"{began:%Y-%m-%d %H:%M} UTC, {fleet}{limit}, {session.outcome or 'open'}"
    if len(sessions) > _MOST_SESSIONS:
        yield "later sessions", f"{len(sessions) - _MOST_SESSIONS:,}"


def _shown(values: Mapping[str, Any]) -> dict[str, Any]:
    """What is sent beside the texts, without what its name calls a secret."""
    return {
        name: "not shown" if _SECRET.search(name) else _shown(value) if isinstance(value, dict) else value
        for name, value in values.items()
    }
