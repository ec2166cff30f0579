"""Results of earlier runs for the same requests: taken over, or judged again, and never paid for twice."""

from __future__ import annotations

import logging

from handlers.domain.batch import BatchMessage
from handlers.domain.ledger import Reusable
from handlers.domain.part_lines import decode
from handlers.domain.result import MADE_UP, REFUSED, PartLine, TaskResult
from handlers.errors import DamagedObjectError
from handlers.pipeline.calls.paper_calls import PaperCalls
from handlers.pipeline.context import RunContext
from handlers.pipeline.papers.taken_over import is_of_another_gate, still_done, still_flagged
from handlers.pipeline.run_paper import PaperAttempt, PendingPaper, said_of
from handlers.pipeline.stored_answers import NOTHING, StoredCalls, every_call

logger = logging.getLogger(__name__)

_RESULT = ("fields", "checks", "coverage", "ends", "gate")
"""What a line says of the result itself."""


def reuse_results(
    context: RunContext, message: BatchMessage, papers: list[PendingPaper]
) -> tuple[dict[str, PartLine], dict[str, StoredCalls]]:
    """Results of earlier runs for the same requests, as lines of this run, by paper id; and what was answered
    for those that the present gate does not let through, whose calls need not be paid for again."""
    answered: dict[str, StoredCalls] = {}
    if context.job.force or not papers:
        return {}, answered
    lines: dict[str, PartLine] = {}
    for earlier in (False, True):
        left = [each for each in papers if each.skip is None and each.paper.id not in lines]
        _take_named(context, message, _by_name(context, left, earlier), earlier, (lines, answered))
    _take_refused(context, message, papers, lines, answered)
    return lines, {paper_id: calls for paper_id, calls in answered.items() if paper_id not in lines}


def _by_name(context: RunContext, papers: list[PendingPaper], earlier: bool) -> dict[str, list[PendingPaper]]:
    """Of papers that are not to be skipped: a paper's licence may forbid what its twin's allows. ``earlier``:
    the names that a new result does not get."""
    by_name: dict[str, list[PendingPaper]] = {}
    for pending in papers:
        first, *others = pending.names
        if context.looks_for_made_up:
            others.append(MADE_UP + first)
        for name in others if earlier else (first,):
            by_name.setdefault(name, []).append(pending)
    return by_name


def _take_named(
    context: RunContext,
    message: BatchMessage,
    by_name: dict[str, list[PendingPaper]],
    earlier: bool,
    found: tuple[dict[str, PartLine], dict[str, StoredCalls]],
) -> None:
    lines, answered = found
    results = context.job.backend.ledger.reusable(list(by_name), earlier=earlier) if by_name else {}
    for name, result in results.items():
        if name.startswith(MADE_UP) and not context.is_built_in():  # no other run takes it over
            continue
        old = _readable(context, name, result)
        if old is None:
            continue
        origin = f"{result.run_id}/{result.paper_id}"
        reused = {each: getattr(old, each) for each in _RESULT} | {"reused_from": origin}
        for pending in by_name[name]:
            if not context.names.is_same(pending.paper, name):
                continue
            judged: TaskResult | None = None
            if is_of_another_gate(context.task, old):
                theirs = _what_led_to(context, name, result, old)
                judged = still_done(context.task, pending.paper, theirs.earlier)
                if judged is None:
                    answered[pending.paper.id] = theirs.after(answered.get(pending.paper.id, NOTHING))
                    continue
            line = PaperAttempt(context, message, pending, PaperCalls(context)).line("done")
            if name.startswith(MADE_UP):
                if pending.paper.id in lines:
                    continue
                line = line.model_copy(update={"fingerprint": name})
            lines[pending.paper.id] = line.model_copy(update=reused | _as_judged(judged))


def _readable(context: RunContext, fingerprint: str, result: Reusable) -> PartLine | None:
    """The line of an earlier result; None if it cannot be read, and is made again."""
    where, backend = result.pointer, context.job.backend
    try:
        return decode(backend.store.read(where.key, where.offset, where.length), where)
    except DamagedObjectError:
        logger.warning(
            "result of %s in run %s cannot be read: it is made again", result.paper_id, result.run_id
        )
        backend.ledger.forget_result(fingerprint, where)
        return None


def _take_refused(
    context: RunContext,
    message: BatchMessage,
    papers: list[PendingPaper],
    lines: dict[str, PartLine],
    answered: dict[str, StoredCalls],
) -> None:
    """Add what other runs were answered to the same requests and refused: as it is judged now, or for the
    repairs that it lacks. A retry is somebody's wish for other answers."""
    if context.task.columns is None or message.generation > 1:
        return
    left: dict[str, list[PendingPaper]] = {}
    for pending in papers:
        if pending.skip is None and pending.paper.id not in lines:
            for mark in ("", MADE_UP)[: 1 + context.looks_for_made_up]:
                left.setdefault(REFUSED + mark + pending.names[0], []).append(pending)
    for name, result in context.job.backend.ledger.reusable(list(left)).items():
        strange = name.startswith(REFUSED + MADE_UP) and not context.is_built_in()
        old = None if strange or result.run_id == message.run_id else _readable(context, name, result)
        if old is None:
            continue
        theirs, name_of = _what_led_to(context, name, result, old), name.removeprefix(REFUSED)
        origin = {"reused_from": f"{result.run_id}/{result.paper_id}", "fingerprint": name_of}
        for pending in left[name]:
            judged = still_flagged(context.task, pending.paper, theirs.earlier)
            if judged is None:
                answered[pending.paper.id] = theirs.after(answered.get(pending.paper.id, NOTHING))
                continue
            attempt = PaperAttempt(context, message, pending, PaperCalls(context))
            said = said_of(judged) or None
            line = attempt.line(judged.status, error=judged.error, reason=said, result=judged)
            lines[pending.paper.id] = line.model_copy(update=origin)


def _what_led_to(context: RunContext, name: str, result: Reusable, line: PartLine) -> StoredCalls:
    """All calls of a result, under the name where it was found: of a record that is asked by passages, which
    have lines of their own, those too."""
    backend, where = context.job.backend, result.pointer
    calls = line.carried + line.calls
    if line.behind is not None and context.task.columns is not None:
        found = backend.ledger.answers(line.run_id, line.batch_id).get(line.id, ())
        calls = every_call(backend.store, dict.fromkeys((*(each.pointer for each in found), where))).calls
    return StoredCalls(earlier=calls, found=((name, where),))


def _as_judged(result: TaskResult | None) -> dict[str, object]:
    """What another gate's verdict changes of a line."""
    return {} if result is None else {name: getattr(result, name) for name in _RESULT}
