"""``paperfleet actions plan``: turns what earlier sessions left into the work of each job of this one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from handlers.actions.environment import GitHubEnvironment
from handlers.actions.inputs import SessionInputs
from handlers.actions.plan_folder import refuse_strangers, write_folder
from handlers.actions.planner import PlannedSession, Planner
from handlers.actions.saved_states import gather
from handlers.actions.session_messages import tell_start
from handlers.actions.tiers import AUTO, shape_of
from handlers.bootstrap.state import State, open_state
from handlers.corpus.ingest import IngestResult
from handlers.counted import counted
from handlers.domain.run import RunRecord
from handlers.domain.value import sha256_of
from handlers.errors import UnknownRunError, UsageError
from handlers.local.ingesting import SourceSpec, ingest_source
from handlers.local.measured_corpus import measure_ingested
from handlers.local.named_outputs import keep_apart
from handlers.local.planning_basis import plan_basis
from handlers.local.session import submit_request
from handlers.local.task_file import task_bundle
from handlers.runs.control import retry
from handlers.runs.run_request import run_request
from handlers.runs.submit import RunRequest
from handlers.settings import Settings

if TYPE_CHECKING:
    from handlers.tasks.file_task.task_bundle import TaskBundle

_FOREIGN = re.compile(r"[^A-Za-z0-9._-]+")
_TARGET_BATCHES = 4
"""Batches for each job of a new run, so that they can be dealt evenly."""


def plan_session(
    settings: Settings,
    inputs: SessionInputs,
    github: GitHubEnvironment,
    output: Path,
    console: Console,
) -> PlannedSession:
    """Gather, ingest, shard, and write the plan's folder: ledger, corpus and the work of each job."""
    if inputs.corpus in ("", "-"):
        raise UsageError("no corpus: give a file of the repository, or set the variable PAPERFLEET_CORPUS")
    if not inputs.corpus.startswith("oai+"):
        github.file(inputs.corpus, "corpus")
    if settings.glossary is not None:
        github.file(str(settings.glossary), "glossary")
    bundle = _task_file(settings, github)
    if inputs.history:
        gather(github, settings.state, console)
    refuse_strangers(output)
    keep_apart(settings, [("--output", output)], inputs.corpus)
    corpus = ingest_source(SourceSpec(inputs.corpus), settings, console, bundle=bundle)
    settings = settings.model_copy(
        update={"run_id": inputs.run_id or run_id_of(inputs.corpus, corpus, settings, bundle)}
    )
    measured = measure_ingested(corpus, settings)
    with open_state(settings.run_id, settings) as adapters:
        record = _submitted(adapters, settings, inputs, run_request(settings, corpus, bundle), bundle)
        if inputs.retried:
            again = retry(adapters, settings.run_id, statuses=inputs.retried, error=None).reopened
            console.print(f"{counted(again, 'paper is', 'papers are')} tried again")
        planned = Planner(adapters, settings, inputs, github, record, plan_basis(measured)).plan()
        write_folder(planned.plan, adapters if settings.backend == "embedded" else None, output)
        tell_start(settings, planned, adapters, output)
    return planned


def _task_file(settings: Settings, github: GitHubEnvironment) -> TaskBundle | None:
    """What the settings' task file is resolved into, before anything else happens: UsageError has the line of
    what is wrong with it. Jobs know the bundle alone, and nobody reads the file after that."""
    if settings.task is not None:
        github.file(str(settings.task), "task file")
    return task_bundle(settings)


def run_id_of(source: str, corpus: IngestResult, settings: Settings, bundle: TaskBundle | None = None) -> str:
    """``papers-1f3a9c02`` for ``data/papers.jsonl``: the same corpus, model and task, the same run. A task
    file that asks or checks otherwise is another one, which takes over what its requests share."""
    stem = _FOREIGN.sub("-", Path(source).name.partition(".")[0]).strip("-._")[:48] or "corpus"
    said = [corpus.sha256, settings.model, settings.target_language, settings.full_text]
    mark = sha256_of(said if bundle is None else [*said, bundle.asks, bundle.gate])
    return f"{stem}-{mark[:8]}"


def _submitted(
    adapters: State,
    settings: Settings,
    inputs: SessionInputs,
    request: RunRequest,
    bundle: TaskBundle | None,
) -> RunRecord:
    try:
        cut = adapters.ledger.run(settings.run_id).spec.batch_papers  # a run's batches are cut once
    except UnknownRunError:
        cut = _batch_papers(inputs, request, settings)
    spec = None if request.spec is None else request.spec.model_copy(update={"batch_papers": cut})
    submit_request(adapters, request.model_copy(update={"spec": spec}), settings, bundle)
    return adapters.ledger.run(settings.run_id)


def _batch_papers(inputs: SessionInputs, request: RunRequest, settings: Settings) -> int:
    tier = "extreme" if inputs.tier == AUTO else inputs.tier
    jobs = shape_of(tier, inputs.parallel_jobs, inputs.workers_per_job).jobs
    papers = -(-(request.papers - request.same_as) // (jobs * _TARGET_BATCHES))
    return max(1, min(settings.batch_papers, papers))
