"""What a pilot says that measured nothing."""

from __future__ import annotations

from handlers.cli.pilot_command import _unmeasured
from handlers.domain.run_report import CallCounts
from tests.builders.reports import report

_NONE = CallCounts(sent=0, ok=0, throttled=0, transient=0, fatal=0, refused=0, repairs=0)


def test_a_pilot_without_a_call_says_what_became_of_its_papers() -> None:
    taken = report(state="finished", reason="", counts={"done": 2, "flagged": 5}, calls=_NONE)
    assert "no call was needed" in _unmeasured(taken)
    assert "(2 done, 5 flagged, by answers of earlier runs" in _unmeasured(taken)


def test_a_parked_pilot_says_why() -> None:
    parked = report(state="parked", reason="the key was refused", counts={"pending": 5}, calls=_NONE)
    assert _unmeasured(parked) == "parked: no call was answered. the key was refused"
