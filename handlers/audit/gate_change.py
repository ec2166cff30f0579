"""Another gate for a run of a task file: the same requests, judged by other checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from handlers.counted import counted
from handlers.domain.run import RunRecord, RunSpec
from handlers.errors import RunChangedError, UsageError
from handlers.ports import Backend, ObjectStore
from handlers.runs.sessions import IsAlive

if TYPE_CHECKING:
    from handlers.tasks.file_task.task_bundle import TaskBundle


def changed_gate(record: RunRecord, bundle: TaskBundle, store: ObjectStore) -> RunSpec:
    """The run's settings with the bundle in place of the one that it has, which ``store`` holds.
    RunChangedError if the bundle asks anything else, UsageError if it reads records otherwise, so that the
    run's corpus is not the one that it wants, and for a run that translates."""
    from handlers.tasks.file_task.stored_bundle import stored_bundle  # for such runs alone

    spec = record.spec
    if spec.task_asks is None:
        raise UsageError(
            f"run {record.run_id!r} translates papers: this version's gate judges it, without --task"
        )
    if bundle.asks != spec.task_asks:
        raise RunChangedError(record.run_id, {"task_asks": (spec.task_asks, bundle.asks)})
    reads = stored_bundle(spec.task_bundle or "", store).reads
    if (reads.mark, reads.id) != (bundle.reads.mark, bundle.reads.id):
        raise UsageError(
            f"run {record.run_id!r} reads records otherwise than this task file (input.shape, input.id, or a"
            " field under require that the prompt does not have): judge them under another --run-id, which"
            " takes over the answers to equal requests"
        )
    return spec.model_copy(
        update={
            "task_bundle": bundle.digest,
            "task_gate": bundle.gate,
            "skip_no_derivatives": bundle.tables.input.skip_no_derivatives,
        }
    )


def change_gate(
    backend: Backend,
    record: RunRecord,
    changed: RunSpec,
    bundle: TaskBundle,
    is_alive: Callable[[str], bool] = lambda _owner: True,
) -> None:
    """The bundle is stored first, then the run has it by one conditional write. UsageError if somebody else
    was faster, or if a job works on the run, which would judge by the checks that it began with.
    ``is_alive``: whether a job's owner still runs."""
    from handlers.tasks.file_task.stored_bundle import put_bundle  # for such runs alone

    if changed == record.spec:
        return
    _refuse_at_work(backend, record.run_id, is_alive)
    put_bundle(bundle, backend.store)
    if not backend.ledger.judge_by(record.run_id, changed, known=record.spec):
        raise UsageError(f"run {record.run_id!r} was given another gate meanwhile: nothing is changed")


def _refuse_at_work(backend: Backend, run_id: str, is_alive: Callable[[str], bool]) -> None:
    ledger = backend.ledger
    alive = IsAlive(is_alive, ledger.sessions(run_id), backend.clock.now())
    if at_work := sum(map(alive, ledger.jobs(run_id))):
        raise UsageError(
            f"run {run_id!r}: {counted(at_work, 'job')} at work, which would go on with the checks of before:"
            f" `paperfleet pause --run-id {run_id}`, wait for the end of what is in flight, then regate and"
            " resume"
        )
