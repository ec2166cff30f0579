"""One paper in a worker's hands: from its text to the line that says what became of it."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from handlers.domain.batch import BatchMessage
from handlers.domain.call import CallRecord
from handlers.domain.paper import Paper, PaperStatus
from handlers.domain.part_lines import decode
from handlers.domain.result import PartLine
from handlers.errors import BadLineError, DamagedObjectError, ModelCallError, StoppedError
from handlers.pipeline.calls import PaperCalls
from handlers.pipeline.context import RunContext
from handlers.pipeline.paper_times import text_size
from handlers.ports import ObjectStore

logger = logging.getLogger(__name__)

NOTICE = "Machine translation; not reviewed by the authors."


@dataclass(frozen=True)
class PendingPaper:
    """A paper of a batch that has no terminal state yet."""

    paper: Paper
    weight: int = 1
    carried: tuple[CallRecord, ...] = ()
    """Calls of an interrupted attempt."""
    fingerprint: str = ""
    skip: str | None = None
    """Why it is not to be translated."""

    @classmethod
    def of(
        cls, context: RunContext, paper: Paper, weight: int, carried: tuple[CallRecord, ...]
    ) -> PendingPaper:
        """What both its result from an earlier run and its own need is found out once."""
        fingerprint = context.fingerprint(paper.text_digest())
        return cls(paper, weight, carried, fingerprint, context.task.skip_reason(paper))


def run_paper(context: RunContext, message: BatchMessage, todo: PendingPaper) -> PartLine | None:
    """The paper's line; None if it stays pending and no call was made for it.

    Never raises: an error that nobody foresaw fails this paper, with its class as the error's.
    """
    paper = todo.paper
    calls = PaperCalls(
        context, todo.carried, generation=message.generation, batch=message.batch_id, paper=paper.id
    )
    start = context.clock.monotonic()
    line: PartLine | None = None
    try:
        line = _outcome(context, message, todo, calls)
    except StoppedError:
        if calls.records:
            line = _line(context, message, todo, calls, "pending")
    except ModelCallError as error:
        line = _line(context, message, todo, calls, "failed", error=error.code, reason=str(error))
    except Exception as error:
        logger.exception("paper failed", extra={**calls.labels, "attempt": len(calls.records)})
        name = type(error).__name__
        line = _line(context, message, todo, calls, "failed", error=name, reason=f"{name}: {error}"[:500])
    held = context.clock.monotonic() - start
    if line is not None and line.calls and not line.carried:
        size = text_size(paper, full_text=context.record.spec.full_text)
        context.forecast.learn(size, paper.language, max(0.0, held - calls.waited))
    context.meter.paper(
        held=held, waited=calls.waited, finished=line is not None and line.status != "pending"
    )
    return line.model_copy(update={"latency": held}) if line is not None else None


def _outcome(context: RunContext, message: BatchMessage, todo: PendingPaper, calls: PaperCalls) -> PartLine:
    if todo.skip is not None:
        return _line(context, message, todo, calls, "skipped", reason=todo.skip)
    result = context.task.run(todo.paper, calls.ask)
    failed = "; ".join(f"{check.name}: {check.detail}" for check in result.checks if check.verdict == "fail")
    line = _line(context, message, todo, calls, result.status, error=result.error, reason=failed or None)
    return line.model_copy(update={"fields": result.fields, "checks": result.checks})


def _line(
    context: RunContext,
    message: BatchMessage,
    todo: PendingPaper,
    calls: PaperCalls,
    status: PaperStatus,
    *,
    error: str | None = None,
    reason: str | None = None,
) -> PartLine:
    spec, paper = context.record.spec, todo.paper
    return PartLine(
        id=paper.id,
        run_id=message.run_id,
        batch_id=message.batch_id,
        generation=message.generation,
        status=status,
        error=error,
        reason=reason,
        calls=tuple(calls.records),
        carried=calls.carried,
        model=spec.model,
        prompt_version=spec.prompt_version,
        fingerprint=todo.fingerprint,
        at=context.clock.now(),
        url=paper.url,
        license=paper.license,
        notice=NOTICE,
    )


def failed_unread(context: RunContext, message: BatchMessage, paper_id: str, error: BadLineError) -> PartLine:
    """The line of a paper that could not be read: no call was made, and a retry reads it again."""
    cure = "put the corpus back as it was ingested, then `paperfleet retry --class corpus_changed`"
    calls = PaperCalls(context)
    todo = PendingPaper(Paper(id=paper_id))
    return _line(context, message, todo, calls, "failed", error="corpus_changed", reason=f"{error}; {cure}")


def reuse_results(
    context: RunContext, store: ObjectStore, message: BatchMessage, papers: list[PendingPaper]
) -> dict[str, PartLine]:
    """Results of earlier runs for the same text and settings, as lines of this run, by paper id."""
    if context.force or not papers:
        return {}
    by_fingerprint: dict[str, list[PendingPaper]] = {}
    for todo in papers:
        if todo.skip is None:  # its licence may forbid what its twin's allows
            by_fingerprint.setdefault(todo.fingerprint, []).append(todo)
    lines: dict[str, PartLine] = {}
    for fingerprint, found in context.ledger.reusable(list(by_fingerprint)).items():
        where = found.pointer
        try:
            old = decode(store.read(where.key, where.offset, where.length), where)
        except DamagedObjectError:
            logger.warning(
                "result of %s in run %s cannot be read: it is made anew", found.paper_id, found.run_id
            )
            context.ledger.forget_result(fingerprint, where)
            continue
        taken = {
            "fields": old.fields,
            "checks": old.checks,
            "reused_from": f"{found.run_id}/{found.paper_id}",
        }
        for todo in by_fingerprint[fingerprint]:
            fresh = _line(context, message, todo, PaperCalls(context), "done")
            lines[todo.paper.id] = fresh.model_copy(update=taken)
    return lines
