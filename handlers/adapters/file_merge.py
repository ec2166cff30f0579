"""Merges the objects of two state folders: immutable ones are copied, segments only ever grow."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from handlers.atomic_file import replacing
from handlers.errors import UsageError
from handlers.state_paths import CORPORA, SEGMENTS, SESSIONS, TASKS, TOLD, run_key

_BLOCK = 1 << 20


def merge_objects(into: Path, source: Path, run_id: str) -> int:
    """Copy what ``into`` lacks of corpora, task files and a run's sessions; returns how many files changed.

    Files appear whole and synced. Of a segment that both have, the longer one stays. UsageError if
    neither is the beginning of the other: then two jobs wrote under one name, or one file is damaged.
    """
    changed = 0
    for path in _objects(source, run_id):
        target = into / path.relative_to(source)
        if target.exists():
            if path.name.endswith((".rejects.jsonl", ".json")):
                continue  # of one corpus made from two sources; of one session; a task file under its digest
            _check_beginning(target, path)
            if target.stat().st_size >= path.stat().st_size:
                continue
        with replacing(target, durable=True) as copy:
            shutil.copyfile(path, copy)
        changed += 1
    return changed


def object_size(state: Path, key: str) -> int:
    """Bytes of an object; 0 if there is none."""
    try:
        return (state / key).stat().st_size
    except OSError:
        return 0


def _objects(state: Path, run_id: str) -> Iterator[Path]:
    for folder, pattern in (
        (CORPORA, "*.*"),
        (TASKS, "*.json"),
        (run_key(run_id, SEGMENTS), "*.jsonl"),
        (run_key(run_id, SESSIONS), "*.json"),
        (run_key(run_id, TOLD), "*"),
    ):
        for path in sorted((state / folder).glob(pattern)):
            if path.is_file() and not path.name.endswith(".tmp"):
                yield path


def _check_beginning(one: Path, other: Path) -> None:
    left = min(one.stat().st_size, other.stat().st_size)
    with one.open("rb") as first, other.open("rb") as second:
        while left > 0:
            size = min(_BLOCK, left)
            if first.read(size) != second.read(size):
                raise UsageError(
                    f"{other} and {one} differ in what both have: one of them is damaged; merge without it"
                )
            left -= size
