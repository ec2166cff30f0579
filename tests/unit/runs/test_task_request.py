"""Run requests with a task file: what an event may say of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from handlers.bootstrap.state import State, connect
from handlers.errors import UsageError
from handlers.runs.submit import RunRequest, submit_run
from handlers.settings import Settings
from handlers.tasks.file_task.load_task import key_of
from handlers.tasks.file_task.stored_bundle import put_bundle
from tests.builders.task_files import SUBJECT, bundle_in, spec_of

ZERO = "0" * 64


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    opened = connect(Settings(state=tmp_path), "r")
    yield opened
    opened.close()


def request(state: State, folder: Path, *, stored: bool = True, **changes: object) -> RunRequest:
    bundle = bundle_in(folder, SUBJECT)
    if stored:
        put_bundle(bundle, state.store)
    spec = spec_of(bundle, **changes)
    (folder / spec.corpus).parent.mkdir(exist_ok=True)
    (folder / spec.corpus).touch()
    return RunRequest(run_id="r", spec=spec)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"task_bundle": ZERO}, f"tasks/{ZERO}.json is not in the store"),
        ({"task_bundle": "../../etc/passwd"}, "is no digest of a task file"),
        ({"task_bundle": "a\0b"}, "is no digest of a task file"),
        ({"task_bundle": "x" * 300}, "is no digest of a task file"),
        ({"task_bundle": None}, "one of a file has a task_bundle"),
        ({"task_asks": ZERO}, "are not those of task_bundle"),
        ({"task_gate": ZERO}, "are not those of task_bundle"),
        ({"task_gate": None}, "are not those of task_bundle"),
    ],
)
def test_a_request_s_task_is_refused_before_a_batch_is_cut(
    tmp_path: Path, state: State, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        submit_run(state, request(state, tmp_path, **changes))
    assert state.ledger.run_ids() == []


def test_a_stored_task_that_was_changed_is_refused(tmp_path: Path, state: State) -> None:
    asked = request(state, tmp_path)
    assert asked.spec is not None
    path = tmp_path / key_of(asked.spec.task_bundle or "")
    path.write_bytes(path.read_bytes().replace(b"fits best", b"fits worst"))
    with pytest.raises(UsageError, match="is not what it was"):
        submit_run(state, asked)
