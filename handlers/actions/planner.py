"""A session's plan: its work, money and rates, split over its jobs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path

from handlers.actions.environment import GitHubEnvironment
from handlers.actions.inputs import SessionInputs
from handlers.actions.session_plan import JobShare, SessionPlan
from handlers.actions.shares import BatchWeight, assign_batches, proportional_shares
from handlers.actions.tiers import AUTO, SessionResult, forecast, forecasts, next_tier, shape_of
from handlers.adapters.file_merge import object_size
from handlers.bootstrap import wiring
from handlers.bootstrap.state import State
from handlers.corpus.batching import read_paper
from handlers.domain.call import ChatRequest
from handlers.domain.money import NanoUsd, Price, budget_words, usd
from handlers.domain.paper import TERMINAL, Paper
from handlers.domain.run import Control, RunRecord, SessionRecord
from handlers.llm.prices.pricing import worst_cost
from handlers.planning.plan_request import PlanBasis
from handlers.reporting.budget_number import enough
from handlers.reporting.projection import project_run
from handlers.settings import Settings
from handlers.state_paths import LEDGER, SESSIONS, run_folder

RESULT_SUFFIX = ".result.json"
_LOOKED_AT = 20
"""Papers at most whose calls are reckoned: one that is skipped or too long asks nothing."""


@dataclass(frozen=True)
class PlannedSession:
    """A session's plan, and how the run stood before it."""

    plan: SessionPlan
    parked: str = ""
    """Why nothing can be started, if so."""


