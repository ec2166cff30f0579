"""The task that a run is about, by its settings, and the names of its results."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from handlers.domain.run import RunSpec
from handlers.errors import UsageError
from handlers.pipeline.result_names import ResultNames, kindred
from handlers.ports import Ledger, ObjectStore, Task, WholePaperTask
from handlers.tasks.translation.masking.masking import MASKING_VERSION, MASKINGS
from handlers.tasks.translation.passages import BODY_VERSION
from handlers.tasks.translation.prompt import PROMPT_VERSION
from handlers.tasks.translation.translate import TranslateTask

if TYPE_CHECKING:
    from handlers.tasks.file_task.task_bundle import TaskBundle


def task_of(
    spec: RunSpec,
    store: ObjectStore | None = None,
    *,
    bundle: TaskBundle | None = None,
    plugins: Iterable[str] | None = None,
) -> Task:
    """The task that a run is about. One of a file needs its ``bundle``, or the store that has it.

    ``plugins``: distributions whose checks may judge; None where nothing is judged."""
    if spec.task == "file":
        return _file_task(spec, store, bundle, plugins)
    return translation_of(spec)


def _file_task(
    spec: RunSpec, store: ObjectStore | None, bundle: TaskBundle | None, plugins: Iterable[str] | None
) -> Task:
    from handlers.tasks.file_task.stored_bundle import stored_bundle  # for such runs alone
    from handlers.tasks.file_task.task_kinds import task_of_bundle

    if bundle is None:
        if spec.task_bundle is None or store is None:
            raise UsageError("the run has a task of a file, and no --task FILE says which")
        bundle = stored_bundle(spec.task_bundle, store)
    return task_of_bundle(bundle if plugins is None else bundle.armed(plugins), spec)


def translation_of(spec: RunSpec) -> WholePaperTask:
    """The task of a run that translates."""
    if spec.task != "translate":
        raise UsageError(f"unknown task {spec.task!r}: this version knows translate and file")
    if spec.prompt_version != PROMPT_VERSION or spec.masking_version not in MASKINGS:
        raise UsageError(
            f"the run was made for prompt {spec.prompt_version} and masking {spec.masking_version}, this "
            f"version has {PROMPT_VERSION} and {MASKING_VERSION}: use one version everywhere (deploy the "
            "stack again), or give another --run-id"
        )
    if spec.full_text and spec.body_version != BODY_VERSION:
        raise UsageError(
            f"the run asks for bodies as another version does ({spec.body_version or 'none is noted'}), this "
            f"one has {BODY_VERSION}: go on with the version that began it, or give another --run-id"
        )
    return TranslateTask(spec)


def result_names(spec: RunSpec, ledger: Ledger, task: Task | None = None) -> ResultNames:
    """Under which results of a run's papers may stand in the ledger, those of its settings with an earlier
    masking among them. ``task``: the run's, without which it is one that translates."""
    if spec.task == "file" and task is not None:
        from handlers.tasks.file_task.file_task import FileTask  # for such runs alone

        if isinstance(task, FileTask):
            return ResultNames(task, spec, task.with_settings)
    masked = [spec.model_copy(update={"masking_version": each}) for each in MASKINGS]
    others = [each for each in masked if each != spec] + kindred(spec, ledger)
    return ResultNames(task or translation_of(spec), spec, translation_of, others)
