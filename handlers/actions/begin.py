"""``paperfleet actions begin``: makes a job's state out of the plan, or out of its own checkpoint."""

from __future__ import annotations

import shutil
from pathlib import Path

from rich.console import Console

from handlers.actions.environment import GitHubEnvironment
from handlers.actions.plan_folder import carried_key
from handlers.actions.saved_states import restore_job
from handlers.actions.session_plan import JOB_FILE, PLAN_FILE, JobShare, JobState, SessionPlan
from handlers.adapters.sqlite.ledger_slice import slice_ledger
from handlers.atomic_file import replacing
from handlers.bootstrap.state import State, SystemClock, open_state
from handlers.domain.job import JobRecord, JobStats
from handlers.domain.money import NanoUsd
from handlers.domain.run import Control
from handlers.errors import UsageError
from handlers.settings import Settings
from handlers.state_paths import CORPORA, LEDGER, SEGMENTS, TASKS, run_folder


def read_plan(folder: Path) -> SessionPlan:
    """UsageError if the folder holds no plan of this version."""
    try:
        return SessionPlan.model_validate_json((folder / PLAN_FILE).read_bytes())
    except FileNotFoundError as error:
        raise UsageError(f"{folder}: no plan of a session: `paperfleet actions plan` writes one") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder / PLAN_FILE}: no plan of a session: {error}") from error


def read_job(state: Path) -> JobState:
    """UsageError if the job has not begun."""
    try:
        return JobState.model_validate_json((state / JOB_FILE).read_bytes())
    except FileNotFoundError as error:
        begin_first = f"`paperfleet actions begin --plan PLAN --job NUMBER --state {state}`"
        raise UsageError(f"{state}: no job has begun here: {begin_first}") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{state / JOB_FILE}: cannot be read: {error}") from error


def write_job(state: Path, job: JobState) -> None:
    """Replace the job's file, whole or not at all."""
    with replacing(state / JOB_FILE, durable=False) as scratch:
        scratch.write_text(job.model_dump_json(indent=2), encoding="utf-8")


def begin(
    plan_folder: Path, number: int, settings: Settings, github: GitHubEnvironment, console: Console
) -> JobState:
    """Make the job's state folder and draw its first allowance, which the next checkpoint records."""
    plan, state = read_plan(plan_folder), settings.state
    if state.exists() and any(state.iterdir()):
        raise UsageError(f"{state}: a job begins in an empty folder")
    state.mkdir(parents=True, exist_ok=True)
    job = _job(plan, plan.share(number), github.run_attempt, SystemClock().now())
    planned_in = int(plan.session.rpartition("-")[2])
    # a plan's copy of the job would pay again for what the job's own checkpoint has
    restored = github.run_attempt > 1 and restore_job(github, planned_in, number, state, console)
    if restored:
        job = job.model_copy(update={"step": read_job(state).step})
    else:
        _slice(plan, plan_folder, number, state)
    _copy_objects(plan, plan_folder, state)
    with open_state(plan.run_id, settings.model_copy(update={"run_id": plan.run_id})) as adapters:
        if restored:  # the cause that stopped it may be gone
            adapters.ledger.set_control(plan.run_id, Control("active", "", job.started_at))
        job = granted(adapters, job, job.least_allowance)
    write_job(state, job)
    return job


def _slice(plan: SessionPlan, plan_folder: Path, number: int, state: Path) -> None:
    share = plan.share(number)
    slice_ledger(
        plan_folder / LEDGER,
        state / LEDGER,
        plan.run_id,
        share.batches,
        budget=share.budget,
        session=plan.session,
        limit=share.limit,
        carried=carried_key(plan),
    )


def granted(adapters: State, job: JobState, wanted: NanoUsd) -> JobState:
    """The job with an allowance of ``wanted`` for its next step, or with the rest of its share; stopped if
    nothing is left. The ledger holds the allowance under ``grant`` until the step begins."""
    left = left_of(adapters, job)
    amount = wanted if left is None else NanoUsd(max(0, min(wanted, left)))
    if wanted and not amount:  # a model without a price wants nothing
        return job.model_copy(update={"stopped": "share_spent"})
    grant = f"{job.session}-job-{job.job:03d}-step-{job.step + 1:02d}-{job.attempt}"
    now = adapters.clock.now()
    owner = f"{job.session}:0:0"  # no process of this machine
    adapters.ledger.start_job(
        JobRecord(grant, job.run_id, job.session, owner, 0, now, now, None, "", JobStats())
    )
    adapters.ledger.set_budget(job.run_id, job.share)
    if adapters.ledger.draw(job.run_id, grant, 1, amount) != "drawn":
        raise UsageError(f"job {job.job}: its share does not hold what its ledger says is left")
    return job.model_copy(update={"allowance": amount, "grant": grant})


def left_of(adapters: State, job: JobState) -> NanoUsd | None:
    """The part of the job's share that is not drawn; None without a budget."""
    if job.share is None:
        return None
    return NanoUsd(job.share - adapters.ledger.budget_state(job.run_id).drawn)


def _job(plan: SessionPlan, share: JobShare, attempt: int, now: float) -> JobState:
    return JobState(
        session=plan.session,
        run_id=plan.run_id,
        job=share.job,
        attempt=attempt,
        step=0,
        started_at=now,
        ends_at=now + plan.job_seconds,
        share=share.budget,
        workers=plan.workers,
        rpm=share.rpm,
        tpm=share.tpm,
        limit=share.limit,
        checkpoint_seconds=plan.checkpoint_seconds,
        allowance=0,
        least_allowance=plan.first_allowance(share),
        grant="",
    )


def _copy_objects(plan: SessionPlan, plan_folder: Path, state: Path) -> None:
    """Copy the answers of interrupted papers; link to the plan's corpus and task file."""
    for source in (run_folder(plan_folder, plan.run_id) / SEGMENTS).glob("*.jsonl"):
        target = state / source.relative_to(plan_folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    for name in (CORPORA, TASKS):
        if (plan_folder / name).is_dir():
            (state / name).symlink_to((plan_folder / name).resolve(), target_is_directory=True)
