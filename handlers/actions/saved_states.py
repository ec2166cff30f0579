"""Saved states in a workflow's artifacts: the newest of every job that no session has merged yet.

Each job of a session saves ``paperfleet-job-<attempt>-<job>-<slot>``; no two jobs write the same name.
*collect* merges them into ``paperfleet-state-<attempt>``. The newest collected state and the job states after
it therefore hold everything, also after sessions that failed, were cancelled or were run again.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice
from pathlib import Path

from rich.console import Console

from handlers.actions.environment import GitHubEnvironment
from handlers.actions.session_plan import JOB_FILE, JobState
from handlers.adapters.github_api import Artifact, GitHubApi, GitHubAwayError, WorkflowRun
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.domain.job import JobRecord, JobStats
from handlers.errors import PaperfleetError, UsageError
from handlers.local.merge import merge_state, runs_of
from handlers.state_paths import LEDGER

PREFIX = "paperfleet"
_NAME = re.compile(rf"{PREFIX}-(plan|job|state)-(\d+)(?:-(\d+)-([a-z0-9]+))?")
_SLOTS = (("z",), ("a", "b"), ("0",))
"""Last parts of a job's names, from its end to its beginning: backfill.yml and its step have them."""
_MOST_RUNS = 200
"""Runs that are looked at one by one; of older runs only those with artifacts of ours."""
_ATTEMPTS = 5
"""Attempts of an older run whose plan or collected state is looked for."""


@dataclass
class SavedRun:
    """The artifacts of one workflow run, each list newest first."""

    run: WorkflowRun
    states: list[Artifact] = field(default_factory=list)
    plans: list[Artifact] = field(default_factory=list)
    jobs: dict[tuple[int, int], list[Artifact]] = field(default_factory=dict)
    """(attempt, job) → its checkpoints."""

    @property
    def collected(self) -> int:
        """Attempt of the newest collected state; 0 if there is none."""
        return max((attempt_of(each) for each in self.states), default=0)

    def uncollected(self) -> Iterator[list[Artifact]]:
        """Plan and jobs of the attempts after the collected one: for each, the candidates, newest first."""
        plans = [each for each in self.plans if attempt_of(each) > self.collected]
        if plans:
            yield plans
        for (attempt, _job), checkpoints in sorted(self.jobs.items()):
            if attempt > self.collected:
                yield checkpoints


def gather(github: GitHubEnvironment, into: Path, console: Console) -> None:
    """Merge the last collected state and everything saved since into a state folder.

    UsageError if one of these states cannot be read: starting without it would pay again.
    """
    into.mkdir(parents=True, exist_ok=True)
    with github.api() as api:
        merger = _Merger(api, into, console)
        newest_first: list[SavedRun] = []
        for saved in _saved_runs(api, github):
            newest_first.append(saved)
            if saved.states:
                break
        for saved in reversed(newest_first):
            if saved.states:
                merger.merge_collected(saved)
            for candidates in saved.uncollected():
                if not merger.merge_newest(candidates) and "-job-" in candidates[0].name:
                    raise UsageError(
                        f"no checkpoint {candidates[0].name.rpartition('-')[0]} of run {saved.run.id} can be"
                        " used. It holds what was paid for; a session without it would pay again. To go on"
                        " all the same, delete these artifacts"
                    )


def forget_superseded(github: GitHubEnvironment, console: Console) -> None:
    """Delete collected states before the newest one, which holds all that they hold: storage is paid for by
    the hour. Where GitHub refuses, they stay until they expire."""
    try:
        with github.api() as api:
            runs = {run.id for run in islice(_own_runs(api, github), _MOST_RUNS)}
            names = [f"{PREFIX}-state-{attempt}" for attempt in range(1, _ATTEMPTS + 1)]
            states = [each for name in names for each in api.artifacts_named(name) if not each.expired]
            ours = [each for each in states if each.workflow_run is not None and each.workflow_run.id in runs]
            for artifact in sorted(ours, key=_run_and_attempt)[:-1]:
                api.delete(artifact)
    except PaperfleetError as error:
        console.print(f"older states are kept: {error}", markup=False, soft_wrap=True)


def _run_and_attempt(state: Artifact) -> tuple[int, int]:
    return (state.workflow_run.id if state.workflow_run else 0), attempt_of(state)


