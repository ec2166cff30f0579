"""One paper in a worker's hands: from its text to the line that says what became of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from handlers.domain.batch import BatchMessage
from handlers.domain.call_errors import ModelCallError
from handlers.domain.paper import Paper, PaperStatus
from handlers.domain.result import MADE_UP, REFUSED, PartLine, PartPointer, PassageResult, TaskResult
from handlers.domain.run import RunSpec
from handlers.errors import BadLineError, StoppedError
from handlers.pipeline.calls.paper_calls import PaperCalls
from handlers.pipeline.calls.paper_start import PaperStart
from handlers.pipeline.context import RunContext
from handlers.pipeline.stored_answers import NOTHING, StoredCalls

logger = logging.getLogger(__name__)

_NO_TRANSLATION = "Made up by the built-in model server; not a translation."
_NO_ANSWER = "Made up by the built-in model server; no model's answer."

_BARE = {"carried": (), "fingerprint": "", "notice": ""}
"""What a line of an unfinished paper does not say again."""
_CLASS = 80
"""Characters of a reason to skip a paper that the ledger keeps."""


@dataclass(frozen=True)
class PendingPaper:
    """A paper of a batch that has no terminal state yet."""

    paper: Paper
    weight: int = 1
    stored: StoredCalls = NOTHING
    """What interrupted attempts were answered."""
    names: tuple[str, ...] = ("",)
    """Under which its result may stand; the first is that of a new one."""
    sent: RunSpec | None = None
    """The settings that the first is of."""
    skip: str | None = None
    """Why it is not to be translated."""

    @classmethod
    def of(
        cls, context: RunContext, paper: Paper, weight: int, stored: StoredCalls = NOTHING
    ) -> PendingPaper:
        """With the fingerprint and the skip reason, which both its reuse and its own run need."""
        skip, sent = context.task.skip_reason(paper), context.sent
        try:
            names = context.names.all(paper, sent)
        except Exception:  # it fails when its turn comes, and alone
            logger.warning("paper %s has no fingerprint", paper.id, exc_info=True)
            names = [context.names.earlier(paper)]
        return cls(paper, weight, stored, tuple(names), sent, skip)

    def knowing(self, answered: StoredCalls | None) -> PendingPaper:
        """With what another run was answered."""
        return self if answered is None else replace(self, stored=self.stored.after(answered))

    def name_of_result(self, context: RunContext) -> str:
        """The fingerprint by the requests as they were sent: the endpoint may have refused a parameter
        since the paper was taken up."""
        sent = context.sent
        return (
            self.names[0] if sent is self.sent or sent == self.sent else context.names.name(self.paper, sent)
        )


@dataclass(frozen=True)
class PaperAttempt:
    """A paper of a batch and the calls that are made for it."""

    context: RunContext
    message: BatchMessage
    pending: PendingPaper
    calls: PaperCalls

    def line(
        self,
        status: PaperStatus,
        *,
        error: str | None = None,
        reason: str | None = None,
        result: TaskResult | None = None,
    ) -> PartLine:
        spec, paper, message = self.context.record.spec, self.pending.paper, self.message
        name = self.pending.name_of_result(self.context) if status == "done" else self.pending.names[0]
        made_up = self.calls.made_up or any(call.made_up for call in self.calls.carried)
        fingerprint = MADE_UP * made_up + name
        return PartLine(
            id=paper.id,
            run_id=message.run_id,
            batch_id=message.batch_id,
            generation=message.generation,
            status=status,
            error=error,
            reason=reason,
            fields=result.fields if result is not None else {},
            checks=result.checks if result is not None else (),
            gate=result.gate if result is not None else "",
            calls=tuple(self.calls.records),
            carried=self.calls.carried,
            model=spec.model,
            prompt_version=spec.prompt_version,
            fingerprint=fingerprint,
            supersedes=self._superseded(status, fingerprint),
            at=self.context.job.backend.clock.now(),
            url=paper.url,
            license=paper.license,
            notice=self._notice(made_up=made_up),
        )

    def _superseded(self, status: PaperStatus, fingerprint: str) -> PartPointer | None:
        """The result that this one goes on from, where it stands under the same name."""
        name = {"done": fingerprint, "flagged": REFUSED + fingerprint}.get(status)
        return None if name is None else dict(self.pending.stored.found).get(name)

    def _notice(self, *, made_up: bool) -> str:
        task = self.context.task
        if not made_up:
            return task.notice
        return _NO_TRANSLATION if task.columns is None else _NO_ANSWER

    def outcome(self) -> PartLine:
        """Skip the paper or do the task's work on it. Raises what the task and its calls raise."""
        if self.pending.skip is not None:
            return self.line("skipped", error=self.pending.skip[:_CLASS], reason=self.pending.skip)
        return self.line_of(self.context.task.run(self.pending.paper, self.calls.ask))

    def line_of(self, result: TaskResult) -> PartLine:
        """The paper's last line."""
        return self.line(result.status, error=result.error, reason=said_of(result) or None, result=result)

    def interim(self, passage: str = "", *, passed: bool = False, reason: str | None = None) -> PartLine:
        """The line of one of several answers, or of calls that others follow before there is a verdict."""
        said = {"passage": passage, "passed": passed, "reason": reason}
        return self.line("pending").model_copy(update=_BARE | said)


