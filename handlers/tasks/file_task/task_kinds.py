"""The task that a bundle describes, by what its file asks for."""

from __future__ import annotations

from handlers.domain.run import RunSpec
from handlers.errors import UsageError
from handlers.tasks.file_task.by_passage.passage_task import PassageFileTask
from handlers.tasks.file_task.embed.embed_task import EmbedTask
from handlers.tasks.file_task.file_task import FileTask
from handlers.tasks.file_task.samples.sampled_task import SampledFileTask
from handlers.tasks.file_task.task_bundle import TaskBundle
from handlers.tasks.translation.passages import BODY_VERSION


def task_of_bundle(bundle: TaskBundle, spec: RunSpec) -> FileTask:
    """UsageError if another version would ask otherwise, or the bundle is not the run's."""
    if bundle.by_passage:
        if spec.body_version != BODY_VERSION:
            raise UsageError(
                f"the run cuts bodies as another version does ({spec.body_version}), this one has"
                f" {BODY_VERSION}: go on with the version that began it, or give another --run-id"
            )
        return PassageFileTask.of_run(bundle, spec)
    if bundle.embeds:
        return EmbedTask.of_run(bundle, spec)
    kind = SampledFileTask if bundle.samples > 1 else FileTask
    return kind.of_run(bundle, spec)