class Planner:
    """The plan of one session of a run as it stands."""

    def __init__(
        self,
        adapters: State,
        settings: Settings,
        inputs: SessionInputs,
        github: GitHubEnvironment,
        record: RunRecord,
        basis: PlanBasis,
    ) -> None:
        self._adapters = adapters
        self._settings = settings
        self._inputs = inputs
        self._github = github
        self._record = record
        self._basis = basis
        self._price = wiring.price(settings, record.spec.model)
        self._totals = adapters.ledger.totals(record.run_id)
        self._last = last_result(adapters.directory, record.run_id)
        self._pending = self._wanted_papers()
        tier, self._why = (inputs.tier, "as asked for")
        if tier == AUTO:
            tier, self._why = next_tier(self._last, self._pending)
        self._shape = shape_of(tier, inputs.parallel_jobs, inputs.workers_per_job)

    def plan(self) -> PlannedSession:
        if not self._pending:
            return PlannedSession(self._session([], NanoUsd(0)))
        run_id = self._record.run_id
        unfinished = self._adapters.ledger.unfinished_batches(run_id)
        batches = (BatchWeight(each.batch_id, each.papers, each.tokens) for each in unfinished)
        assigned = assign_batches(batches, min(self._shape.jobs, self._pending))
        call = reservation(self._adapters, self._record, self._price) if assigned else NanoUsd(0)
        plan = self._session(self._affordable(assigned, call), call)
        parked = budget_shortfall(self._adapters, run_id, call)
        if parked:
            self._adapters.ledger.park(run_id, Control("parked", parked, self._adapters.clock.now()))
        return PlannedSession(plan, parked)

    def _wanted_papers(self) -> int:
        """Pending papers, or as many as ``total_papers`` still allows."""
        pending = self._totals.counts["pending"]
        if self._inputs.total_papers is None:
            return pending
        ended = self._record.papers - pending
        return max(0, min(pending, self._inputs.total_papers - ended))

    def _left(self) -> int | None:
        state = self._adapters.ledger.budget_state(self._record.run_id)
        return None if state.budget is None else max(0, state.budget - state.drawn)

    def _affordable(self, assigned: list[list[BatchWeight]], call: NanoUsd) -> list[list[BatchWeight]]:
        """No more jobs than shares that one call of the heaviest paper fits into."""
        left = self._left()
        if left is None or call == 0:
            return assigned
        jobs = min(len(assigned), left // call)
        if jobs == 0 or jobs == len(assigned):
            return assigned[:jobs]
        return assign_batches(sorted(chain(*assigned), key=lambda batch: -batch.tokens), jobs)

    def _session(self, assigned: list[list[BatchWeight]], call: NanoUsd) -> SessionPlan:
        inputs, settings, shape = self._inputs, self._settings, self._shape
        account = inputs.github_account
        basis = self._expected()
        expected = forecast(shape, basis, account)
        at_once = max(1, min(len(assigned), expected.at_once))
        now = self._adapters.clock.now()
        if settings.backend == "embedded":  # the jobs of a queue open their own
            self._open_session(max(1, len(assigned)), now)
        return SessionPlan(
            session=self._github.session,
            run_id=self._record.run_id,
            tier=shape.tier,
            why=self._why,
            jobs=tuple(self._shares(assigned, at_once)),
            workers=shape.workers,
            at_once=at_once,
            started_at=now,
            job_seconds=inputs.job_minutes * 60,
            checkpoint_seconds=inputs.checkpoint_minutes * 60,
            call=call,
            budget=self._record.budget,
            total_papers=inputs.total_papers,
            papers=self._record.papers,
            pending=self._totals.counts["pending"],
            spent=self._totals.calls.cost,
            verdict=expected,
            table=tuple(forecasts(basis, account)),
            last=self._last,
            self_hosted=account.self_hosted,
            answered=self._totals.calls.ok,
            corpus_bytes=self._bytes(self._record.spec.corpus),
            ledger_bytes=self._bytes(LEDGER),
        )

    def _bytes(self, key: str) -> int:
        """Of what travels with the session; on AWS it stays in its place."""
        return object_size(self._adapters.directory, key) if self._settings.backend == "embedded" else 0

    def _expected(self) -> PlanBasis:
        """Of the papers that need a call, at the pace that the run's last session showed. Those that ended
        without a result are not tried again."""
        workload, assumptions = self._basis.workload, self._basis.assumptions
        ended = self._totals.counts["flagged"] + self._totals.counts["failed"]
        left = min(self._pending, max(0, workload.sent - ended))
        if left != workload.sent:
            workload = workload.scaled(left)
        if self._last is not None and self._last.papers_per_worker_hour:
            pace = {"papers_per_worker_hour": self._last.papers_per_worker_hour}
            assumptions = assumptions.model_copy(update=pace)
        return replace(self._basis, workload=workload, assumptions=assumptions)

    def _open_session(self, jobs: int, now: float) -> None:
        run_id, workers = self._record.run_id, self._shape.workers
        self._adapters.ledger.open_session(
            SessionRecord(self._github.session, run_id, jobs, workers, now, None, "", None)
        )

    def _shares(self, assigned: list[list[BatchWeight]], at_once: int) -> list[JobShare]:
        tokens = [max(1, sum(batch.tokens for batch in batches)) for batches in assigned]
        papers = [sum(batch.papers for batch in batches) for batches in assigned]
        left = self._left()
        bound = None if self._inputs.total_papers is None else self._pending
        none = [None] * len(assigned)
        budgets = none if left is None else proportional_shares(left, tokens)
        limits = none if bound is None else proportional_shares(bound, papers)
        rpm, tpm = self._settings.rpm, self._settings.tpm
        return [
            JobShare(
                job=number + 1,
                batches=tuple(batch.batch_id for batch in batches),
                papers=papers[number],
                tokens=tokens[number],
                budget=budgets[number],
                rpm=rpm / at_once if rpm else None,
                tpm=tpm / at_once if tpm else None,
                limit=limits[number],
            )
            for number, batches in enumerate(assigned)
        ]


def reservation(adapters: State, record: RunRecord, price: Price) -> NanoUsd:
    """What the next call may cost: the dearest one of the heaviest pending paper that asks anything. 0 if
    none of the first few does."""
    task, full_text = wiring.task_of(record.spec, adapters.store), record.spec.full_text
    may_skip = full_text or record.spec.task == "file"
    for paper in islice(_pending(adapters, record.run_id), _LOOKED_AT):
        if may_skip and task.skip_reason(paper):
            continue
        asked = task.requests(paper) if full_text else [task.first_request(paper)]
        if dearest := max((_worst(request, price) for request in asked), default=0):
            return NanoUsd(dearest)
    return NanoUsd(0)


def _pending(adapters: State, run_id: str) -> Iterator[Paper]:
    """The heaviest first."""
    for batch in adapters.ledger.unfinished_batches(run_id):
        rows = adapters.ledger.paper_rows(run_id, batch.ids)
        for (offset, length), paper_id in zip(batch.ranges, batch.ids, strict=True):
            if paper_id not in rows or rows[paper_id].status not in TERMINAL:
                yield read_paper(adapters.store.read(batch.corpus, offset, length), paper_id)


def _worst(request: ChatRequest, price: Price) -> NanoUsd:
    return worst_cost(sum(size for _, size in request.sizes), request.max_tokens, price)


def budget_shortfall(adapters: State, run_id: str, call: NanoUsd) -> str:
    """Why the budget does not allow another call of this cost; "" if it does."""
    state = adapters.ledger.budget_state(run_id)
    if state.budget is None or state.budget - state.drawn >= max(1, call):
        return ""
    projection = project_run(adapters.ledger, adapters.ledger.run(run_id), state.spend)
    number = budget_words(enough(state.drawn, projection)) if projection.known else ""
    larger = f"budget_usd {number}, which finishes the run" if number else "a larger budget_usd"
    return (
        f"budget_spent: ${usd(state.drawn):.6f} of ${usd(state.budget):.6f} are spent or held,"
        f" and the next call may cost ${usd(call):.6f}: give {larger}"
    )


def last_result(state: Path, run_id: str) -> SessionResult | None:
    """Result of the newest session that was collected; None if there is none of this version."""
    files = sorted((run_folder(state, run_id) / SESSIONS).glob(f"*{RESULT_SUFFIX}"), key=_session_number)
    if not files:
        return None
    try:
        return SessionResult.model_validate_json(files[-1].read_bytes())
    except ValueError:
        return None


def _session_number(path: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", path.name))
