"""What the papers of one run share within a job."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, cast

from handlers.domain.job import JobStats
from handlers.domain.result import PartLine
from handlers.domain.run import DEAR_HOURS, Control, RunRecord, RunSpec
from handlers.errors import StoppedError
from handlers.llm.limits.limiter import Limiter
from handlers.llm.prices.pricing import CostEstimator
from handlers.llm.prices.tariff import ModelTariff
from handlers.llm.reasoning_room import ReasoningRoom
from handlers.pipeline.budget_lease import BudgetLease
from handlers.pipeline.calls.thinking import RoomyAsk
from handlers.pipeline.calls.tier_choice import TierChoice
from handlers.pipeline.circuit_breaker import CircuitBreaker
from handlers.pipeline.deliveries.takeover_grace import TakeoverGrace
from handlers.pipeline.failure_rate import FailureRate
from handlers.pipeline.job_meter import JobMeter
from handlers.pipeline.pace import AWS, EMBEDDED
from handlers.pipeline.paper_times import LatencyForecast
from handlers.pipeline.result_names import ResultNames
from handlers.pipeline.single_flight import SingleFlight
from handlers.pipeline.stop import Deadline, StopSignal
from handlers.ports import Ask, Backend, ChatModel, SampledTask, Task, WholePaperTask

if TYPE_CHECKING:
    from handlers.pipeline.calls.hedging import Hedges

logger = logging.getLogger(__name__)

_ASKED_EVERY = 30.0
"""Seconds between two looks at a run's control item itself."""
_AWAY = 10.0
"""Seconds without a successful write after which the ledger is away."""
_LOOK_UP = 0.25
"""Seconds after which a pause looks whether to give up."""


@dataclass
class JobContext:
    """What the runs of a job share; made once a process."""

    id: str
    session_id: str
    owner: str
    """Which process it is, see ``JobRecord``."""
    backend: Backend
    limiter: Limiter
    stop: StopSignal
    deadline: Deadline
    call_timeout: float
    limited: bool = False
    """True when the session may start only so many papers."""
    in_stack: bool = False
    """True where the run's state is a stack's, which others set right and give back."""
    on_platform: bool = False
    """True where a platform delivers messages, and again for as long as there are some."""
    max_receives: int = 5
    """Attempts at a batch after which it is a dead letter."""
    hedge: float = 0.0
    """Share of the calls that may be sent a second time at a run's end."""
    force: bool = False
    """True to pay again for what an earlier run has translated already."""

    def __post_init__(self) -> None:
        self.grace = TakeoverGrace(self.backend.clock, in_stack=self.in_stack)


