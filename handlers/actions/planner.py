"""How a session's work, money and rates are split over its jobs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from handlers.actions.dealing import Weight, deal, split
from handlers.actions.environment import GitHubEnvironment
from handlers.actions.session import JobShare, SessionPlan
from handlers.actions.tiers import AUTO, SEED_PACE, Account, Measured, next_tier, shape_of, table, verdict
from handlers.bootstrap import wiring
from handlers.bootstrap.state import State
from handlers.corpus.batching import read_paper
from handlers.domain.money import NanoUsd, Price, usd
from handlers.domain.paper import TERMINAL
from handlers.domain.run import Control, RunRecord, SessionRecord
from handlers.llm.pricing import worst_cost
from handlers.settings import Settings
from handlers.state_paths import SESSIONS, run_folder

RESULT_SUFFIX = ".result.json"


@dataclass(frozen=True)
class Wish:
    """What was asked for when the workflow was started."""

    corpus: str
    tier: str
    jobs: int | None
    workers: int | None
    total_papers: int | None
    run_id: str | None
    account: Account
    job_minutes: float
    checkpoint_minutes: float


@dataclass(frozen=True)
class Planned:
    """A session's plan, and how the run stood before it."""

    plan: SessionPlan
    parked: str = ""
    """Why nothing can be started, if so."""


