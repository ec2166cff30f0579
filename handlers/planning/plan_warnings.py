"""What a plan does not know, or cannot count, said in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from handlers.planning.assumptions import Assumptions
from handlers.planning.demand import Demand
from handlers.planning.pilot_figures import PilotFigures
from handlers.planning.workload import Workload


def plan_warnings(
    workload: Workload,
    asked: Demand,
    assumed: Assumptions,
    pilot: PilotFigures | None,
    origins: Mapping[str, str],
) -> Iterator[str]:
    if pilot is None and not {"usd_per_paper", "papers_per_worker_hour"} <= {
        name for name, origin in origins.items() if origin == "file"
    }:
        yield "tokens and latency are assumed, not measured: `paperfleet pilot` measures them on 20 papers"
    if assumed.rpm is None and assumed.tpm is None:
        yield from _about_unknown_limits(assumed, pilot)
    if pilot is not None:
        yield from _about_quotas(pilot, asked)
    if not workload.sent:
        yield "no paper of this corpus needs a call: all are skipped or finished"


def _about_unknown_limits(assumed: Assumptions, pilot: PilotFigures | None) -> Iterator[str]:
    if assumed.papers_per_worker_hour is None:
        heard = (
            "a pilot hears those that an API's headers state" if pilot is None else "its headers state none"
        )
        yield (
            f"no rate limit is known: give the account's with --rpm and --tpm ({heard}), or the plan cannot"
            " see it"
        )
    if pilot is not None and pilot.throttled_share:
        yield (
            f"{pilot.throttled_share:.0%} of the pilot's calls were refused for their rate: a limit binds"
            " that this plan does not know, and every row is too fast; give --rpm or --tpm"
        )


def _about_quotas(pilot: PilotFigures, asked: Demand) -> Iterator[str]:
    """Limits of an hour or a day set no pace, they end a run."""
    needed = {"requests": asked.calls, "tokens": asked.prompt_tokens + asked.completion_tokens}
    for name, limit in pilot.limits.items():
        kind, _, window = name.partition("_per_")
        if window in ("hour", "day") and needed.get(kind, 0.0) > limit:
            yield (
                f"the API's headers state {limit:,} {kind} a {window}, this run takes {needed[kind]:,.0f}:"
                f" {math.ceil(needed[kind] / limit)} {window}s, which no row here counts"
            )
