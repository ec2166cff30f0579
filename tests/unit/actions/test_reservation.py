"""What a session sets aside for a call: that of the dearest passage of the heaviest paper that asks any."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from handlers.actions.planner import reservation
from handlers.bootstrap.state import connect
from handlers.domain.paper import Paper
from handlers.llm.prices.pricing import worst_cost
from handlers.settings import Settings
from handlers.tasks.translation.translate import TranslateTask
from tests.builders.plans import PRICE
from tests.builders.values import RUN, batch, commit, entry, run_record
from tests.builders.whole_papers import whole_spec

WORDLESS = Paper(id="wordless", title="$x$", abstract="$y$", language="zh", body="$$z$$")
SHORT = Paper(id="short", title="肺癌的研究", abstract="本文研究肺癌。", language="zh")
WHOLE = SHORT.model_copy(update={"id": "whole", "body": "## 结果\n\n" + "术后第十四天样品的温度上升。" * 60})


def set_aside(folder: Path, papers: Sequence[Paper], ended: Sequence[str] = ()) -> int:
    state = connect(Settings(state=folder, run_id=RUN), RUN)
    spec = whole_spec()
    lines = [paper.model_dump_json().encode() for paper in papers]
    (folder / spec.corpus).parent.mkdir(exist_ok=True)
    (folder / spec.corpus).write_bytes(b"".join(lines))
    ranges = [(sum(map(len, lines[:number])), len(line)) for number, line in enumerate(lines)]
    ids = [paper.id for paper in papers]
    state.ledger.add_batches([batch("b1", ids, ranges=tuple(ranges), corpus=spec.corpus)])
    record = run_record(papers=len(papers), **spec.model_dump(exclude={"papers"}))
    state.ledger.create_run(record)
    state.ledger.commit([commit(*map(entry, ended))])
    try:
        return reservation(state, record, PRICE)
    finally:
        state.close()


def dearest(paper: Paper) -> int:
    return max(
        worst_cost(sum(size for _, size in request.sizes), request.max_tokens, PRICE)
        for request in TranslateTask(whole_spec()).requests(paper)
    )


@pytest.mark.parametrize(
    ("papers", "ended", "of"),
    [
        ([WORDLESS, WHOLE], [], WHOLE),
        ([WHOLE, SHORT], ["whole"], SHORT),
        ([WORDLESS], [], None),
    ],
)
def test_a_paper_that_asks_nothing_sets_nothing_aside(
    tmp_path: Path, papers: list[Paper], ended: list[str], of: Paper | None
) -> None:
    assert set_aside(tmp_path, papers, ended) == (dearest(of) if of is not None else 0)
    assert dearest(WHOLE) > dearest(SHORT)
