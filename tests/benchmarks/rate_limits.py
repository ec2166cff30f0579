"""How a fleet that is told nothing holds an API's rate limit: the real admission, AIMD, backoff and reading
of headers on a virtual clock, against the model server's limits.

    python -m tests.benchmarks.rate_limits [WORDS OF SCENARIO NAMES] [--seeds 3] [--heartbeat 5]

50 calls a second, 20 jobs x 25 workers, latency with a median of 8 s. ``used`` and ``refused`` are counted
from one minute after the start or the last change; what is available is the limit less what another tenant
took, and at most what the workers can send. ``share`` is the slowest job's part of the mean. The jobs hear of
each other's refusals by ``--heartbeat``: 1 second with a ledger on this machine, 5 on AWS, 0 for none.
"""

from __future__ import annotations

import argparse
import math
import statistics
from dataclasses import dataclass, replace

from handlers.model_server.server_settings import ServerSettings
from handlers.pipeline.heartbeat import BEAT
from tests.builders.virtual_fleet import Fleet, Scenario, Tenant

_RATE = 50.0


def api(**changes: object) -> ServerSettings:
    """50 calls a second, a burst of one second, ``Retry-After`` in both forms."""
    return ServerSettings(**({"rpm": 60 * _RATE, "burst": 1.0} | changes))


_PLAIN = Scenario(api())
_TOKENS = _RATE * 60 * (_PLAIN.prompt_tokens + _PLAIN.completion_tokens)
SCENARIOS = {
    "burst of 1 s": _PLAIN,
    "bucket of 10 s": Scenario(api(burst=10.0)),
    "bucket of a minute": Scenario(api(burst=60.0), seconds=1200),
    "fixed window of a minute": Scenario(api(), fixed_window=True, headers=False),
    "tokens a minute": Scenario(api(rpm=None, tpm=_TOKENS)),
    "429 without Retry-After": Scenario(api(retry_after="off", retry_after_ms=False), headers=False),
    "limit halved and doubled": Scenario(
        api(), changes=((200.0, {"rpm": 30 * _RATE}), (400.0, {"rpm": 60 * _RATE})), seconds=600
    ),
    "halved and doubled, no headers": Scenario(
        api(),
        changes=((200.0, {"rpm": 30 * _RATE}), (400.0, {"rpm": 60 * _RATE})),
        seconds=600,
        headers=False,
    ),
    "jobs start one by one": Scenario(api(), stagger=10.0),
    "a second tenant takes half": Scenario(api(), tenants=(Tenant(_RATE / 2, 200.0, 400.0),)),
    "burst of 1 s, 20 x 100 workers": replace(_PLAIN, workers=100),
    "bucket of 10 s, 20 x 100 workers": Scenario(api(burst=10.0), workers=100),
    "declared --rpm": replace(_PLAIN, declared_rpm=60 * _RATE),
    "declared --tpm": Scenario(api(rpm=None, tpm=_TOKENS), declared_tpm=_TOKENS),
}


@dataclass(frozen=True)
class Figures:
    used: float
    refused: float
    refused_in_all: float
    share: float


def figures(scenario: Scenario) -> Figures:
    """The worst stretch between two changes stands for the run."""
    seen = Fleet(scenario).run()
    marks = sorted(
        {scenario.stagger * (scenario.jobs - 1)}
        | {when for when, _ in scenario.changes}
        | {when for tenant in scenario.tenants for when in (tenant.start, tenant.end)}
    )
    stretches = [
        (mark + 60, until)
        for mark, until in zip(marks, [*marks[1:], scenario.seconds], strict=True)
        if until - mark > 60
    ]
    used, refused, share = [], [], []
    for start, end in stretches:
        calls = seen.calls(start, end)
        used.append(calls / _available(scenario, start, end, seen.others(start, end)))
        refused.append(seen.refused_share(start, end))
        slowest = min(seen.calls(start, end, job=job) for job in range(scenario.jobs))
        share.append(slowest * scenario.jobs / max(1, calls))
    return Figures(min(used), max(refused), seen.refused_share(0, scenario.seconds), min(share))


def _available(scenario: Scenario, start: float, end: float, foreign: int) -> float:
    """Calls that the limit leaves, at most those that the workers can make."""
    rate = _RATE
    for when, changes in scenario.changes:
        if when <= start:
            rate = changes["rpm"] / 60
    mean = scenario.median * math.exp(scenario.sigma**2 / 2)
    return min(rate * (end - start) - foreign, scenario.jobs * scenario.workers / mean * (end - start))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="*")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--heartbeat", type=float, default=BEAT, help="seconds between two of a job's")
    options = parser.parse_args()
    print(f"{'':36}{'used':>8}{'refused':>9}{'in all':>8}{'share':>7}")
    for name, scenario in SCENARIOS.items():
        if options.words and not any(word in name for word in options.words):
            continue
        heard = replace(scenario, heartbeat=options.heartbeat)
        runs = [figures(replace(heard, seed=seed)) for seed in range(1, options.seeds + 1)]
        used, refused, in_all, share = (
            statistics.median(getattr(run, field) for run in runs)
            for field in ("used", "refused", "refused_in_all", "share")
        )
        print(f"{name:36}{used:8.1%}{refused:9.2%}{in_all:8.2%}{share:7.2f}", flush=True)


if __name__ == "__main__":
    main()
