"""Jobs that ask for the flex tier, and a provider that answers in the tier that it likes."""

from __future__ import annotations

import math
import random
import shutil
import tempfile
from pathlib import Path

from handlers.domain.call import ChatAnswer, ChatRequest, Usage
from handlers.domain.call_errors import CapacityError, TransientError
from handlers.domain.money import Price
from handlers.llm.prices.pricing import worst_cost
from handlers.llm.prices.tariff import ModelTariff
from tests.builders.tariffs import HALF, PRICE, hours
from tests.faults.hostile_bills import HostileFleet
from tests.faults.hostile_provider import some
from tests.faults.stories import MEMORY

NAMED = {
    "flex": "flex", "FLEX": "flex", "default": "", "on_demand": "", "auto": None, None: None,
    "priority": "priority", "a tier of tomorrow": "priority",
}  # fmt: skip
"""The answer's word → the tier that is billed: "" the standard one, None as the provider likes."""
STATED = ("ok", "ok", "full")
SILENT = ("silent", "timeout")
STEPS = ("ask",) * 6 + ("commit",) * 3 + ("give_back", "end")
OFTEN = tuple({"days": "mon-sun", "hours": f"{hour:02}:{at:02}-{hour:02}:{at + 7:02}"}
              for hour in range(24) for at in (5, 20, 40))  # fmt: skip


class TieredFleet(HostileFleet):
    """Each call is billed at the price of the tier that its answer names, of the standard one or of flex if
    it names none; where the standard tier has dear hours, by the hour of its start or of its end."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        by_hour = chance.random() < 0.5
        self.tariff = ModelTariff(PRICE, {"flex": HALF}, hours(dear=OFTEN) if by_hour else None)
        self.fallback = chance.choice((None, 0.0, 30.0, 600.0, math.inf))
        super().__init__(folder, chance.choice((STATED, STATED + SILENT)), jobs=chance.randint(1, 4))

    def complete(self, request: ChatRequest, *, timeout: float) -> ChatAnswer:
        self.calls += 1
        began, latency = self.clock.now(), self.chance.choice((0.1, 1.0, min(timeout, 60.0)))
        while self._depth < 2 and self.chance.random() < 0.3:
            self.ask()
        self.clock._now = began + latency  # what others did meanwhile took its time beside it
        end, named = self.chance.choice(self.ends), self.chance.choice(tuple(NAMED))
        if end == "full" and request.tier == "flex":
            raise CapacityError("Resource Unavailable", retry_after=self.chance.choice((None, 5.0)))
        billed = NAMED[named] if NAMED[named] is not None else self.chance.choice(("flex", ""))
        return self._answer(request, end, named, self._price(billed, began))

    def _answer(self, request: ChatRequest, end: str, named: str | None, price: Price) -> ChatAnswer:
        size = sum(size for _, size in request.sizes)
        if end in SILENT:
            self.bill += some(self.chance, worst_cost(size, request.max_tokens, price))
            self.check()
            if end == "timeout":
                raise TransientError("no answer", code="read_timeout", indeterminate=True)
            return ChatAnswer(content="answer", finish_reason="stop", tier=named)
        usage = Usage(
            prompt_tokens=some(self.chance, size), completion_tokens=some(self.chance, request.max_tokens)
        )
        self.bill += usage.cost(price)
        self.check()
        return ChatAnswer(content="answer", finish_reason="stop", usage=usage, tier=named)

    def _price(self, tier: str, began: float) -> Price:
        moment = self.chance.choice((began, self.clock.now()))
        return self.tariff.booked("", tier or None, moment, moment)[1]


def tell(seed: int, steps: int) -> TieredFleet:
    """A random story; the fleet as it is when all have ended. It is closed."""
    folder = Path(tempfile.mkdtemp(prefix="tiers-", dir=MEMORY if MEMORY.is_dir() else None))
    chance = random.Random(seed)
    fleet = TieredFleet(folder, chance)
    try:
        for _ in range(steps):
            fleet.step(chance.choice(STEPS), chance.getrandbits(32))
        fleet.rest()
        totals = fleet.raw.totals(fleet.record.run_id).calls
        assert totals.sent == fleet.calls, "each call is counted once"
        if fleet.fallback is not None or fleet.tariff.hours is not None:
            assert sum(totals.tiers.values()) == totals.cost, "each dollar is of one tier"
    finally:
        fleet.close()
        shutil.rmtree(folder, ignore_errors=True)
    return fleet
