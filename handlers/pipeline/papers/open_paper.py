"""A whole paper at hand: its passages are asked side by side, and its last line joins them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from handlers.domain.call import CallTotals
from handlers.domain.call_errors import ModelCallError
from handlers.domain.paper import PaperStatus
from handlers.domain.result import FRAME, HEAD, TERMS, PartLine, PassageResult
from handlers.errors import StoppedError
from handlers.pipeline.calls.paper_calls import PaperCalls
from handlers.pipeline.calls.paper_start import PaperStart
from handlers.pipeline.papers.known_heads import KnownHead, name_of_head
from handlers.pipeline.papers.open_batch import OpenBatch
from handlers.pipeline.pool import WorkerPool
from handlers.pipeline.run_paper import PaperAttempt, PendingPaper, said_of, told
from handlers.ports import PassageWork, WholePaperTask

logger = logging.getLogger(__name__)

_PASSAGE, _PER_PASSAGE = 1000.0, 1500.0
"""Tokens of a passage, about, and of the body for each of them: a third of it and more is kept."""


class OpenPaper:
    """Its passages are tasks of the pool, in two stages: first those that its frame is made of, then the
    body's. Whichever worker ends a stage begins the next one, or joins the paper.

    Each passage's calls are a line of their own (``pending``), so that an interrupted paper goes on where it
    was; the frame has one before any line of the body. A passage that was broken off leaves the paper
    pending; the others go on to their end.
    """

    def __init__(
        self,
        task: WholePaperTask,
        batch: OpenBatch,
        pending: PendingPaper,
        pool: WorkerPool,
        head: KnownHead,
    ) -> None:
        context, message, stored = batch.context, batch.message, pending.stored
        self._task, self._batch, self._pending, self._pool = task, batch, pending, pool
        self._head = head
        self._context, self._clock = context, context.job.backend.clock
        self._calls = PaperCalls(
            context,
            (*stored.earlier, *stored.calls),
            generation=message.generation,
            batch=message.batch_id,
            paper=pending.paper.id,
        )
        self._calls.start = PaperStart(context, made=bool(stored.calls))
        self._frame = stored.frame
        self._behind = CallTotals.of(stored.calls)
        self._results: dict[str, PassageResult] = {}
        self._reasons: dict[str, str] = {}
        self._made_up = self._stopped = self._over = False
        self._broken: Exception | None = None
        self._seconds = 0.0
        self._order: list[str] = []
        self._under_way = self._expected = 0
        self._lock = threading.Lock()
        self._body = pending.paper.text_size(full_text=True) - pending.paper.text_size(full_text=False)

    def begin(self, or_else: Callable[[], None]) -> None:
        """Hand it to the pool, which comes to hear of the passages that will follow. ``or_else``: what a
        worker does with a paper that is not whole."""
        self._expect(1 + round(self._body / _PER_PASSAGE))
        begun = partial(self._guarded, partial(self._first_stage, or_else))
        self._pool.submit(begun, seconds=self._way, makes=1)

    def _first_stage(self, or_else: Callable[[], None]) -> None:
        """A worker's task: the first passage is asked at once; what else there is takes the cutting of the
        body, which is a task of its own."""
        if not self._task.is_whole(self._pending.paper):
            self._expect(0)
            or_else()
            return
        works = self._works_at_first()
        work = next(works, None)
        self._under_way = 1 + (work is not None)
        self._pool.submit(partial(self._others, works), seconds=self._way)
        if work is not None:
            self._order.append(work.key)
            self._passage(work)

    def _works_at_first(self) -> Iterator[PassageWork]:
        """Of the first stage; where the frame is stored, without terms and with the body's."""
        paper = self._pending.paper
        for work in self._task.first(paper):
            if self._frame is None or work.key != TERMS:
                yield work
        if self._frame is not None:
            yield from self._task.rest(paper, self._frame)

    def _others(self, works: Iterator[PassageWork]) -> None:
        """A worker's task: ask all of these, which are made as they are taken."""
        try:
            self._ask_all(list(works))
        except Exception as error:  # noqa: BLE001 (raised again where the stage ends)
            self._broken = error
        finally:
            self._one_is_over()

    def _next_stage(self) -> None:
        if self._broken is not None:
            raise self._broken
        if self._stopped:
            self._end(None)
        elif self._frame is None:
            paper = self._pending.paper
            self._frame = dict(self._task.frame(paper, self._results))
            works = self._task.rest(paper, self._frame)
            if works:
                self._put(FRAME, frame=self._frame)
            self._ask_all(works)
            if not works:
                self._next_stage()
        else:
            self._end(self._joined())

    def _ask_all(self, works: Sequence[PassageWork]) -> None:
        self._expect(0 if self._frame is not None else self._expected)
        self._order += [work.key for work in works]
        with self._lock:
            self._under_way += len(works)
        for work in works:
            self._pool.submit(partial(self._passage, work), seconds=partial(self._forecast, work))

    def _passage(self, work: PassageWork) -> None:
        """A worker's task: whatever happens, the paper learns that the passage is over."""
        result = None
        try:
            if not self._batch.lease.lost.is_set():
                result = self._asked(work)
        finally:
            with self._lock:
                if result is None:
                    self._stopped = True
                else:
                    self._results[work.key] = result
            self._one_is_over()

    def _one_is_over(self) -> None:
        """Whoever ends the last one of a stage begins the next."""
        with self._lock:
            self._under_way -= 1
            is_last = not self._under_way
        if is_last:
            self._guarded(self._next_stage)

    def _asked(self, work: PassageWork) -> PassageResult | None:
        """What became of it, once its line is with the committer; None if it was broken off."""
        calls, start = self._calls.of_passage(work.key), self._clock.monotonic()
        calls.keep = partial(self._keep, work.key, calls)
        result, reason = self._run(work, calls)
        seconds = self._clock.monotonic() - start
        if calls.records and not calls.given:
            learned = max(0.0, seconds - calls.waited)
            self._context.forecast.learn(work.weight, self._pending.paper.language, learned)
        self._context.meter.paper(seconds=seconds, waited=calls.waited, finished=False)
        self._add(calls)
        with self._lock:
            self._made_up = self._made_up or calls.made_up
            self._seconds += seconds
            self._reasons[work.key] = reason or ""
        passed = result is not None and result.status == "done"
        if calls.records or (result is not None and passed != (work.key in self._pending.stored.passed)):
            said = {"calls": tuple(calls.records), "passed": passed, "reason": reason or None}
            named = self._named(calls) if work.key == HEAD and passed and calls.records else {}
            self._put(work.key, latency=seconds, **said, **named)
        return result

    def _add(self, calls: PaperCalls) -> None:
        if calls.records:
            totals = CallTotals.of(calls.records)
            with self._lock:
                self._behind = self._behind.plus(totals)

    def _keep(self, key: str, calls: PaperCalls) -> None:
        """What of a passage was answered before it is repaired."""
        self._add(calls)
        self._put(key, calls=tuple(calls.records))

    def _named(self, calls: PaperCalls) -> dict[str, object]:
        """What lets other runs find the head that these calls paid for, with all that it was answered: none
        of it by another run, where it has a name of its own."""
        own = {call.id for call in self._pending.stored.calls}
        if any(call.id not in own for call in calls.given):
            return {}
        try:
            name = name_of_head(self._context, self._pending, self._head, made_up=calls.made_up)
        except Exception:
            logger.warning("a head has no name for other runs", extra=calls.labels, exc_info=True)
            return {}
        kept = calls.carried[len(self._calls.carried) :]
        return {"fingerprint": name, "carried": (*calls.given, *kept)}

    def _run(self, work: PassageWork, calls: PaperCalls) -> tuple[PassageResult | None, str]:
        """With a sentence that says why it did not pass. Never raises: an error that nobody foresaw fails
        this passage, with its class as the error's."""
        try:
            result = work.run(calls.ask)
        except StoppedError:
            return None, ""
        except Exception as error:
            if not isinstance(error, ModelCallError):
                logger.exception("passage failed", extra={**calls.labels, "attempt": len(calls.records)})
            code, reason = told(error)
            return PassageResult(key=work.key, status="failed", texts={}, error=code), reason
        return result, "" if result.status == "done" else said_of(result) or result.error or result.status

    def _joined(self) -> PartLine:
        """The paper's last line: failed if a passage did, else as its task judges it."""
        results = {key: self._results[key] for key in self._order}
        result = self._task.result(self._pending.paper, results)
        refused = said_of(result)
        for key in result.blamed:
            self._put(key, reason=refused or str(result.error))
        failed = [each for each in results.values() if each.status == "failed" and each.key != TERMS]
        if failed:
            reason = f"{failed[0].key}: {self._reasons[failed[0].key]}"
            line = self._line("failed", error=failed[0].error, reason=reason)
            return line.model_copy(update={"coverage": result.coverage})
        line = self._line(result.status, error=result.error, reason=refused or None)
        said = {"fields": result.fields, "checks": result.checks}
        return line.model_copy(
            update=said | {"coverage": result.coverage, "ends": result.ends, "gate": result.gate}
        )

    def _line(self, status: PaperStatus, *, error: str | None, reason: str | None) -> PartLine:
        stored = self._pending.stored
        calls = PaperCalls(self._context, stored.earlier if stored.found else ())
        calls.made_up = self._made_up
        attempt = PaperAttempt(self._context, self._batch.message, self._pending, calls)
        line = attempt.line(status, error=error, reason=reason)
        behind = self._behind if self._behind.sent else None
        return line.model_copy(update={"behind": behind, "latency": self._seconds})

    def _put(self, passage: str, **said: object) -> None:
        """A line of the unfinished paper."""
        message, spec = self._batch.message, self._context.record.spec
        line = PartLine(
            id=self._pending.paper.id,
            run_id=message.run_id,
            batch_id=message.batch_id,
            generation=message.generation,
            status="pending",
            model=spec.model,
            prompt_version=spec.prompt_version,
            at=self._clock.now(),
            passage=passage,
        )
        self._batch.put(line.model_copy(update=said), self._pending.weight)

    def _guarded(self, step: Callable[[], None]) -> None:
        """Never raises: an error that nobody foresaw fails this paper, with its class as the error's."""
        try:
            step()
        except Exception as error:
            logger.exception("paper failed", extra=self._calls.labels)
            code, reason = told(error)
            self._end(self._line("failed", error=code, reason=reason))

    def _end(self, line: PartLine | None) -> None:
        """Nobody works on it any more. None: it stays pending."""
        with self._lock:
            if self._over:
                return
            self._over = True
        self._expect(0)
        if line is None:
            self._batch.paper_done()
            return
        self._context.meter.paper(seconds=0.0, waited=0.0, finished=True)
        self._context.watch_failures(line)
        self._batch.finish(line, self._pending.weight)

    def _expect(self, passages: int) -> None:
        self._pool.expect(passages - self._expected)
        self._expected = passages

    def _forecast(self, work: PassageWork) -> float:
        """Seconds until the paper could end, were there a worker for each passage."""
        seconds = self._context.forecast.seconds(work.weight, self._pending.paper.language)
        return seconds if self._frame is not None else seconds + self._passage_of_body()

    def _way(self) -> float:
        head = self._pending.paper.text_size(full_text=False)
        return self._context.forecast.seconds(head, self._pending.paper.language) + self._passage_of_body()

    def _passage_of_body(self) -> float:
        return self._context.forecast.seconds(min(_PASSAGE, self._body), self._pending.paper.language)
