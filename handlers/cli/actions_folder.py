"""The plan's folder, which every job of a session reads: ledger, corpus, what was paid for, and the plan."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite_slice import point_at, unfinished_answers
from handlers.bootstrap import State
from handlers.cli.merge import LEDGER
from handlers.models import PartPointer
from handlers.pipeline.actions_session import PLAN_FILE, SessionPlan
from handlers.records import Part


def write_folder(plan: SessionPlan, adapters: State | None, output: Path) -> None:
    """The plan's folder, replaced. ``adapters``: of the state that travels with it; None on AWS."""
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    if adapters is not None:
        _write_state(plan, adapters, output)
    (output / PLAN_FILE).write_text(plan.model_dump_json(indent=2), encoding="utf-8")


def _write_state(plan: SessionPlan, adapters: State, output: Path) -> None:
    record = adapters.ledger.run(plan.run_id)
    for name in (record.spec.corpus, record.spec.corpus.removesuffix(".jsonl") + ".index"):
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(adapters.directory / name, output / name)
    _copy_ledger(adapters.directory / LEDGER, output / LEDGER)
    _carry(plan, adapters, output)


def _copy_ledger(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as db, closing(sqlite3.connect(target)) as copy:
        db.backup(copy)


def _carry(plan: SessionPlan, adapters: State, output: Path) -> None:
    """Answers of interrupted papers travel along, so that nobody pays for them again."""
    store, pointers = FileStore(output), dict[str, PartPointer]()
    for paper_id, where in unfinished_answers(output / LEDGER, plan.run_id):
        line = adapters.store.read(where.key, where.offset, where.length)
        part = Part(plan.run_id, f"carried/{paper_id}", (line,))
        ((pointer,),) = store.write_parts(f"carried-{plan.session}", [part])
        pointers[paper_id] = pointer
    store.close()
    point_at(output / LEDGER, plan.run_id, pointers)


def matrix_of(plan: SessionPlan) -> str:
    """For ``strategy.matrix``."""
    return json.dumps({"job": [share.job for share in plan.jobs]})
