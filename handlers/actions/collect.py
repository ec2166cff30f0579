"""``paperfleet actions collect``: merges what the jobs saved into one state that adds up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from handlers.actions.begin import read_plan
from handlers.actions.environment import GitHubEnvironment
from handlers.actions.planner import RESULT_SUFFIX, budget_shortfall, reservation
from handlers.actions.queue_times import QueueStatus
from handlers.actions.saved_states import forget_superseded, gather, gather_folders
from handlers.actions.session_messages import tell_end
from handlers.actions.session_plan import PLAN_FILE, SessionPlan
from handlers.actions.tiers import SessionResult
from handlers.actions.workflow_status import queue_of
from handlers.bootstrap import wiring
from handlers.bootstrap.state import State, export_processes, open_state
from handlers.counted import counted
from handlers.domain.job import JobRecord
from handlers.domain.money import usd
from handlers.domain.paper import TERMINAL
from handlers.domain.run import Control
from handlers.domain.run_report import RunReport
from handlers.errors import PaperfleetError
from handlers.local.named_outputs import keep_apart
from handlers.reporting.markdown import to_markdown
from handlers.results.export import export_jsonl
from handlers.results.run_answers import with_answers
from handlers.runs.summarise import summarise
from handlers.settings import Settings
from handlers.state_paths import LEDGER, SESSIONS, run_folder

Saved = GitHubEnvironment | Sequence[Path]
"""Where the jobs' states are: the artifacts of a workflow run, or their folders themselves in a rehearsal."""

_WRITTEN = ("report.json", "report.md", "results.jsonl")
"""Files of the output folder."""


@dataclass(frozen=True)
class CollectedSession:
    """A session that has ended, its jobs merged."""

    plan: SessionPlan
    report: RunReport
    queue: QueueStatus | None
    wrong: tuple[str, ...]
    """Inconsistencies of the ledger; none unless something is broken."""
    progress: int
    """Papers that came to an end in it."""
    remaining: int
    """Papers still to be done, as far as ``total_papers`` asks for them."""
    answered: int = 0
    """Calls that were answered in it; those of papers that are pending are kept too."""

    @property
    def parked(self) -> bool:
        return self.report.state in ("parked", "cancelled")

    @property
    def go_on(self) -> bool:
        """Whether another session would make progress."""
        got_further = self.progress > 0 or self.answered > 0
        return not self.parked and not self.wrong and self.remaining > 0 and got_further

    @property
    def verdict(self) -> str:
        if self.wrong:
            return "The counts do not add up: " + "; ".join(self.wrong)
        if self.parked:
            return f"{self.report.state}: {self.report.reason}"
        if not self.remaining:
            return (
                "Nothing is pending." if not self.report.counts["pending"] else "As far as total_papers asks."
            )
        pending = f"{counted(self.remaining, 'paper is', 'papers are')} pending"
        if not self.progress and self.answered:
            kept = counted(self.answered, "call was", "calls were")
            return f"{pending}, and {kept} answered: the next session goes on from there."
        if not self.progress:
            return f"{pending}, and this session ended none: their jobs' logs say why."
        return f"{pending}: the next session goes on with them."


def collect(
    settings: Settings, plan_folder: Path, saved: Saved, output: Path, console: Console
) -> CollectedSession:
    """Merge into the settings' state folder, check the sums, and write report and results to ``output``."""
    plan = read_plan(plan_folder)
    read = [] if isinstance(saved, GitHubEnvironment) else [each / LEDGER for each in saved]
    keep_apart(settings, [("--output", output / name) for name in _WRITTEN], plan_folder / PLAN_FILE, *read)
    queue = None
    if isinstance(saved, GitHubEnvironment):
        gather(saved, settings.state, console)
        forget_superseded(saved, console)
        queue = _queue(saved, console)
    else:
        gather_folders([plan_folder, *saved], settings.state, console)
    settings = settings.model_copy(update={"run_id": plan.run_id})
    with open_state(plan.run_id, settings) as adapters:
        adapters.ledger.set_budget(plan.run_id, plan.budget)  # a merge keeps the largest that ever was
        _remember(plan, adapters, queue)
        _park_if_spent(plan, adapters, settings)
        report = summarise(
            adapters, plan.run_id, is_alive=lambda _owner: False, detail=True, with_queue=False
        )
        report = with_answers(report, adapters)
        wrong = tuple(inconsistencies(adapters, plan.run_id, report))
        progress = plan.pending - report.counts["pending"]
        answered = 0 if plan.answered is None else report.calls.ok - plan.answered
        collected = CollectedSession(plan, report, queue, wrong, progress, _remaining(plan, report), answered)
        _write(adapters, plan.run_id, report, output)
    tell_end(settings, plan, "inconsistent" if wrong else report.state)
    return collected


