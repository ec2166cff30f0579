"""Heads of whole papers that another run has paid for: its answers are given again."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from handlers.domain.call import CallRecord
from handlers.domain.part_lines import decode
from handlers.domain.result import MADE_UP
from handlers.errors import DamagedObjectError
from handlers.pipeline.context import RunContext
from handlers.pipeline.run_paper import PendingPaper
from handlers.ports import WholePaperTask

logger = logging.getLogger(__name__)


def task_for_body(context: RunContext, pending: PendingPaper) -> WholePaperTask | None:
    """Of a paper that may be whole: the task says so when its turn comes, as that takes a while."""
    there = pending.paper.body or context.task.columns is not None
    return context.whole if pending.skip is None and there else None


def known_heads(context: RunContext, papers: Sequence[PendingPaper]) -> dict[str, tuple[CallRecord, ...]]:
    """Calls that runs without bodies made for these papers, by paper id. They are given again by their
    requests' digests: whatever is found, nothing is taken that was asked otherwise."""
    by_name: dict[str, list[str]] = {}
    for pending in papers:
        is_whole = task_for_body(context, pending) is not None and context.task.columns is None
        if context.job.force or not is_whole:
            continue
        for name in _names(context, pending):
            by_name.setdefault(name, []).append(pending.paper.id)
    if not by_name:
        return {}
    store = context.job.backend.store
    heads: dict[str, tuple[CallRecord, ...]] = {}
    for name, result in context.job.backend.ledger.reusable(list(by_name)).items():
        where = result.pointer
        try:
            line = decode(store.read(where.key, where.offset, where.length), where)
        except DamagedObjectError:
            logger.warning("head of %s in run %s cannot be read", result.paper_id, result.run_id)
            continue
        for paper_id in by_name[name]:
            heads[paper_id] = heads.get(paper_id, ()) + line.carried + line.calls
    return heads


def _names(context: RunContext, pending: PendingPaper) -> list[str]:
    """With its body and without: one corpus may have had it, and another not."""
    try:
        names = context.names_of_heads
        sent = context.as_sent(names.spec)
        both = (pending.paper, pending.paper.model_copy(update={"body": None}))
        found = list(dict.fromkeys(name for paper in both for name in names.all(paper, sent)))
    except Exception:  # its own run says what is the matter
        logger.warning("the head of paper %s has no fingerprint", pending.paper.id, exc_info=True)
        return []
    return [*found, MADE_UP + found[0]] if context.looks_for_made_up else found
