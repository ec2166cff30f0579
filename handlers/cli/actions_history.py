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
from itertools import islice
from pathlib import Path

from handlers.adapters.github_api import Artifact, GitHubApi, UnavailableError, WorkflowRun
from handlers.cli.merge import runs_of, take_in
from handlers.errors import PaperfleetError, UsageError

PREFIX = "paperfleet"
_NAME = re.compile(rf"{PREFIX}-(plan|job|state)-(\d+)(?:-(\d+)-([a-z0-9]+))?")
_MOST_RUNS = 200
"""Runs that are looked at, each with a request of its own."""

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
    whatever a stranger put there."""
    for run in islice(api.runs(workflow), _MOST_RUNS):
        ours = run.head_repository is not None and run.head_repository.full_name == repository
        if ours and not run.event.startswith("pull_request"):
            yield _sorted(run, api.artifacts(run.id))


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
            _newest_good(api, candidates, into, say)
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
    fetched now is not taken for lost, nor is one that there is no room for."""
    for artifact in candidates:
        try:
            _merge(api, artifact, into, files=files)
        except UnavailableError:
            raise
        except PaperfleetError as error:
            say(f"{artifact.name} cannot be used ({error}); trying the one before it")
        else:
            say(f"{artifact.name} merged")
            return True
    return False


def _merge(api: GitHubApi, artifact: Artifact, into: Path, *, files: bool = False) -> None:
    with tempfile.TemporaryDirectory(prefix="paperfleet-artifact-") as name:
        folder = Path(name)
        api.download(artifact, folder)
        for run_id in runs_of(folder):
            take_in(into, folder, run_id)
        if files:
            for path in folder.glob("*.json"):
                shutil.copyfile(path, into / path.name)