def said_of(result: TaskResult | PassageResult) -> str:
    """What is wrong with it, for people; "" if nothing is."""
    failed = [f"{check.name}: {check.detail}" for check in result.checks if check.verdict == "fail"]
    if result.faults:
        failed.append("in its calls: " + " ".join(f"{each.name}: {each.detail}" for each in result.faults))
    return "; ".join(failed)


def told(error: Exception) -> tuple[str, str]:
    """(class, sentence) of an error that ends a paper or a passage."""
    if isinstance(error, ModelCallError):
        return error.code, str(error)
    name = type(error).__name__
    return name, f"{name}: {error}"[:500]


def run_paper(
    context: RunContext,
    message: BatchMessage,
    pending: PendingPaper,
    put: Callable[[PartLine], None] | None = None,
    outcome: Callable[[PaperAttempt], PartLine] | None = None,
) -> PartLine | None:
    """The paper's last line; None if it stays pending and no call was made for it since its line before.
    ``put``: takes the lines before, each with what was answered by then. ``outcome``: what works on it in
    place of the task's ``run``.

    Never raises: an error that nobody foresaw fails this paper, with its class as the error's.
    """
    paper, clock = pending.paper, context.job.backend.clock
    calls = PaperCalls(
        context,
        (*pending.stored.earlier, *pending.stored.calls),
        generation=message.generation,
        batch=message.batch_id,
        paper=paper.id,
    )
    calls.start = PaperStart(context, made=bool(pending.stored.calls))
    attempt = PaperAttempt(context, message, pending, calls)
    if put is not None:
        calls.keep = lambda: put(attempt.interim())
    start = clock.monotonic()
    line: PartLine | None = None
    try:
        line = attempt.outcome() if outcome is None or pending.skip is not None else outcome(attempt)
    except StoppedError:
        if calls.records:
            line = attempt.line("pending")
    except Exception as error:
        if not isinstance(error, ModelCallError):
            logger.exception("paper failed", extra={**calls.labels, "attempt": len(calls.records)})
        code, reason = told(error)
        line = attempt.line("failed", error=code, reason=reason)
    seconds = clock.monotonic() - start
    if line is not None and line.calls and not (calls.given or pending.stored.calls):
        size = context.task.size(paper)
        context.forecast.learn(size, paper.language, max(0.0, seconds - calls.waited))
    finished = line is not None and line.status != "pending"
    context.meter.paper(seconds=seconds, waited=calls.waited, finished=finished)
    return line.model_copy(update={"latency": seconds}) if line is not None else None


def failed_unread(context: RunContext, message: BatchMessage, paper_id: str, error: BadLineError) -> PartLine:
    """The line of a paper that could not be read: no call was made, and a retry reads it again."""
    cure = "put the corpus back as it was ingested, then `paperfleet retry --class corpus_changed`"
    attempt = PaperAttempt(context, message, PendingPaper(Paper(id=paper_id)), PaperCalls(context))
    return attempt.line("failed", error="corpus_changed", reason=f"{error}; {cure}")