@dataclass
class RunContext:
    """One run as a job sees it; ``control`` is refreshed by the heartbeat."""

    job: JobContext
    record: RunRecord
    task: Task
    names: ResultNames
    model: ChatModel
    tariff: ModelTariff
    breaker: CircuitBreaker
    as_sent: Callable[[RunSpec], RunSpec] = lambda spec: spec
    """Settings without what the endpoint does not take."""
    on_resumed: Callable[[], None] = lambda: None
    """Called once the run is active again: somebody mended what it was stopped for."""
    failures: FailureRate = field(default_factory=FailureRate)
    estimator: CostEstimator = field(default_factory=CostEstimator)
    room: ReasoningRoom = field(default_factory=ReasoningRoom)
    meter: JobMeter = field(default_factory=JobMeter)
    forecast: LatencyForecast = field(default_factory=LatencyForecast)
    flights: SingleFlight = field(default_factory=SingleFlight)
    hedges: Hedges | None = None
    """Where slow calls may be sent a second time at the run's end."""
    is_built_in: Callable[[], bool] = lambda: False
    """Whether the endpoint is the built-in model server, whose results are none elsewhere."""
    flex_fallback: float | None = None
    """Seconds, see ``TierChoice``; None asks for no tier."""
    offpeak: bool = False
    """True if no call may end in a dear hour."""
    tiers_seen: frozenset[str] = frozenset()
    """Tiers that answers have named: calls are reserved for the dearest of them."""
    short_of_money: bool = False
    """True once a paper was put back because its next call could not be reserved."""

    def __post_init__(self) -> None:
        whole = isinstance(self.task, WholePaperTask) and self.record.spec.full_text
        self.whole = cast("WholePaperTask", self.task) if whole else None
        """The task, where it works on some papers by their passages."""
        self.sampled = self.task if isinstance(self.task, SampledTask) else None
        """The task, where it asks each paper several times over."""
        self.control = Control("active", "", 0.0)
        self._asked_at = -math.inf
        backend = self.job.backend
        pace = AWS if self.job.in_stack else EMBEDDED
        self.budget = BudgetLease(backend.ledger, self.run_id, self.job.id, backend.clock, pace=pace)

    @property
    def run_id(self) -> str:
        return self.record.run_id

    @cached_property
    def names_of_heads(self) -> ResultNames:
        """Under which results of papers without their bodies may stand."""
        return self.names.without_bodies()

    @property
    def sent(self) -> RunSpec:
        """The settings that the requests have as they are sent now."""
        return self.as_sent(self.record.spec)

    @property
    def looks_for_made_up(self) -> bool:
        """Whether results of the built-in model server are looked for. A stack pays for each name that it
        asks for, so that the endpoint is asked first who it is; elsewhere once there is such a result."""
        return not self.job.in_stack or self.is_built_in()

    def give_up(self) -> bool:
        """True when no further call of this run may start."""
        return self.job.stop.draining or self.control.state != "active"

    def roomy(self, send: Ask) -> RoomyAsk:
        """``send`` with room for the model's thoughts."""
        return RoomyAsk(self.room, self.record.spec.max_tokens, send, self.give_up)

    def pause(self, seconds: float) -> None:
        """Wait; StoppedError as soon as no further call may start."""
        clock = self.job.backend.clock
        until = clock.monotonic() + seconds
        while (left := until - clock.monotonic()) > 0:
            if self.give_up():
                raise StoppedError("stopped while waiting")
            self.job.stop.wait(min(left, _LOOK_UP))

    def wait_for_ledger(self) -> None:
        """While the ledger takes nothing, no call starts whose price it could not book. StoppedError if none
        fits any more once it is back."""
        while self.job.backend.ledger.away_for() > _AWAY:
            self.call_seconds()
            self.pause(_LOOK_UP)

    def await_holders(self) -> None:
        """Wait until leases that ran out may be taken, or nothing could be done with them."""
        while self.job.grace.left and not (self.give_up() or self.out_of_time):
            self.job.stop.wait(_LOOK_UP)

    @property
    def out_of_time(self) -> bool:
        """True when no call fits any more before the deadline of this invocation."""
        return self.job.deadline.is_near(self.job.call_timeout, self.meter.usual_latency)

    def call_seconds(self) -> float:
        """Seconds that a call may take which starts now; StoppedError if none fits."""
        seconds = self.job.deadline.timeout(self.job.call_timeout, self.meter.usual_latency)
        if self.offpeak:
            self._wait_for_cheap_hours(self.job.backend.clock.now(), seconds)
        return seconds

    def _wait_for_cheap_hours(self, now: float, seconds: float) -> None:
        if self.tariff.is_dear(now, now + seconds):
            self.job.stop.drain(f"{DEAR_HOURS}: {self.tariff.goes_on(now, seconds)}")
            raise StoppedError(self.job.stop.reason)

    @property
    def may_hedge(self) -> bool:
        """Whether there is room for calls that are not needed: the API never refused one, and neither money
        nor the ledger is short."""
        busy = self.give_up() or self.job.limiter.ever_refused or self.breaker.open or self.budget.is_tight
        return not busy and self.job.backend.ledger.away_for() == 0

    def spare_seconds(self) -> float:
        """Seconds for a call that is not needed; StoppedError if none fits, which ends nothing else."""
        seconds = self.job.deadline.timeout(self.job.call_timeout, self.meter.usual_latency)
        now = self.job.backend.clock.now()
        if self.offpeak and self.tariff.is_dear(now, now + seconds):
            raise StoppedError(DEAR_HOURS)
        return seconds

    def tier_choice(self) -> TierChoice:
        """For one request."""
        return TierChoice(self.flex_fallback)

    def why(self) -> str:
        return self.job.stop.reason or f"{self.control.state}: {self.control.reason}"

    def park(self, reason: str) -> None:
        """Stop the run for every job, once: the first reason stands."""
        if self.control.state != "active":
            return
        self.control = Control("parked", reason, self.job.backend.clock.now())
        self.job.backend.ledger.park(self.run_id, self.control)
        logger.error("run %s parked: %s", self.run_id, reason)

    def is_unanswered(self) -> bool:
        """Whether no call of the run was ever answered, as far as the ledger can tell."""
        try:
            return self.job.backend.ledger.totals(self.run_id).calls.ok == 0
        except Exception:  # it is asked again at the next failure
            logger.warning("the ledger cannot be used", exc_info=True)
            return False

    def watch_failures(self, line: PartLine | None) -> None:
        """Park the run if the papers that ended last show that something is broken."""
        reason = self.failures.ended(line) if line is not None else None
        if reason is None:
            return
        try:
            self.park(reason)
        except Exception:  # the line itself is good: it goes on to be committed
            logger.warning("the ledger cannot be used to park run %s", self.run_id, exc_info=True)

    def stats(self) -> JobStats:
        """What this job has done for the run, for its heartbeat."""
        report = self.job.limiter.report(self.job.id)._asdict()
        overrun, room = self.estimator.overrun, self.room.tokens
        return replace(self.meter.snapshot(self.job.limiter), overrun=overrun, room=room, **report)

    def observe(self, jobs: Sequence[JobStats]) -> None:
        """Reserve for a call the most that one has cost in any of these jobs, and give it the room for
        thinking that they found."""
        self.estimator.allow_overrun(max((job.overrun for job in jobs), default=0))
        self.room.hear(max((job.room for job in jobs), default=0))

    def refresh(self) -> None:
        """Ask the control item itself: on what it says messages may be dropped."""
        self._asked_at = self.job.backend.clock.monotonic()
        self._turn_to(self.job.backend.ledger.control(self.run_id))

    def listen(self) -> None:
        """Hear what people and other jobs decided; now and then ask."""
        if self.job.backend.clock.monotonic() - self._asked_at >= _ASKED_EVERY:
            self.refresh()
            return
        heard = self.job.backend.ledger.heard_control(self.run_id, self.job.id)
        if heard.at >= self.control.at:  # what is older was overtaken by what this job knows
            self._turn_to(heard)

    def _turn_to(self, control: Control) -> None:
        before, self.control = self.control, control
        self.estimator.allow_overrun(control.overrun)
        self.room.hear(control.room)
        self.budget.is_said_short = control.short
        if before.state != "active" and self.control.state == "active":
            self.on_resumed()


Contexts = Callable[[str], RunContext]
"""run id → its context in this job, made at first use."""
