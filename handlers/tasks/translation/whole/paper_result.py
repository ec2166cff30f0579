"""A whole paper's result, by what all its passages came to."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from handlers.domain.coverage import Coverage
from handlers.domain.result import HEAD, Check, PassageResult, TaskResult
from handlers.tasks.translation.passages.joined_body import JoinedBody, join_body
from handlers.tasks.translation.passages.weights import MOST_PASSAGES
from handlers.tasks.translation.segment import join
from handlers.tasks.translation.stored_verdict import GATE_VERSION, collected
from handlers.tasks.translation.whole.cut_paper import CutPaper
from handlers.tasks.translation.whole.joined_check import changed_blocks
from handlers.tasks.translation.whole.structure import STRUCTURE

TOO_LONG = "too_long"
_MOST_NAMED = 12
Results = Mapping[str, PassageResult]


def paper_result(whole: CutPaper, head: Collection[str], results: Results) -> TaskResult:
    """Done only if every passage is and the joined body has the source's structure. ``head``: keys of what is
    sent of title, abstract and keywords. A passage without a result has failed."""
    if whole.is_too_long:
        return _too_long()
    mine = [results[key] for key in (HEAD, *(each.key for each in whole.passages)) if key in results]
    texts = {key: text for result in mine[HEAD in results :] for key, text in result.texts.items()}
    joined = join_body(whole.body, whole.plan, texts)
    changed = changed_blocks(whole.body, whole.plan, joined)
    checks = [*(check for result in mine for check in result.checks), *_structure(changed)]
    refused = [result.error or result.status for result in mine if result.status != "done"]
    refused += [STRUCTURE] if changed else []
    refused += ["failed"] if len(mine) < len(whole.passages) + bool(head) else []
    return TaskResult(
        status="flagged" if refused else "done",
        fields=_fields(whole, head, results, joined) if texts or _has_head(results) or not refused else {},
        checks=collected(checks),
        error=next(iter(refused), None),
        faults=tuple(fault for result in mine for fault in result.faults)[:_MOST_NAMED],
        coverage=_coverage(whole, results),
        ends=joined.ends,
        blamed=_blamed(whole, changed),
        gate=GATE_VERSION,
    )


def _too_long() -> TaskResult:
    detail = f"The body makes more than {MOST_PASSAGES} passages: nothing of the paper is asked."
    check = Check(name=TOO_LONG, verdict="fail", detail=detail)
    return TaskResult(status="flagged", fields={}, checks=(check,), error=TOO_LONG, gate=GATE_VERSION)


def _has_head(results: Results) -> bool:
    return HEAD in results and bool(results[HEAD].texts)


def _fields(whole: CutPaper, head: Collection[str], results: Results, joined: JoinedBody) -> dict[str, Any]:
    """Of what is refused or failed and has no text nothing stands in title, abstract and keywords, and the
    source in the body."""
    told = results[HEAD].texts if HEAD in results else {}
    texts = {key: told.get(key, "") for key in head}
    return {**join(whole.paper, False, texts, whole.spec.masking_version), "body": joined.text}


def _structure(changed: list[int]) -> Iterator[Check]:
    if changed:
        named = ", ".join(f"body/{number}" for number in changed[:_MOST_NAMED])
        detail = f"The joined body has another structure than its source at {named}."
        yield Check(name=STRUCTURE, verdict="fail", detail=detail)


def _coverage(whole: CutPaper, results: Results) -> Coverage:
    """Each sent segment is translated, flagged or failed; a cell counts as the equal one that is sent."""
    flagged = {key for result in results.values() for key in result.flagged if result.status != "failed"}
    failed = {
        segment.key
        for passage in whole.passages
        if passage.key not in results or results[passage.key].status == "failed"
        for segment in passage.segments
    }
    segments = [(segment.key, segment.same_as or segment.key) for _, segment in whole.plan.segments]
    plan = whole.plan.coverage
    refused = tuple(key for key, sent in segments if sent in flagged)
    lost = tuple(key for key, sent in segments if sent in failed)
    translated = plan.translated - len(refused) - len(lost)
    return plan.model_copy(update={"translated": translated, "flagged": refused, "failed": lost})


def _blamed(whole: CutPaper, changed: list[int]) -> tuple[str, ...]:
    """The passages whose texts stand in these blocks; where one holds none, whose stands next before it."""
    asked_in = {segment.key: passage.key for passage in whole.passages for segment in passage.segments}
    segments = whole.plan.segments
    numbers = [number for number, _ in segments]
    blamed: dict[str, None] = {}
    for block in changed:
        first, behind = bisect_left(numbers, block), bisect_right(numbers, block)
        near = max(0, first - 1)
        for _, segment in segments[first:behind] or segments[near : near + 1]:
            blamed[asked_in[segment.same_as or segment.key]] = None
    return tuple(blamed)
