"""What a plan is asked for, and what it is computed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from handlers.domain.money import Price
from handlers.domain.plan import PilotFigures
from handlers.planning.assumptions import Assumptions
from handlers.planning.platforms import PlatformName
from handlers.planning.workload import Workload


@dataclass(frozen=True)
class PlanRequest:
    """What is asked of a plan. Seconds, USD (the API's)."""

    platform: PlatformName = "laptop"
    account: str = "free"
    private: bool = True
    shape: tuple[int, int] | None = None
    """(jobs, workers) of a fleet of one's own."""
    auto: bool = False
    """The jobs of that fleet find their number of workers by themselves."""
    tier: str | None = None
    """The fleet to be executed, in place of the recommended one."""
    deadline: float | None = None
    budget: float | None = None
    limit: int | None = None
    """Papers after which the session stops."""
    hedge: float = 0.0
    """Share of the calls that may be sent a second time."""


@dataclass(frozen=True)
class PlanBasis:
    """What a plan is computed from. ``price`` may be None only if ``usd_per_paper`` is assumed."""

    workload: Workload
    assumptions: Assumptions
    origins: Mapping[str, str]
    price: Price | None
    pilot: PilotFigures | None = None
    is_of_another_corpus: bool = False
    """The pilot's papers are not this corpus's, or it has grown since."""
    model: str = ""
    sha256: str = ""
    """Of the corpus."""
    tiers: Mapping[str, Price | str] = field(default_factory=dict)
    """Tier → its price, or what is missing to know it."""