def gather_folders(folders: Sequence[Path], into: Path, console: Console) -> None:
    """Merge states that lie on this machine: what ``gather`` does with artifacts, without GitHub. UsageError
    if one of them is none."""
    for folder in folders:
        if not (runs := runs_of(folder) if (folder / LEDGER).is_file() else []):
            raise UsageError(f"{folder}: there is no {LEDGER} of a plan or a job in it")
        for run_id in runs:
            merge_state(into, folder, run_id)
        console.print(f"{folder} merged", markup=False, soft_wrap=True)


def restore_job(github: GitHubEnvironment, since: int, job: int, into: Path, console: Console) -> bool:
    """Restore what attempts of this workflow run saved of a job since attempt ``since``, which planned its
    session; False if nothing was saved. A job asks for its own names alone: of all jobs' together there are
    thousands, and a repository's token has 1,000 requests an hour for all of them.

    UsageError if what was saved cannot be used, or if a later session has planned it already.
    """
    with github.api() as api:
        _refuse_outdated(api, github, since)
        merger = _Merger(api, into, console)
        restored = []
        for attempt in range(since, github.run_attempt):
            checkpoints = _checkpoints(api, github.run_id, f"{PREFIX}-job-{attempt}-{job}")
            if (newest := next(checkpoints, None)) is not None:
                restored.append(merger.merge_newest(chain([newest], checkpoints), files=True))
    if not all(restored):
        raise UsageError(
            f"job {job} of run {github.run_id} saved checkpoints that cannot be used: to go on without would"
            " pay again. Start a new session in place of running this one again"
        )
    return bool(restored)


def _checkpoints(api: GitHubApi, run_id: int, prefix: str) -> Iterator[Artifact]:
    """Of one job and attempt, newest first; the next names are asked for once the ones before are used up.
    What is saved at a job's end is newer than its checkpoints, and those than its beginning."""
    for slots in _SLOTS:
        found = [each for slot in slots for each in api.artifacts(run_id, f"{prefix}-{slot}")]
        yield from sorted(found, key=_made, reverse=True)


def _refuse_outdated(api: GitHubApi, github: GitHubEnvironment, since: int) -> None:
    for run in _own_runs(api, github):
        if run.id > github.run_id:
            attempts = range(1, run.run_attempt + 1)
            names = [f"{PREFIX}-{kind}-{n}" for n in attempts for kind in ("plan", "state")]
        else:
            names = [f"{PREFIX}-plan-{n}" for n in range(since + 1, github.run_attempt + 1)]
        if any(api.artifacts(run.id, name) for name in names):
            raise UsageError(
                f"workflow run {run.id} has planned since what was left here: this plan is out of date."
                " Start a new session in place of running this one again"
            )
        if run.id <= github.run_id:
            return


def _own_runs(api: GitHubApi, github: GitHubEnvironment) -> Iterator[WorkflowRun]:
    """Runs of the workflow, newest first. Those of forks and pull requests are left out: a stranger chooses
    their artifacts."""
    for run in api.runs(github.workflow):
        ours = run.head_repository is not None and run.head_repository.full_name == github.repository
        if ours and not run.event.startswith("pull_request"):
            yield run


def _saved_runs(api: GitHubApi, github: GitHubEnvironment) -> Iterator[SavedRun]:
    """The workflow's runs with what they saved, newest first, however far back the last session lies."""
    keeping: set[int] | None = None
    for number, run in enumerate(_own_runs(api, github)):
        if number >= _MOST_RUNS:
            keeping = _keeping(api) if keeping is None else keeping
            if not keeping:
                return
            if run.id not in keeping:
                continue
            keeping.discard(run.id)
        yield _sorted(run, api.artifacts(run.id))


def _keeping(api: GitHubApi) -> set[int]:
    """Runs that keep a plan or a collected state. A session has planned before any of its jobs has paid."""
    names = [f"{PREFIX}-{kind}-{n}" for kind in ("plan", "state") for n in range(1, _ATTEMPTS + 1)]
    kept = chain.from_iterable(api.artifacts_named(name) for name in names)
    return {each.workflow_run.id for each in kept if each.workflow_run is not None}


