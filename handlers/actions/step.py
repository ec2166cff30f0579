"""``paperfleet actions work``: one step of a job, from one checkpoint to the next.

Before a step the job draws an *allowance* from its share, and its next checkpoint records it; the step
spends no more. The newest checkpoint of a lost job therefore bounds what the job has spent since: that is
booked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rich.console import Console

from handlers.actions.begin import granted, left_of, read_job, write_job
from handlers.actions.session_plan import MIN_STEP, JobState, cost_to_go, next_allowance
from handlers.bootstrap import wiring
from handlers.bootstrap.state import State, SystemClock, open_state
from handlers.domain.money import NanoUsd
from handlers.domain.paper import TERMINAL
from handlers.domain.run import Control
from handlers.errors import UsageError
from handlers.local.fleet import Fleet, reap_dead_jobs
from handlers.local.state_lock import only_parent
from handlers.reporting.progress import JobPart, Progress
from handlers.runs.submit import emit
from handlers.settings import Settings

CANCEL_PATIENCE = 4.0
"""Seconds for calls in flight after a cancel: the runner kills the job after ten."""
_BUDGET = "budget_spent"

Trouble = Literal["", "fatal", "interrupted"]


@dataclass(frozen=True)
class _Before:
    """The ledger at the step's beginning."""

    drawn: NanoUsd
    pending: int
    control: Control


@dataclass(frozen=True)
class _End:
    """How the step's fleet came to an end."""

    seconds: float
    failure: str
    interrupted: bool


def step(settings: Settings, console: Console) -> tuple[JobState, Trouble]:
    """Work until the next checkpoint is due, the allowance is spent, or nothing is left. Returns the job and
    what went wrong, if anything did."""
    read_job(settings.state)  # a folder that no job has begun in is not made
    with only_parent(settings.state):
        job = read_job(settings.state)
        if job.stopped:
            return job, ""
        settings = step_settings(job, settings)
        with open_state(job.run_id, settings) as adapters:
            wiring.price(settings, adapters.ledger.run(job.run_id).spec.model)
            wiring.endpoint(settings)
            before = _armed(adapters, job)
            part = JobPart(before.pending - own_pending(adapters, job.run_id), job.share)
        clock = SystemClock()
        began = clock.monotonic()
        with Progress(console, part, endpoint=settings.base_url or "") as progress:
            fleet = Fleet(settings, progress, cut_off_after=CANCEL_PATIENCE)
            failure = fleet.run()
        end = _End(clock.monotonic() - began, failure, fleet.interrupted)
        with open_state(job.run_id, settings) as adapters:
            job, trouble = _ended(adapters, job, before, end)
        write_job(settings.state, job)
    return job, trouble


def own_pending(adapters: State, run_id: str) -> int:
    """Papers of the job's batches that have not ended; its ledger counts those of the other jobs too."""
    pending = 0
    for batch in adapters.ledger.unfinished_batches(run_id):
        rows = adapters.ledger.paper_rows(run_id, batch.ids)
        for position, paper_id in enumerate(batch.ids):
            if paper_id not in rows or rows[paper_id].status not in TERMINAL:
                pending += batch.weight(position)
    return pending


def step_settings(job: JobState, settings: Settings) -> Settings:
    """The settings of a job's step, without a webhook: its budget is one step's allowance, and its end is not
    the session's, of which plan and collect tell."""
    left = job.ends_at - SystemClock().now()
    changed = {
        "run_id": job.run_id,
        "session_id": job.session,
        "jobs": 1,
        "workers": job.workers,
        "rpm": job.rpm,
        "tpm": job.tpm,
        "limit": job.limit,
        "deadline": max(MIN_STEP, min(job.checkpoint_seconds, left)),
        "webhook": None,
        "webhook_secret": None,
    }
    return settings.model_copy(update=changed)


def _armed(adapters: State, job: JobState) -> _Before:
    """Give the allowance back to the share, and set it as the step's budget."""
    ledger = adapters.ledger
    if not job.grant:
        raise UsageError(f"job {job.job} has no allowance: `paperfleet actions begin` draws one")
    ledger.give_back(job.run_id, job.grant, 2, job.allowance)
    ledger.end_job(job.run_id, job.grant, at=adapters.clock.now(), outcome="returned", stats=None)
    reap_dead_jobs(adapters, job.run_id)
    drawn = ledger.budget_state(job.run_id).drawn
    ledger.set_budget(job.run_id, NanoUsd(drawn + job.allowance))
    adapters.queue.purge()
    emit(adapters, job.run_id)
    pending = ledger.totals(job.run_id).counts["pending"]
    return _Before(drawn, pending, ledger.control(job.run_id))


def _ended(adapters: State, job: JobState, before: _Before, end: _End) -> tuple[JobState, Trouble]:
    ledger = adapters.ledger
    control = ledger.control(job.run_id)
    ledger.set_budget(job.run_id, job.share)
    job = job.model_copy(update={"step": job.step + 1, "grant": "", "allowance": 0})
    out_of_money = control.state == "parked" and control.reason.startswith(_BUDGET)
    if end.failure or (control.state == "parked" and not out_of_money):
        return job.model_copy(update={"stopped": end.failure or control.reason}), "fatal"
    if out_of_money:  # the allowance is spent, not necessarily the run's budget
        ledger.set_control(job.run_id, before.control)
    if end.interrupted:
        return job.model_copy(update={"stopped": "interrupted"}), "interrupted"
    spent = ledger.budget_state(job.run_id).drawn - before.drawn
    stopped = _stopped(adapters, job, before, spent, out_of_money=out_of_money)
    if stopped:
        return job.model_copy(update={"stopped": stopped}), ""
    wanted = next_allowance(
        left_of(adapters, job),
        least=job.least_allowance,
        spent=spent,
        seconds=end.seconds,
        checkpoint=job.checkpoint_seconds,
        to_go=_to_go(adapters, job.run_id, spent, before.pending),
    )
    return granted(adapters, job, wanted), ""


def _to_go(adapters: State, run_id: str, spent: int, pending_before: int) -> NanoUsd | None:
    """Expected upper bound of the unfinished batches' cost; None if no paper has ended."""
    ended = pending_before - adapters.ledger.totals(run_id).counts["pending"]
    papers = sum(len(batch.ids) for batch in adapters.ledger.unfinished_batches(run_id))
    return cost_to_go(spent, ended, papers)


def _stopped(adapters: State, job: JobState, before: _Before, spent: int, *, out_of_money: bool) -> str:
    """Why no step follows; "" if one does."""
    ledger = adapters.ledger
    if next(ledger.unfinished_batches(job.run_id), None) is None:
        return "finished"
    mine = [each for each in ledger.jobs(job.run_id) if each.session_id == job.session]
    reached = job.limit is not None and any(each.outcome == "limit" for each in mine)
    if reached and not _has_begun(adapters, job.run_id):
        return "limit"
    if job.ends_at - adapters.clock.now() < 2 * MIN_STEP:
        return "deadline"
    if spent > 0 or ledger.totals(job.run_id).counts["pending"] < before.pending:
        return ""
    if out_of_money:
        return "share_spent"
    return "" if mine and mine[-1].outcome == "deadline" else "no_progress"


def _has_begun(adapters: State, run_id: str) -> bool:
    """Whether a paper that has answers is pending: a whole one may take more than a step."""
    for batch in adapters.ledger.unfinished_batches(run_id):
        rows = adapters.ledger.paper_rows(run_id, batch.ids).values()
        if any(row.status == "pending" and row.pointer is not None for row in rows):
            return True
    return False
