"""``paperfleet actions plan``: from what earlier sessions left to what each job of this one has to do."""

from __future__ import annotations

import re
from pathlib import Path

from rich.console import Console

from handlers.actions.environment import GitHubEnvironment
from handlers.actions.history import gather
from handlers.actions.plan_folder import write_folder
from handlers.actions.planner import Planned, Planner, Wish
from handlers.actions.tiers import AUTO, shape_of
from handlers.bootstrap.state import State, SystemClock, open_state
from handlers.corpus.ingest import IngestResult
from handlers.domain.run import RunRecord
from handlers.domain.value import sha256_of
from handlers.errors import UnknownRunError, UsageError
from handlers.local.ingesting import ingested
from handlers.runs.submit import run_request, submit_run
from handlers.settings import Settings

_FOREIGN = re.compile(r"[^A-Za-z0-9._-]+")
_TARGET_BATCHES = 4
"""Batches for each job of a new run, so that they can be dealt evenly."""


def plan_session(
    settings: Settings,
    wish: Wish,
    github: GitHubEnvironment,
    output: Path,
    console: Console,
    *,
    history: bool = True,
) -> Planned:
    """Gather, ingest, shard, and write the plan's folder: ledger, corpus and what each job has to do."""
    if wish.corpus in ("", "-"):
        raise UsageError("no corpus: give a file of the repository, or set the variable PAPERFLEET_CORPUS")
    if history:
        gather_all(github, settings.state, console)
    found = ingested(wish.corpus, settings, [], None, console)
    settings = settings.model_copy(update={"run_id": wish.run_id or run_id_of(wish.corpus, found, settings)})
    with open_state(settings.run_id, settings) as adapters:
        record = _submitted(adapters, settings, wish, found)
        planned = Planner(adapters, settings, wish, github, record).plan()
        write_folder(planned.plan, adapters if settings.backend == "embedded" else None, output)
    return planned


def gather_all(github: GitHubEnvironment, state: Path, console: Console) -> None:
    """What earlier sessions left, into a state folder."""

    def say(sentence: str) -> None:
        console.print(sentence, markup=False, soft_wrap=True)

    api = github.api(SystemClock())
    try:
        state.mkdir(parents=True, exist_ok=True)
        gather(api, github.workflow, github.repository or "", state, say)
    finally:
        api.close()


def run_id_of(corpus: str, found: IngestResult, settings: Settings) -> str:
    """``papers-1f3a9c02`` for ``data/papers.jsonl``: the same corpus and model, the same run."""
    stem = _FOREIGN.sub("-", Path(corpus).name.partition(".")[0]).strip("-._")[:48] or "corpus"
    mark = sha256_of([found.sha256, settings.model, settings.target_language, settings.full_text])
    return f"{stem}-{mark[:8]}"


def _submitted(adapters: State, settings: Settings, wish: Wish, found: IngestResult) -> RunRecord:
    try:
        cut = adapters.ledger.run(settings.run_id).spec.batch_papers  # batches of a run are cut once
    except UnknownRunError:
        cut = _batch_papers(wish, found, settings)
    submit_run(adapters, run_request(settings.model_copy(update={"batch_papers": cut}), found))
    return adapters.ledger.run(settings.run_id)


def _batch_papers(wish: Wish, found: IngestResult, settings: Settings) -> int:
    tier = "extreme" if wish.tier == AUTO else wish.tier
    jobs, _ = shape_of(tier, wish.jobs, wish.workers)
    wanted = -(-(found.papers - found.same_as) // (jobs * _TARGET_BATCHES))
    return max(1, min(settings.batch_papers, wanted))