def _sorted(run: WorkflowRun, artifacts: list[Artifact]) -> SavedRun:
    saved = SavedRun(run)
    for artifact in sorted(artifacts, key=_made, reverse=True):
        match = _NAME.fullmatch(artifact.name)
        if match is None:
            continue
        kind, attempt, job = match[1], int(match[2]), match[3]
        if kind == "job" and job is not None:
            saved.jobs.setdefault((attempt, int(job)), []).append(artifact)
        elif kind == "state":
            saved.states.append(artifact)
        elif kind == "plan":
            saved.plans.append(artifact)
    return saved


def _made(artifact: Artifact) -> tuple[datetime, int]:
    return artifact.created_at, artifact.id


def attempt_of(artifact: Artifact) -> int:
    match = _NAME.fullmatch(artifact.name)
    return int(match[2]) if match else 0


class _Merger:
    """Merges artifacts into a state folder and says so."""

    def __init__(self, api: GitHubApi, into: Path, console: Console) -> None:
        self._api = api
        self._into = into
        self._console = console

    def merge_collected(self, saved: SavedRun) -> None:
        newest = max(saved.states, key=attempt_of)
        try:
            self._merge(newest)
        except PaperfleetError as error:
            raise UsageError(
                f"{newest.name} of run {saved.run.id} cannot be used: {error}. It holds what was paid for;"
                " a session without it would pay again. To start anew all the same, delete that workflow run"
            ) from error
        self._say(f"run {saved.run.id}: {newest.name} merged")

    def merge_newest(self, candidates: Iterable[Artifact], *, files: bool = False) -> bool:
        """Merge the newest candidate that can be read; False if none can. A damaged checkpoint leaves the one
        before it, and the rest of the job's share is booked as indeterminate. GitHubAwayError, which says
        that GitHub does not hand one out now, is raised: such a checkpoint is not lost."""
        for number, artifact in enumerate(candidates):
            try:
                self._merge(artifact, files=files, lost=number > 0)
            except GitHubAwayError:
                raise
            except PaperfleetError as error:
                self._say(f"{artifact.name} cannot be used ({error}); trying the one before it")
            else:
                is_behind = number and "-job-" in artifact.name
                rest = ": the rest of its share is booked as indeterminate" if is_behind else ""
                self._say(f"{artifact.name} merged{rest}")
                return True
        return False

    def _merge(self, artifact: Artifact, *, files: bool = False, lost: bool = False) -> None:
        with tempfile.TemporaryDirectory(prefix="paperfleet-artifact-") as name:
            folder = Path(name)
            self._api.download(artifact, folder)
            if lost and (folder / JOB_FILE).exists():
                _book_rest(folder)
            runs = runs_of(folder)
            if not runs:
                raise UsageError(f"{artifact.name}: its {LEDGER} is gone or empty")
            for run_id in runs:
                merge_state(self._into, folder, run_id)
            if files:
                for path in folder.glob("*.json"):
                    shutil.copyfile(path, self._into / path.name)

    def _say(self, sentence: str) -> None:
        self._console.print(sentence, markup=False, soft_wrap=True)


def _book_rest(folder: Path) -> None:
    """Draw the rest of a job's share for the steps that only a lost checkpoint recorded, so that no later
    session spends it. Without a budget, the allowance of the step before stands for the unknown one."""
    try:
        job = JobState.model_validate_json((folder / JOB_FILE).read_bytes())
    except ValueError as error:
        raise UsageError(f"{JOB_FILE} cannot be read: {error}") from error
    ledger = SqliteLedger(folder / LEDGER)
    try:
        drawn = ledger.budget_state(job.run_id).drawn
        rest = max(job.allowance, job.least_allowance) if job.share is None else max(0, job.share - drawn)
        name = f"{job.session}-job-{job.job:03d}-lost-{job.step:02d}-{job.attempt}"
        at = job.started_at
        record = JobRecord(
            name, job.run_id, job.session, f"{job.session}:0:0", 0, at, at, None, "", JobStats()
        )
        ledger.start_job(record)
        ledger.set_budget(job.run_id, job.share)
        if rest and ledger.draw(job.run_id, name, 1, rest) != "drawn":
            raise UsageError(f"job {job.job}: its share does not hold what its ledger says is left")
    finally:
        ledger.close()