def inconsistencies(adapters: State, run_id: str, report: RunReport) -> Sequence[str]:
    """Sums of the report that differ from the ledger's rows, jobs and money."""
    problems = []
    rows = dict.fromkeys(TERMINAL, 0)
    for row in adapters.ledger.entries(run_id):
        if row.status != "pending":
            rows[row.status] += row.weight
    for status, count in rows.items():
        if report.counts[status] != count:
            problems.append(
                f"{counted(report.counts[status], 'paper')} {status} by batches, {count:,} by papers"
            )
    if sum(report.counts.values()) != report.papers:
        problems.append(
            f"{counted(sum(report.counts.values()), 'paper')} in all states, {report.papers:,} in the corpus"
        )
    state = adapters.ledger.budget_state(run_id)
    if state.drawn != state.spend + state.held:
        problems.append(
            f"{state.drawn} nano-USD drawn while nobody works, {state.spend} spent, {state.held} held"
        )
    if state.budget is not None and state.spend > state.budget:
        problems.append(f"${usd(state.spend)} spent of ${usd(state.budget)}")
    return problems


def _park_if_spent(plan: SessionPlan, adapters: State, settings: Settings) -> None:
    """Park the run if what its jobs gave back does not pay another call."""
    record = adapters.ledger.run(plan.run_id)
    call = reservation(adapters, record, wiring.price(settings, record.spec.model))
    if call and (shortfall := budget_shortfall(adapters, plan.run_id, call)):
        adapters.ledger.park(plan.run_id, Control("parked", shortfall, adapters.clock.now()))


def _remaining(plan: SessionPlan, report: RunReport) -> int:
    pending = report.counts["pending"]
    if plan.total_papers is None:
        return pending
    return max(0, min(pending, plan.total_papers - (report.papers - pending)))


def _queue(github: GitHubEnvironment, console: Console) -> QueueStatus | None:
    """GitHub's times of the jobs; None if it does not answer, which costs the session nothing."""
    try:
        return queue_of(github, github.run_id)
    except PaperfleetError as error:
        console.print(f"no queue status: {error}", markup=False, soft_wrap=True)
        return None


def _remember(plan: SessionPlan, adapters: State, queue: QueueStatus | None) -> None:
    """Store the session's result for the next plan: pace, busy share, slots."""
    jobs = [
        job for job in adapters.ledger.jobs(plan.run_id) if job.session_id == plan.session and job.workers
    ]
    if not jobs:
        return
    folder = run_folder(adapters.directory, plan.run_id) / SESSIONS
    folder.mkdir(parents=True, exist_ok=True)
    measured = _measured(plan, jobs, queue)
    (folder / f"{plan.session}{RESULT_SUFFIX}").write_text(measured.model_dump_json(indent=2), "utf-8")


def _measured(plan: SessionPlan, jobs: Sequence[JobRecord], queue: QueueStatus | None) -> SessionResult:
    capacity = sum(
        job.workers * max(0.0, (job.ended_at or job.heartbeat_at) - job.started_at) for job in jobs
    )
    papers = sum(job.stats.papers for job in jobs)
    answered = sum(sum(job.stats.latency.values()) for job in jobs)
    errors = sum(sum(job.stats.errors.values()) for job in jobs)
    throttled = sum(job.stats.errors.get("throttled", 0) for job in jobs)
    work = [job for job in queue.jobs if "work" in job.name] if queue is not None else []
    return SessionResult(
        tier=plan.tier,
        jobs=len(plan.jobs),
        workers=plan.workers,
        papers=papers,
        papers_per_worker_hour=round(3600 * papers / capacity, 3) if capacity else 0.0,
        busy=round(min(1.0, sum(job.stats.busy for job in jobs) / capacity), 4) if capacity else 0.0,
        throttled=round(throttled / (answered + errors), 4) if answered + errors else 0.0,
        slots=queue.slots if queue is not None and work else None,
        waited_s=queue.longest_wait_s if queue is not None and work else None,
    )


def _write(adapters: State, run_id: str, report: RunReport, output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    as_json, as_markdown, results = (output / name for name in _WRITTEN)
    as_json.write_text(report.model_dump_json(indent=2), encoding="utf-8")
    as_markdown.write_text(to_markdown(report), encoding="utf-8")
    export_jsonl(adapters, run_id, results, processes=export_processes(adapters))
