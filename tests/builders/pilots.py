"""A corpus by its sizes, and what a pilot of it measured."""

from __future__ import annotations

import random

from handlers.domain.call import CallRecord, Usage
from handlers.domain.paper import PaperStatus
from handlers.domain.plan import PilotFigures
from handlers.planning.pilot_figures import PilotPaper, PilotWork, pilot_figures
from handlers.planning.sample import SizedPaper, stratified
from handlers.planning.workload import Workload


def sized(number: int, size: float, requests: int = 1) -> SizedPaper:
    draw = random.Random(number).random()
    return SizedPaper(f"p{number}", 0, 1, requests, size, size + 400, 3000, 500, draw)


def call(
    paper: SizedPaper, *, latency: float, kind: str = "translate", outcome: str = "ok", at: float = 0.0
) -> CallRecord:
    known = outcome == "ok"
    prompt, completion = round(400 + 1.5 * paper.size), round(10 + 0.8 * paper.size)
    return CallRecord(
        id=f"{paper.id}-{kind}-{outcome}-{at}",
        kind=kind,
        attempt=1,
        outcome=outcome,
        request=paper.id,
        usage=Usage(
            prompt_tokens=prompt, completion_tokens=completion, cached_tokens=prompt // 2 if at else 0
        )
        if known
        else None,
        cost=prompt * 150 + completion * 600 if known else 0,
        estimate=0,
        started_at=at,
        latency=latency,
    )


def pilot_paper(of: SizedPaper, *calls: CallRecord, status: PaperStatus = "done") -> PilotPaper:
    return PilotPaper(of.id, status, (PilotWork(calls),))


def workload(papers: list[SizedPaper]) -> Workload:
    return Workload(
        papers=len(papers),
        same_as=0,
        sent=len(papers),
        requests=sum(each.requests for each in papers),
        size=sum(each.size for each in papers),
        prompt=sum(each.prompt for each in papers),
    )


CORPUS = [sized(number, 20.0 + number) for number in range(500)]


def piloted(count: int = 20, *, sigma: float = 0.0, seed: int = 1) -> PilotFigures:
    chance = random.Random(seed)
    found = [
        pilot_paper(
            each,
            call(
                each,
                latency=(1 + 0.01 * each.size) * chance.lognormvariate(-(sigma**2) / 2, sigma),
                at=float(n),
            ),
        )
        for n, each in enumerate(stratified(CORPUS, count))
    ]
    made = pilot_figures(found, {each.id: each for each in CORPUS}, workload(CORPUS))
    assert made is not None
    return made
