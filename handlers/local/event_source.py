"""The local event source: for a queue what Lambda's event source mapping is for SQS.

It receives a message, wraps it in an SQS event, calls the process handler with the job's deadline as
remaining time, deletes what succeeded and leaves the rest to become visible again. It fetches the next
batch before the job's pool runs dry, so several invocations of the handler share the pool.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from handlers.domain.batch import QueueMessage
from handlers.domain.job import LEASE_TTL
from handlers.errors import PaperfleetError
from handlers.pipeline.clock_jumps import ClockSteps
from handlers.pipeline.job_runner import Job

logger = logging.getLogger(__name__)

_TICK, _LONGEST_TICK = 0.005, 0.1
"""Seconds between two looks at the pool: a twentieth of the time that the last batch lasted, within these.
Two hundred looks a second cost a job with long calls more than its calls do."""
IDLE = {"embedded": 0.05, "aws": 0.2}
"""Seconds between two looks at a queue that had nothing to give, unless a batch of this job ends before."""
_AFTER_STEP = 3.0
"""Seconds after a step of the clock until every job's heartbeat has made its messages' hiding good."""
_AWAY_FOR = 1800.0
"""Seconds that a queue which was there before may be out of reach, while calls in flight go on."""
_ASKED_EVERY = 5.0
"""Seconds between two looks at the whole ledger while others hold messages."""


class Handle(Protocol):
    """A Lambda handler for SQS events."""

    def __call__(self, event: dict[str, Any], context: Any, /) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class LocalContext:
    """What a handler reads of a Lambda context."""

    aws_request_id: str
    remaining: Callable[[], float]
    function_name: str = "paperfleet-process"
    memory_limit_in_mb: int = 0
    invoked_function_arn: str = "arn:aws:lambda:local:000000000000:function:paperfleet-process"

    def get_remaining_time_in_millis(self) -> int:
        return int(1000 * min(self.remaining(), 10**9))


def sqs_event(message: QueueMessage) -> dict[str, Any]:
    """The message as Lambda would deliver it."""
    return {
        "Records": [
            {
                "messageId": message.id,
                "receiptHandle": message.receipt,
                "body": message.body,
                "attributes": {"ApproximateReceiveCount": str(message.receives)},
                "messageAttributes": {},
                "md5OfBody": "",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:local:000000000000:paperfleet",
                "awsRegion": "local",
            }
        ]
    }


class EventSource:
    """Feeds one job of this process."""

    def __init__(
        self,
        job: Job,
        handle: Handle,
        *,
        ends_at: float = math.inf,
        idle: float = IDLE["embedded"],
        settled: Callable[[], bool] = lambda: False,
    ) -> None:
        """``ends_at``: Unix seconds. ``settled`` says that nothing is left to do, whatever messages are still
        hidden: those of a job that died stay so for two minutes."""
        self._job = job
        self._queue = job.queue
        self._clock = job.clock
        self._stop = job.stop
        self._handle = handle
        self._ends_at = ends_at
        self._idle = idle
        self._settled = settled
        self._invoked = 0
        self._written_off = 0
        self._steps = ClockSteps(job.clock)
        self._wait_until = -math.inf
        self._reached_at: float | None = None
        self._settled_asked_at = -math.inf
        self._open: set[threading.Thread] = set()
        """Invocations that have not ended."""
        self._one_ended = threading.Event()
        self._received_at = job.clock.monotonic()
        self._batch_lasts = 0.0

    def run(self) -> None:
        """Until the queue is empty (nothing in flight elsewhere), all is settled, or the job drains."""
        while not self._stop.closed:
            if self._has_enough():
                self._stop.wait(self._tick())
            elif self._is_at_its_end():
                return
        self._finish()

    def _tick(self) -> float:
        lasts = max(self._batch_lasts, self._clock.monotonic() - self._received_at)
        return min(_LONGEST_TICK, max(_TICK, lasts / 20))

    def _is_at_its_end(self) -> bool:
        """Look for another message. PaperfleetError if the queue cannot be asked, not only for a while."""
        try:
            ended = not self._next() and self._has_ended()
        except PaperfleetError:
            now = self._clock.monotonic()
            if self._reached_at is None or now - self._reached_at > _AWAY_FOR:
                self._stop.drain("the queue cannot be asked")
                self._finish()  # what is paid for is booked first
                raise
            logger.warning("the queue cannot be asked", exc_info=True)
            self._stop.wait(self._idle)
            return False
        self._reached_at = self._clock.monotonic()
        return ended

    def _has_ended(self) -> bool:
        return not self._open and self._exhausted()

    def _has_enough(self) -> bool:
        """A batch on its way to the pool counts as enough: a job must not hoard what others could do."""
        on_the_way = self._invoked - self._job.taken - self._written_off
        workers = self._job.pool.workers
        return on_the_way > 0 or self._job.pool.has_enough or len(self._open) >= workers + 2

    def _remaining(self) -> float:
        return self._ends_at - self._clock.now()

    def _next(self) -> bool:
        if self._remaining() <= 0 or self._job.out_of_time:
            self._stop.close("deadline")
            return False
        messages = [] if self._is_waking() else self._queue.receive(limit=1, visibility=LEASE_TTL)
        now = self._clock.monotonic()
        self._batch_lasts, self._received_at = now - self._received_at, now
        for message in messages:
            thread = threading.Thread(target=self._invoke, args=(message,), name=f"batch-{message.id}")
            thread.daemon = True
            self._open.add(thread)
            self._invoked += 1
            thread.start()
        if not messages:
            self._wait()
        return bool(messages)

    def _wait(self) -> None:
        if self._open or self._one_ended.is_set():  # one may just have ended, since they were looked at
            self._one_ended.wait(self._idle)
            self._one_ended.clear()
        else:
            self._stop.wait(self._idle)

    def _is_waking(self) -> bool:
        """Just after the clock jumped, what others work on seems to be free."""
        if self._steps.stepped():
            self._wait_until = self._clock.monotonic() + _AFTER_STEP
        return self._clock.monotonic() < self._wait_until

    def _invoke(self, message: QueueMessage) -> None:
        try:
            self._handled(message)
        finally:
            self._open.discard(threading.current_thread())
            self._one_ended.set()

    def _handled(self, message: QueueMessage) -> None:
        """One invocation. A handler that raises leaves its message to be delivered again, as on Lambda."""
        context = LocalContext(aws_request_id=f"local-{message.receipt}", remaining=self._remaining)
        try:
            response = self._handle(sqs_event(message), context)
        except Exception as error:
            logger.exception("invocation for message %s failed", message.id)
            self._written_off = self._invoked - self._job.taken  # it took nothing to the pool
            self._queue.release(message.receipt, delay=1, reason=f"{type(error).__name__}: {error}"[:500])
            return
        failed = {item["itemIdentifier"] for item in response["batchItemFailures"]}
        if message.id not in failed:
            self._queue.delete(message.receipt)

    def _exhausted(self) -> bool:
        counts = self._queue.counts()
        if counts.visible or counts.in_flight == 0:
            return counts.visible == 0
        if self._clock.monotonic() - self._settled_asked_at < _ASKED_EVERY:
            return False
        self._settled_asked_at = self._clock.monotonic()
        return self._settled()

    def _finish(self) -> None:
        """Let the invocations end; cut their calls off once the stop says so, and those that were just
        about to start when it did."""
        for thread in list(self._open):
            while thread.is_alive():
                if self._stop.abandoned:
                    self._job.cut_off()
                thread.join(0.05)
