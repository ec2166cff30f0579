"""Heads that another run has paid for, with their bodies or without: its answers are given again."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from handlers.domain.call import CallRecord
from handlers.domain.ledger import Reusable
from handlers.domain.paper import Paper
from handlers.domain.part_lines import decode
from handlers.domain.result import MADE_UP, OF_HEAD, PartLine
from handlers.domain.run import RunSpec
from handlers.errors import DamagedObjectError
from handlers.pipeline.context import RunContext
from handlers.pipeline.run_paper import PendingPaper
from handlers.pipeline.stored_answers import StoredCalls
from handlers.ports import WholePaperTask

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class KnownHead:
    """Of a paper: calls that another run made for it, and the name of its result without the body."""

    calls: tuple[CallRecord, ...] = ()
    name: str = ""
    """"" of a paper that is not whole."""
    sent: RunSpec | None = None
    """The settings that the name is of."""

    @property
    def answered(self) -> StoredCalls | None:
        return StoredCalls(earlier=self.calls) if self.calls else None


NO_HEAD = KnownHead()


def task_for_body(context: RunContext, pending: PendingPaper) -> WholePaperTask | None:
    """Of a paper that may be whole: the task says so when its turn comes, as that takes a while."""
    there = pending.paper.body or context.task.columns is not None
    return context.whole if pending.skip is None and there else None


def known_heads(context: RunContext, papers: Sequence[PendingPaper], *, again: bool) -> dict[str, KnownHead]:
    """Of papers by their ids, whose results nobody has. The calls are given again by their requests' digests:
    whatever is found, nothing is taken that was asked otherwise. ``again``: papers without bodies were opened
    once more, which is somebody's wish for other answers."""
    heads: dict[str, KnownHead] = {}
    by_name: dict[str, list[str]] = {}
    if context.task.columns is not None:
        return heads
    for pending in papers:
        is_whole = task_for_body(context, pending) is not None
        if pending.skip is not None or (again and not is_whole):
            continue
        if is_whole:
            names, sent = _names(context, pending)
            heads[pending.paper.id] = KnownHead(name=names[0] if names else "", sent=sent)
        else:
            names = _of_bodies(context, pending.names[0])
        for name in names if not context.job.force else ():
            by_name.setdefault(name, []).append(pending.paper.id)
    found = context.job.backend.ledger.reusable(list(by_name)) if by_name else {}
    for name, result in found.items():
        line = None if _is_own(context, name, result) else _readable(context, name, result)
        calls = () if line is None else line.carried + line.calls
        for paper_id in by_name[name]:
            head = heads.get(paper_id, NO_HEAD)
            heads[paper_id] = replace(head, calls=head.calls + calls)
    return heads


def name_of_head(context: RunContext, pending: PendingPaper, head: KnownHead, *, made_up: bool) -> str:
    """Under which its line stands, by the requests as they were sent: the endpoint may have refused a
    parameter since the paper was taken up. "" of one without a name."""
    if not head.name:
        return ""
    names = context.names_of_heads
    sent = context.as_sent(names.spec)
    name = head.name if sent == head.sent else names.name(_without_body(pending), sent)
    return OF_HEAD + MADE_UP * made_up + name


def _names(context: RunContext, pending: PendingPaper) -> tuple[list[str], RunSpec | None]:
    """With its body and without: one corpus may have had it, and another not. The first is of the requests
    as they are sent with these settings."""
    try:
        names = context.names_of_heads
        sent = context.as_sent(names.spec)
        found = [*names.all(_without_body(pending), sent), *names.all(pending.paper, sent)]
    except Exception:  # its own run says what is the matter
        logger.warning("the head of paper %s has no fingerprint", pending.paper.id, exc_info=True)
        return [], None
    made_up = [MADE_UP + found[0]] if context.looks_for_made_up else []
    return list(dict.fromkeys([*found, *made_up, *_of_bodies(context, found[0])])), sent


def _of_bodies(context: RunContext, name: str) -> list[str]:
    """The names of a head that stand at lines of whole papers. A stack pays for each that it asks for."""
    if context.job.in_stack and context.whole is None and not context.names.have_bodies:
        return []
    return [OF_HEAD + mark + name for mark in ("", MADE_UP)[: 1 + context.looks_for_made_up]]


def _is_own(context: RunContext, name: str, result: Reusable) -> bool:
    """Whether it is a line of this run, which knows its papers' calls and those that are not to be given
    again."""
    return name.startswith(OF_HEAD) and result.run_id == context.run_id


def _readable(context: RunContext, name: str, result: Reusable) -> PartLine | None:
    where, backend = result.pointer, context.job.backend
    try:
        return decode(backend.store.read(where.key, where.offset, where.length), where)
    except DamagedObjectError:
        logger.warning("head of %s in run %s cannot be read", result.paper_id, result.run_id)
        if name.startswith(OF_HEAD):
            backend.ledger.forget_result(name, where)
        return None


def _without_body(pending: PendingPaper) -> Paper:
    return pending.paper.model_copy(update={"body": None})
