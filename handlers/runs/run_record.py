"""What is fixed for the life of a run, stored beside its parts: a ledger can be made again from both."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pydantic import ValidationError

from handlers.domain.money import NanoUsd
from handlers.domain.run import RunId, RunRecord, RunSpec
from handlers.domain.value import Frozen
from handlers.errors import damage_error
from handlers.ports import ObjectStore
from handlers.state_paths import run_key


class _StoredRecord(Frozen):
    run_id: RunId
    spec: RunSpec
    papers: int
    same_as: int
    created_at: float
    budget: NanoUsd | None
    """At the run's creation."""


def record_key(run_id: str) -> str:
    return run_key(run_id, "run.json")


def store_record(record: RunRecord, store: ObjectStore) -> None:
    """Store it under ``runs/<run>/run.json`` unless it lies there."""
    stored = _StoredRecord(
        run_id=record.run_id,
        spec=record.spec,
        papers=record.papers,
        same_as=record.same_as,
        created_at=record.created_at,
        budget=record.budget,
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.json"
        path.write_text(stored.model_dump_json() + "\n", encoding="utf-8")
        store.put_file(record_key(record.run_id), path)


def stored_record(run_id: str, store: ObjectStore) -> RunRecord:
    """DamagedObjectError if it is gone or damaged."""
    key = record_key(run_id)
    if not store.exists(key):
        raise damage_error(key, f"{key} is gone, and nothing else tells what the run {run_id!r} was about")
    try:
        stored = _StoredRecord.model_validate_json(b"".join(store.lines(key)))
    except ValidationError as error:
        raise damage_error(key, f"{key} is damaged, and nothing else tells what the run was about") from error
    if stored.run_id != run_id:
        raise damage_error(key, f"{key} is of the run {stored.run_id!r}")
    return RunRecord(run_id, stored.spec, stored.papers, stored.same_as, stored.created_at, stored.budget)
