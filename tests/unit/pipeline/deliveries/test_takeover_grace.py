"""When a lease that ran out may be taken, by what a job's own heartbeats tell of the ledger."""

from __future__ import annotations

import inspect

import pytest

from handlers.adapters.aws import retries
from handlers.adapters.aws.clients import aws_client
from handlers.domain.job import LEASE_TTL
from handlers.pipeline import heartbeat
from handlers.pipeline.deliveries import takeover_grace
from handlers.pipeline.deliveries.takeover_grace import TakeoverGrace
from handlers.pipeline.pace import AWS
from tests.builders.fakes import SetClock


@pytest.mark.parametrize(
    ("beats", "in_stack", "left"),
    [
        ((), True, 60),
        ((), False, 0),
        ((0,), True, 60),
        ((0,), False, 0),
        ((0, 5, 10, 15), True, 45),
        ((*range(0, 65, 5),), True, 0),
        ((*range(0, 65, 5), 645), True, 60),
        ((*range(0, 65, 5), 645, 650), True, 55),
        ((*range(0, 65, 5), 645, 650, 700), True, 60),
        ((0, 600), False, 10),
        ((0, 600, 605, 610), False, 0),
        ((*range(0, 65, 5), 74), True, 0),
    ],
)
def test_it_begins_with_the_first_heartbeat_after_a_gap(
    beats: tuple[float, ...], in_stack: bool, left: float
) -> None:
    clock = SetClock()
    grace, began = TakeoverGrace(clock, in_stack=in_stack), clock.now()
    for beat in beats:
        clock.advance(began + beat - clock.now())
        grace.heard()
    assert grace.left == left


@pytest.mark.parametrize("slept", [False, True])
def test_while_no_heartbeat_gets_through_nothing_may_be_taken(slept: bool) -> None:
    clock = SetClock()
    grace = TakeoverGrace(clock, in_stack=True)
    for _ in range(13):
        grace.heard()
        clock.advance(5)
    assert grace.left == 0
    if slept:  # its own time stood still
        clock.ahead += 300
    else:
        clock.advance(20)
    assert grace.left == 60
    grace.heard()
    assert grace.left == 60


def test_it_is_as_long_as_a_holder_may_be_stuck_and_a_gap_is_shorter_than_a_lease() -> None:
    silent = inspect.signature(aws_client).parameters["read_timeout"].default
    pauses = retries._CAP + heartbeat.BEAT
    assert silent + pauses + 20 <= takeover_grace._IN_A_STACK
    assert AWS.report_every * 2 < takeover_grace._GAP < LEASE_TTL - heartbeat._EXTEND_EVERY - silent
