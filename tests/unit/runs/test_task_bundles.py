"""A run of a task file that is begun again with another wording of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.adapters.sqlite.sqlite_queue import SqliteQueue
from handlers.errors import RunChangedError
from handlers.ports import Backend
from handlers.results.answer_records import AnswerColumns
from handlers.runs.submit import RunRequest, submit_run
from handlers.tasks.file_task.stored_bundle import put_bundle
from tests.builders import values
from tests.builders.fakes import FakeClock
from tests.builders.task_files import SUBJECT, bundle_in, spec_of
from tests.builders.values import RUN


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    clock = FakeClock(10.0)
    ledger, store = SqliteLedger(tmp_path / "ledger.sqlite3"), FileStore(tmp_path)
    with closing(ledger), closing(store), closing(SqliteQueue(tmp_path / "q.sqlite3", RUN, clock)) as queue:
        bundle = bundle_in(tmp_path, SUBJECT)
        put_bundle(bundle, store)
        ledger.add_batches([values.batch("a", ("a1",))])
        ledger.create_run(replace(values.run_record(papers=1), spec=spec_of(bundle)))
        yield values.backend(ledger=ledger, store=store, queue=queue, clock=clock)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[output.fields]", '[output]\ncarry = ["title", "year"]\n[output.fields]'),
        ("[output.fields]", "[output]\ncarry = []\n[output.fields]"),
        ('name = "subject"', 'name = "topic"\ndescription = "What it is about."'),
    ],
)
def test_what_asks_and_judges_the_same_takes_effect_for_nothing(
    backend: Backend, tmp_path: Path, old: str, new: str
) -> None:
    other = bundle_in(tmp_path, SUBJECT.replace(old, new))
    put_bundle(other, backend.store)
    assert submit_run(backend, RunRequest(run_id=RUN, spec=spec_of(other))).papers == 1
    spec = backend.ledger.run(RUN).spec
    assert spec.task_bundle == other.digest
    columns = AnswerColumns.of_run(spec, backend.store)
    assert columns is not None
    assert (list(columns.carry), columns.task) == (other.tables.output.carry, other.tables.name)


def test_other_requests_or_checks_change_no_run(backend: Backend, tmp_path: Path) -> None:
    before = backend.ledger.run(RUN).spec
    for text in (
        SUBJECT.replace("scientific", "chemical"),
        SUBJECT + '[[check]]\nkind = "no_copy"\nfield = "reason"\n',
    ):
        other = bundle_in(tmp_path, text)
        put_bundle(other, backend.store)
        with pytest.raises(RunChangedError):
            submit_run(backend, RunRequest(run_id=RUN, spec=spec_of(other)))
    assert backend.ledger.run(RUN).spec == before


def test_a_version_that_judges_otherwise_goes_on_with_a_run_of_its_file(backend: Backend) -> None:
    before = backend.ledger.run(RUN).spec
    judged = before.model_copy(update={"task_gate": "e" * 64})
    submit_run(backend, RunRequest(run_id=RUN, spec=judged))
    assert backend.ledger.run(RUN).spec == before
