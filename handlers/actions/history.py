"""The newest state of every job of every session that nobody has merged yet, out of a workflow's artifacts.

A session's jobs save ``paperfleet-job-<attempt>-<job>-<slot>``, each its own: no two jobs write one name.
What *collect* makes of them is ``paperfleet-state-<attempt>``. So the newest collected state and the job
states that came after it hold everything, also after sessions that failed, were cancelled or run again.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from handlers.actions.session import JOB_FILE, JobState
from handlers.adapters.github_api import Artifact, GitHubApi, UnavailableError, WorkflowRun
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.domain.job import JobRecord, JobStats
from handlers.errors import PaperfleetError, UsageError
from handlers.local.merge import runs_of, take_in
from handlers.state_paths import LEDGER

PREFIX = "paperfleet"
_NAME = re.compile(rf"{PREFIX}-(plan|job|state)-(\d+)(?:-(\d+)-([a-z0-9]+))?")
_MOST_RUNS = 200
"""Runs that are looked at, each with a request of its own; of older ones only those that keep something."""
_ATTEMPTS = 5
"""Attempts of a run under whose names a plan or a collected state is looked for."""

Say = Callable[[str], None]


@dataclass
class Saved:
    """What one workflow run has saved. Newest first, where there are several."""

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
        """Plan and jobs of later attempts; for each, what to try, newest first."""
        plans = [each for each in self.plans if attempt_of(each) > self.collected]
        if plans:
            yield plans
        for (attempt, _job), checkpoints in sorted(self.jobs.items()):
            if attempt > self.collected:
                yield checkpoints


def saved_by(api: GitHubApi, workflow: str, repository: str) -> Iterator[Saved]:
    """Runs of the workflow, newest first. Those of forks and pull requests do not count: their artifacts are
    whatever a stranger put there. However far back the last session lies, it is found."""
    keeping: set[int] | None = None
    for number, run in enumerate(api.runs(workflow)):
        if number >= _MOST_RUNS:
            keeping = _keeping(api) if keeping is None else keeping
            if not keeping:
                return
            if run.id not in keeping:
                continue
            keeping.discard(run.id)
        ours = run.head_repository is not None and run.head_repository.full_name == repository
        if ours and not run.event.startswith("pull_request"):
            yield _sorted(run, api.artifacts(run.id))


def _keeping(api: GitHubApi) -> set[int]:
    """Runs that keep a plan or a collected state. A session has planned before any of its jobs has paid."""
    names = [f"{PREFIX}-{kind}-{n}" for kind in ("plan", "state") for n in range(1, _ATTEMPTS + 1)]
    return set().union(*(api.runs_with(name) for name in names))


def gather(api: GitHubApi, workflow: str, repository: str, into: Path, say: Say) -> list[Saved]:
    """Merge everything that has been saved and not yet been collected, and the last collected state, into a
    state folder; returns the runs that it came from, newest first.

    UsageError if the last collected state cannot be had, or a job's now: starting without would pay again.
    """
    looked_at: list[Saved] = []
    for saved in saved_by(api, workflow, repository):
        looked_at.append(saved)
        if saved.states:
            break
    for saved in reversed(looked_at):
        if saved.states:
            _collected(api, saved, into, say)
        for candidates in saved.uncollected():
            if not _newest_good(api, candidates, into, say) and "-job-" in candidates[0].name:
                raise UsageError(
                    f"no checkpoint {candidates[0].name.rpartition('-')[0]} of run {saved.run.id} can be"
                    " used. It holds what was paid for; a session without it would pay again. To go on all"
                    " the same, delete these artifacts"
                )
    return looked_at


def own_state(api: GitHubApi, run_id: int, since: int, job: int, into: Path, say: Say) -> bool:
    """Restore what attempts of this run saved of a job since the one that planned its session; False if
    there is nothing. UsageError if there is, and it cannot be used."""
    saved = _sorted(api.run(run_id), api.artifacts(run_id))
    mine = [
        candidates
        for (attempt, number), candidates in sorted(saved.jobs.items())
        if number == job and attempt >= since
    ]
    good = [_newest_good(api, candidates, into, say, files=True) for candidates in mine]
    if not all(good):
        raise UsageError(
            f"job {job} of run {run_id} saved checkpoints that cannot be used: to go on without would pay"
            " again. Start a new session in place of running this one again"
        )
    return bool(good)


def _sorted(run: WorkflowRun, artifacts: list[Artifact]) -> Saved:
    saved = Saved(run)
    for artifact in sorted(artifacts, key=lambda each: (each.created_at, each.id), reverse=True):
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


def attempt_of(artifact: Artifact) -> int:
    match = _NAME.fullmatch(artifact.name)
    return int(match[2]) if match else 0


def _collected(api: GitHubApi, saved: Saved, into: Path, say: Say) -> None:
    newest = max(saved.states, key=attempt_of)
    try:
        _merge(api, newest, into)
    except PaperfleetError as error:
        raise UsageError(
            f"{newest.name} of run {saved.run.id} cannot be used: {error}. It holds what was paid for;"
            " a session without it would pay again. To start anew all the same, delete that workflow run"
        ) from error
    say(f"run {saved.run.id}: {newest.name} merged")


def _newest_good(
    api: GitHubApi, candidates: list[Artifact], into: Path, say: Say, *, files: bool = False
) -> bool:
    """The newest that can be read; a checkpoint that was cut off leaves the one before it. One that cannot be
    fetched now is not taken for lost, nor is one that there is no room for. What a job spent after the one
    before is not known: the rest of its share is booked as indeterminate."""
    for number, artifact in enumerate(candidates):
        try:
            _merge(api, artifact, into, files=files, lost=number > 0)
        except UnavailableError:
            raise
        except PaperfleetError as error:
            say(f"{artifact.name} cannot be used ({error}); trying the one before it")
        else:
            rest = (
                ": the rest of its share is booked as indeterminate"
                if number and "-job-" in artifact.name
                else ""
            )
            say(f"{artifact.name} merged{rest}")
            return True
    return False


def _merge(
    api: GitHubApi, artifact: Artifact, into: Path, *, files: bool = False, lost: bool = False
) -> None:
    with tempfile.TemporaryDirectory(prefix="paperfleet-artifact-") as name:
        folder = Path(name)
        api.download(artifact, folder)
        if lost and (folder / JOB_FILE).exists():
            _book_rest(folder)
        runs = runs_of(folder)
        if not runs:
            raise UsageError(f"{artifact.name}: its {LEDGER} is gone or empty")
        for run_id in runs:
            take_in(into, folder, run_id)
        if files:
            for path in folder.glob("*.json"):
                shutil.copyfile(path, into / path.name)


def _book_rest(folder: Path) -> None:
    """Draw what is left of a job's share for the steps that only a lost checkpoint knew of: no later session
    spends it. Without a budget, what the step before was allowed stands for the one that is not known."""
    try:
        job = JobState.model_validate_json((folder / JOB_FILE).read_bytes())
    except ValueError as error:
        raise UsageError(f"{JOB_FILE} cannot be read: {error}") from error
    ledger = SqliteLedger(folder / LEDGER)
    try:
        held = ledger.budget_state(job.run_id).held
        rest = max(job.allowance, job.least_allowance) if job.share is None else max(0, job.share - held)
        name = f"{job.session}-job-{job.job:03d}-lost-{job.step:02d}-{job.attempt}"
        at = job.started_at
        record = JobRecord(
            name, job.run_id, job.session, f"{job.session}:0:0", 0, at, at, None, "", JobStats()
        )
        ledger.start_job(record)
        ledger.set_budget(job.run_id, job.share)
        if rest and not ledger.draw(job.run_id, name, 1, rest):
            raise UsageError(f"job {job.job}: its share does not hold what its ledger says is left")
    finally:
        ledger.close()
