from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from handlers.llm.aimd import AimdLimit


def at_level(level: float, ceiling: int = 100) -> AimdLimit:
    return AimdLimit(ceiling, start=level)


def test_slots_open_by_time_half_of_the_ceiling_a_second() -> None:
    limit = AimdLimit(100)
    assert [limit.slots(now) for now in (10.0, 10.5, 11.0, 12.0, 60.0)] == [1, 26, 51, 100, 100]


def test_the_time_to_the_next_slot_is_known_in_slow_start_only() -> None:
    limit = AimdLimit(100)
    assert limit.slots(0.0) == 1
    assert 0.019 < limit.next_open(0.0) < 0.021
    limit.on_throttle(0.0, 1, 0.0)
    assert limit.next_open(0.0) == float("inf")


def test_a_refusal_ends_slow_start_and_cuts_what_was_in_use() -> None:
    limit = AimdLimit(100)
    limit.slots(0.0)
    assert limit.slots(1.0) == 51
    assert limit.on_throttle(0.9, 40, 1.0)
    assert limit.slots(1.0) == 34
    assert limit.slots(5.0) == 34


def test_a_refusal_in_a_lull_leaves_half_of_the_slots() -> None:
    limit = at_level(80)
    limit.on_throttle(1.0, 2, 2.0)
    assert limit.slots(2.0) == 40


def test_a_burst_of_refusals_cuts_once() -> None:
    limit = at_level(80)
    assert [limit.on_throttle(9.9, 80, 10.0 + n / 10) for n in range(40)] == [True] + [False] * 39
    assert limit.slots(14.0) == 68
    assert limit.on_throttle(15.0, 68, 15.1)
    assert limit.slots(15.1) == 57


def test_calls_that_started_before_a_cut_move_nothing_after_it() -> None:
    limit = at_level(50)
    limit.on_throttle(1.0, 50, 2.0)
    for _ in range(500):
        limit.on_success(1.9, 50, 3.0)
    assert limit.slots(3.0) == 42
    assert not limit.on_throttle(1.9, 50, 20.0)


def test_a_round_of_successes_adds_one_slot() -> None:
    limit = at_level(20)
    for _ in range(21):
        limit.on_success(1.0, 20, 2.0)
    assert limit.slots(2.0) == 21


def test_successes_add_nothing_while_slots_are_free() -> None:
    limit = at_level(20)
    for _ in range(500):
        limit.on_success(1.0, 10, 2.0)
    assert limit.slots(2.0) == 20


def test_far_below_the_level_last_refused_slots_come_back_faster() -> None:
    limit = at_level(100)
    limit.on_throttle(1.0, 100, 2.0)
    for _ in range(25):
        limit.on_success(3.0, 85, 4.0)
    assert 86 <= limit.slots(4.0) <= 87
    near = at_level(85)
    for _ in range(25):
        near.on_success(3.0, 85, 4.0)
    assert near.slots(4.0) == 85


def test_past_the_level_last_refused_slots_come_slowly() -> None:
    limit = at_level(100, ceiling=200)
    limit.on_throttle(1.0, 100, 2.0)
    levels = []
    for second in range(200):
        now = 10.0 + second
        for _ in range(limit.slots(now)):
            limit.on_success(now - 0.5, limit.slots(now), now)
        levels.append(limit.slots(now))
    assert levels[1] >= 90
    assert levels[15] < 100 < levels[40]
    assert levels[60] < 110
    assert levels[199] > 150, "a limit that moved away is followed"


def test_it_settles_around_a_hidden_limit() -> None:
    limit, now, hidden, seen = AimdLimit(200), 0.0, 60, []
    for _ in range(300):
        now += 1.0
        in_flight = limit.slots(now)
        for number in range(in_flight):
            if number < hidden:
                limit.on_success(now - 0.5, in_flight, now)
            else:
                limit.on_throttle(now - 0.5, in_flight, now)
        seen.append(min(in_flight, hidden))
    assert sum(seen[50:]) / len(seen[50:]) > 0.85 * hidden


event = st.tuples(st.booleans(), st.floats(0, 3), st.floats(0, 3), st.integers(0, 300))


@given(ceiling=st.integers(1, 200), start=st.none() | st.floats(0, 500), moves=st.lists(event, max_size=80))
def test_slots_stay_between_one_and_the_ceiling(
    ceiling: int, start: float | None, moves: list[tuple[bool, float, float, int]]
) -> None:
    limit, now = AimdLimit(ceiling, start=start), 0.0
    for refused, pause, age, in_flight in moves:
        now += pause
        (limit.on_throttle if refused else limit.on_success)(now - age, in_flight, now)
        assert 1 <= limit.slots(now) <= ceiling
