"""Where things lie in a state folder; a bucket has the objects under the same keys."""

from __future__ import annotations

import re
from pathlib import Path

from handlers.errors import UsageError

LEDGER, QUEUE = "ledger.sqlite3", "queue.sqlite3"
LOCK = "parent.lock"
"""Locked by the one command that works on the folder."""
CORPORA, RUNS, TASKS = "corpora", "runs", "tasks"
PILOT = "pilot-"
"""Begins the id of a run that a pilot made."""
RUN_PLAN = "plan.json"
"""The plan that a run executes, in the run's folder."""
SEGMENTS, RESULTS, SESSIONS, TOLD = "segments", "results", "sessions", "told"
"""Folders of a run: parts of a machine's jobs, parts of a stack's, what Actions' sessions measured, and the
events that a webhook has heard."""
AHEAD = ".results.jsonl.ahead.tmp"
"""In a run's folder: results that a session writes while its last papers land."""

REVIEW_SITE = "review-site.txt"
"""In a run's folder: where its review site was written last."""

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_LONGEST_KEY, _LONGEST_NAME = 1000, 240
"""Characters: a bucket's keys have at most 1,024, and a file's name 255 with what a half-written one adds."""


def checked_key(key: str) -> str:
    """The key of an object. UsageError for one that is no plain relative path, or that a folder or a bucket
    does not take: requests and messages that name it may come from anywhere."""
    if len(key) > _LONGEST_KEY or max(map(len, key.split("/"))) > _LONGEST_NAME:
        raise UsageError(
            f"object key {key[:40]!r}...: at most {_LONGEST_KEY:,} characters, {_LONGEST_NAME} in each name"
        )
    if not _KEY.fullmatch(key):
        raise UsageError(f"object key {key!r}: only letters, digits, dots, dashes and slashes between names")
    return key


def run_key(run_id: str, *names: str) -> str:
    """``runs/<run>/<names>``."""
    return "/".join((RUNS, run_id, *names))


def run_folder(state: Path, run_id: str) -> Path:
    """The run's report, results, logs, parts and plan."""
    return state / RUNS / run_id


def job_log(state: Path, run_id: str, job_id: str) -> Path:
    return run_folder(state, run_id) / "logs" / f"{job_id}.log"


def index_key(corpus: str) -> str:
    """The index of a corpus, by the corpus's key."""
    return corpus.removesuffix(".jsonl") + ".index"