class Planner:
    """One session's plan, of a run as it stands."""

    def __init__(
        self,
        adapters: State,
        settings: Settings,
        wish: Wish,
        github: GitHubEnvironment,
        record: RunRecord,
    ) -> None:
        self._adapters = adapters
        self._settings = settings
        self._wish = wish
        self._github = github
        self._record = record
        self._price = wiring.price(settings, record.spec.model)
        self._totals = adapters.ledger.totals(record.run_id)
        self._last = last_result(adapters.directory, record.run_id)

    def plan(self) -> Planned:
        pending = self._wanted_papers()
        tier, why = self._tier(pending)
        jobs, workers = shape_of(tier, self._wish.jobs, self._wish.workers)
        batches = self._adapters.ledger.unfinished_batches(self._record.run_id)
        weights = (Weight(each.batch_id, each.papers, each.tokens) for each in batches)
        hands = deal(weights, min(jobs, max(1, pending))) if pending else []
        needed = reservation(self._adapters, self._record, self._price) if hands else NanoUsd(0)
        hands = self._affordable(hands, needed) if pending else []
        plan = self._session(tier, why, (jobs, workers), hands, needed, pending)
        parked = too_little(self._adapters, self._record.run_id, needed) if pending else ""
        if parked:
            at = self._adapters.clock.now()
            self._adapters.ledger.park(self._record.run_id, Control("parked", parked, at))
        return Planned(plan, parked)

    def _wanted_papers(self) -> int:
        """Pending papers, or as many as ``total_papers`` still allows."""
        pending = self._totals.counts["pending"]
        if self._wish.total_papers is None:
            return pending
        ended = self._record.papers - pending
        return max(0, min(pending, self._wish.total_papers - ended))

    def _tier(self, pending: int) -> tuple[str, str]:
        if self._wish.tier != AUTO:
            return self._wish.tier, "as asked for"
        return next_tier(self._last, pending)

    def _left(self) -> int | None:
        state = self._adapters.ledger.budget_state(self._record.run_id)
        return None if state.budget is None else max(0, state.budget - state.held)

    def _affordable(self, hands: list[list[Weight]], needed: int) -> list[list[Weight]]:
        """No more jobs than shares that one call of the heaviest paper fits into."""
        left = self._left()
        if left is None or needed == 0:
            return hands
        jobs = min(len(hands), left // needed)
        if jobs == 0:
            return []
        return (
            hands
            if jobs == len(hands)
            else deal(
                sorted((batch for hand in hands for batch in hand), key=lambda batch: -batch.tokens), jobs
            )
        )

    def _session(
        self,
        tier: str,
        why: str,
        shape: tuple[int, int],
        hands: list[list[Weight]],
        needed: int,
        pending: int,
    ) -> SessionPlan:
        wish, settings = self._wish, self._settings
        workers = shape[1]
        pace = self._last.papers_per_worker_hour if self._last else SEED_PACE
        row = verdict(tier, shape, pending, wish.account, pace=pace or SEED_PACE, rpm=settings.rpm)
        at_once = max(1, min(len(hands), row.at_once))
        now = self._adapters.clock.now()
        session = self._github.session
        if settings.backend == "embedded":  # the jobs of a queue open their own
            record = SessionRecord(
                session, self._record.run_id, max(1, len(hands)), workers, now, None, "", None
            )
            self._adapters.ledger.open_session(record)
        return SessionPlan(
            session=session,
            run_id=self._record.run_id,
            tier=tier,
            why=why,
            jobs=tuple(self._shares(hands, at_once, pending)),
            workers=workers,
            at_once=at_once,
            started_at=now,
            job_seconds=wish.job_minutes * 60,
            checkpoint_seconds=wish.checkpoint_minutes * 60,
            call=needed,
            budget=self._record.budget,
            total_papers=wish.total_papers,
            papers=self._record.papers,
            pending=self._totals.counts["pending"],
            spent=self._totals.calls.cost,
            verdict=row,
            table=tuple(table(pending, wish.account, pace=pace or SEED_PACE, rpm=settings.rpm)),
            last=self._last,
            self_hosted=wish.account.self_hosted,
        )

    def _shares(self, hands: list[list[Weight]], at_once: int, pending: int) -> list[JobShare]:
        tokens = [max(1, sum(batch.tokens for batch in hand)) for hand in hands]
        left = self._left()
        budgets = split(left, tokens) if left is not None else [None] * len(hands)
        papers = [sum(batch.papers for batch in hand) for hand in hands]
        limits = split(pending, papers) if self._wish.total_papers is not None else [None] * len(hands)
        rpm, tpm = self._settings.rpm, self._settings.tpm
        return [
            JobShare(
                job=number + 1,
                batches=tuple(batch.batch_id for batch in hand),
                papers=papers[number],
                tokens=tokens[number],
                budget=budgets[number],
                rpm=rpm / at_once if rpm else None,
                tpm=tpm / at_once if tpm else None,
                limit=limits[number],
            )
            for number, hand in enumerate(hands)
        ]


def reservation(adapters: State, record: RunRecord, price: Price) -> NanoUsd:
    """What must be at hand for the next call: of the first pending paper of the heaviest batch.
    0 if nothing is pending."""
    heaviest = max(
        adapters.ledger.unfinished_batches(record.run_id), key=lambda batch: batch.tokens, default=None
    )
    if heaviest is None:
        return NanoUsd(0)
    rows = adapters.ledger.paper_rows(record.run_id, heaviest.ids)
    for (offset, length), paper_id in zip(heaviest.ranges, heaviest.ids, strict=True):
        if paper_id not in rows or rows[paper_id].status not in TERMINAL:
            paper = read_paper(adapters.store.read(heaviest.corpus, offset, length), paper_id)
            request = wiring.task_of(record.spec).first_request(paper)
            size = sum(len(each.content.encode("utf-8", "surrogatepass")) for each in request.messages)
            return worst_cost(size, request.max_tokens, price)
    return NanoUsd(0)


def too_little(adapters: State, run_id: str, needed: NanoUsd) -> str:
    """Why the budget does not allow another call of ``needed``; "" if it does."""
    state = adapters.ledger.budget_state(run_id)
    if state.budget is None or state.budget - state.held >= max(1, needed):
        return ""
    return (
        f"budget_spent: ${usd(state.held):.6f} of ${usd(state.budget):.6f} are spent or indeterminate,"
        f" and the next call may cost ${usd(needed):.6f}: give a larger budget_usd"
    )


def last_result(state: Path, run_id: str) -> Measured | None:
    """What the newest session that was collected has shown; None if none was, or by another version."""
    files = sorted((run_folder(state, run_id) / SESSIONS).glob(f"*{RESULT_SUFFIX}"), key=_session_number)
    if not files:
        return None
    try:
        return Measured.model_validate_json(files[-1].read_bytes())
    except ValueError:
        return None


def _session_number(path: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", path.name))
