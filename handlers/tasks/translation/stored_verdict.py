"""What the checks say of texts as they are stored, beside what the calls for them came to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from handlers.domain.result import Check
from handlers.tasks.translation.exchange import STOPS

GATE_VERSION = "2"
"""Of all that judges answers: by another one a text that was refused may pass, and the other way round."""
NO_TEXT = Check(name="no_text", verdict="fail", detail="No answer had a text that could be read.")
_SEVERITY = {"pass": 0, "warn": 1, "fail": 2}


@dataclass(frozen=True, slots=True)
class StoredVerdict:
    """``checks`` are of the texts as they are stored; ``said`` and ``stop`` are what the calls came to."""

    checks: tuple[Check, ...]
    said: tuple[Check, ...]
    stop: str | None

    @property
    def failed(self) -> tuple[str, ...]:
        return tuple(check.name for check in self.checks if check.verdict == "fail")

    @property
    def error(self) -> str | None:
        """Of a refused text: what ended its calls, where that is one of its faults or left no other text."""
        failed = self.failed
        return self.stop if failed and self.stop in (*failed, *STOPS) else next(iter(failed), None)

    @property
    def faults(self) -> tuple[Check, ...]:
        return tuple(check for check in self.said if check.verdict == "fail" and check not in self.checks)


def worst(checks: Iterable[Check]) -> tuple[Check, ...]:
    """One verdict a check: the worst of all."""
    found: dict[str, Check] = {}
    for check in checks:
        if check.name not in found or _SEVERITY[check.verdict] > _SEVERITY[found[check.name].verdict]:
            found[check.name] = check
    return tuple(found.values())


def collected(checks: Iterable[Check], most: int = 4_000) -> tuple[Check, ...]:
    """One verdict a check, the worst of all, with the details of those that say so: ``most`` characters."""
    by_name: dict[str, list[Check]] = {}
    for check in checks:
        same = by_name.setdefault(check.name, [])
        if same and _SEVERITY[check.verdict] > _SEVERITY[same[0].verdict]:
            same.clear()
        if not same or check.verdict == same[0].verdict:
            same.append(check)
    return tuple(
        Check(
            name=name, verdict=same[0].verdict, detail=" ".join(filter(None, (c.detail for c in same)))[:most]
        )
        for name, same in by_name.items()
    )
