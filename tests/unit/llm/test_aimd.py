from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.llm.limits.aimd import AimdLimit
from handlers.llm.limits.gossip import FleetReport


def at_level(level: float, ceiling: int = 100) -> AimdLimit:
    return AimdLimit(ceiling, start=level)


def test_slots_open_by_time_within_a_second() -> None:
    limit = AimdLimit(100)
    assert [limit.slots(now) for now in (10.0, 10.25, 10.5, 10.7, 60.0)] == [1, 38, 76, 100, 100]


def test_the_time_to_the_next_slot_is_known_in_slow_start_only() -> None:
    limit = AimdLimit(100)
    assert limit.slots(0.0) == 1
    assert 0.006 < limit.next_open(0.0) < 0.007
    limit.on_success(0.0, 1, 0.0)
    limit.on_throttle(0.0, 1, 0.0)
    assert limit.next_open(0.0) == float("inf")


def test_refusals_before_any_answer_slow_the_speed_at_which_slots_open() -> None:
    limit = AimdLimit(100)
    assert limit.slots(0.0) == 1
    assert limit.slots(0.2) == 31
    assert limit.on_throttle(0.1, 16, 0.2)
    assert limit.slots(0.2) == 15
    assert limit.slots(0.6) == 25
    assert not limit.on_throttle(0.19, 26, 0.6), "that call was sent at the old speed"
    assert limit.on_throttle(0.5, 26, 0.6)
    assert limit.slots(1.4) == 35


def test_calls_refused_before_any_answer_leave_as_many_slots_as_were_let_in() -> None:
    limit = AimdLimit(100)
    limit.slots(0.0)
    assert limit.slots(0.5) == 76
    for still_there in range(76, 20, -1):
        limit.on_throttle(0.4, still_there, 0.5)
    assert limit.slots(0.5) == 20


def test_an_api_that_never_answers_may_refuse_for_long() -> None:
    limit = AimdLimit(100)
    for number in range(1, 2_000):
        assert limit.next_open(float(number)) > 0
        assert limit.on_throttle(float(number), 1, float(number))
    limit.on_success(2_000.0, 1, 2_000.5)
    assert limit.slots(2_001.0) > 1


def test_after_the_first_answer_a_refusal_ends_slow_start() -> None:
    limit = AimdLimit(100)
    limit.slots(0.0)
    assert limit.slots(0.5) == 76
    limit.on_success(0.0, 76, 0.5)
    assert limit.on_throttle(0.4, 40, 0.5)
    assert limit.slots(0.5) == limit.slots(5.0) < 40


def test_a_refusal_in_a_lull_is_no_reason_to_give_up_nearly_all_slots() -> None:
    limit = at_level(80)
    limit.on_throttle(1.0, 2, 2.0)
    assert limit.slots(2.0) >= 24


def test_a_burst_of_refusals_cuts_once() -> None:
    limit = at_level(80)
    assert [limit.on_throttle(9.9, 80, 10.0 + n / 10) for n in range(40)] == [True] + [False] * 39
    assert limit.slots(14.0) == 64


def test_refusals_that_go_on_after_a_cut_cut_again_after_a_burst() -> None:
    limit = at_level(80)
    limit.on_throttle(9.9, 80, 10.0)
    for number in range(5):
        assert not limit.on_throttle(10.5, 64, 11.0 + number / 2)
    assert limit.on_throttle(14.9, 64, 15.0)
    assert limit.slots(15.0) == 51


def test_calls_that_started_before_a_cut_move_nothing_after_it() -> None:
    limit = at_level(50)
    limit.on_throttle(1.0, 50, 2.0)
    for _ in range(500):
        limit.on_success(1.9, 50, 3.0)
    assert limit.slots(3.0) == 40
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


def after_a_cut(level: float, *, room: bool | None, until: float) -> int:
    """Slots at ``until`` after small cuts at 0 and 20, with a round of successes a second from then on."""
    limit = at_level(level)
    limit.on_throttle(-1.0, int(level), 0.0)
    limit.on_throttle(19.0, int(level), 20.0)
    for second in range(21, int(until)):
        for _ in range(limit.slots(second)):
            limit.on_success(second - 0.5, limit.slots(second), second, room=room)
    return limit.slots(until)


def test_near_the_limit_slots_come_slowly_and_quickly_where_the_api_says_that_there_is_room() -> None:
    assert after_a_cut(50, room=False, until=22) == 32
    assert after_a_cut(50, room=True, until=31) >= 70


def test_an_api_without_headers_is_probed_harder_once_it_has_long_been_quiet() -> None:
    slow, fast = (after_a_cut(50, room=room, until=75) for room in (False, None))
    assert fast > slow + 5


def steered(level: float, fill: float, rounds: int) -> AimdLimit:
    """A limit that was refused once, then hears of a bucket that is ``fill`` full."""
    limit = at_level(level)
    limit.on_throttle(0.0, int(level), 0.0)
    for now in range(1, rounds + 1):
        slots = limit.slots(now)
        for _ in range(slots):
            limit.on_success(now - 0.5, slots, now, room=False, fill=fill)
    return limit


def test_a_low_bucket_takes_slots_before_it_refuses_a_call() -> None:
    empty, full = steered(50, 0.0, 5), steered(50, 1.0, 5)
    assert empty.slots(5.0) < 25 < 42 <= full.slots(5.0)


def test_jobs_that_read_one_bucket_draw_level() -> None:
    few, many = steered(15, 0.2, 60).slots(60.0), steered(90, 0.2, 60).slots(60.0)
    assert many - few <= 2


def test_a_job_with_few_slots_grows_faster_than_one_near_its_ceiling() -> None:
    few, many = after_a_cut(20, room=False, until=40), after_a_cut(90, room=False, until=40)
    assert few - 12 > many - 57


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


def test_another_ceiling_is_open_at_once_unless_the_api_refused_calls() -> None:
    free, refused = at_level(10, ceiling=10), at_level(10, ceiling=10)
    refused.on_throttle(1.0, 10, 2.0)
    for limit in (free, refused):
        limit.set_ceiling(30, 3.0)
    assert free.slots(3.0) == 30
    assert refused.slots(3.0) == 8
    free.set_ceiling(4, 4.0)
    assert free.slots(4.0) == 4


def after_a_cut_among_others(fleet: FleetReport, *, heard_until: float = 60.0) -> AimdLimit:
    """A limit at 40 of 100 slots at 60, with a round of calls and a heartbeat a second since its cut at 0."""
    limit = at_level(50)
    limit.on_throttle(-1.0, 50, 0.0)
    limit.on_throttle(-1.0, 50, 0.1)
    limit._chasing = False
    for now in range(1, 61):
        if now <= heard_until:
            limit.observe(fleet, now)
        for _ in range(limit.slots(now)):
            limit.on_success(now - 0.5, limit.slots(now), now)
    return limit


def test_a_job_grows_when_nobody_was_refused_for_long_and_hardly_while_somebody_is() -> None:
    calm = after_a_cut_among_others(FleetReport(answered=500, throttled=0, level=None, seconds=1.0))
    busy = after_a_cut_among_others(FleetReport(answered=500, throttled=1, level=None, seconds=1.0))
    alone = after_a_cut_among_others(FleetReport(500, 1, None, 1.0), heard_until=-1)
    assert busy.slots(60.0) < alone.slots(60.0) < calm.slots(60.0) == 100


def test_all_give_way_by_the_share_that_was_refused() -> None:
    kept = {}
    for refused in (0, 1, 20):
        limit = at_level(50)
        limit.on_throttle(0.0, 50, 0.0)
        limit.observe(FleetReport(answered=80, throttled=refused, level=0.4, seconds=1.0), 10.0)
        kept[refused] = limit.level
    assert kept[0] == 40
    assert kept[1] == pytest.approx(40 * (1 - 0.25 / 81))
    assert kept[20] == pytest.approx(38)


def test_who_was_just_cut_and_who_reads_a_common_bucket_do_not_give_way_again() -> None:
    cut, reads = at_level(50), steered(50, 0.5, 3)
    cut.on_throttle(0.0, 50, 10.0)
    for limit in (cut, reads):
        before = limit.level
        limit.observe(FleetReport(answered=80, throttled=20, level=before / 100, seconds=1.0), 11.0)
        assert limit.level == before


def test_few_answers_without_a_refusal_are_no_calm() -> None:
    few = after_a_cut_among_others(
        FleetReport(answered=1, throttled=0, level=None, seconds=1.0), heard_until=30
    )
    many = after_a_cut_among_others(
        FleetReport(answered=50, throttled=0, level=None, seconds=1.0), heard_until=30
    )
    assert few.slots(30.0) < many.slots(30.0)


def test_jobs_that_hear_of_each_other_draw_level_and_no_slot_is_lost() -> None:
    few, many = at_level(10), at_level(70)
    for limit in (few, many):
        limit.refused = True
        limit._opening = False
    for now in range(1, 120):
        mean = (few.level + many.level) / 200
        for limit in (few, many):
            limit.observe(FleetReport(0, 0, mean, 1.0), float(now))
    assert many.level - few.level < 20
    assert few.level + many.level == pytest.approx(80)


def test_what_others_say_moves_nothing_in_a_job_that_was_never_refused_a_call() -> None:
    limit = at_level(50)
    for now in range(1, 60):
        limit.observe(FleetReport(10, 10, 0.01, 1.0), float(now))
    assert limit.slots(60.0) == 50


def test_days_without_a_refusal_are_no_trouble() -> None:
    """Doubling has an end: 2 to the power of hours is no number."""
    limit = at_level(10)
    limit.on_throttle(0.0, 10, 1.0)
    limit._chasing = False
    for hours in (3, 300):
        now = 3600.0 * hours
        limit.observe(FleetReport(10**12, 0, None, now), now)
        limit.on_success(now - 1, 10, now)
        limit.on_success(now + 60, 10, now + 61)
    assert limit.slots(2e6) <= 100


@given(moves=st.lists(st.tuples(st.integers(0, 10**12), st.integers(0, 9), st.none() | st.floats(0, 1))))
def test_no_news_takes_the_slots_out_of_their_bounds(moves: list[tuple[int, int, float | None]]) -> None:
    limit, now = at_level(20, ceiling=30), 0.0
    limit.on_throttle(0.0, 20, 0.0)
    for answered, throttled, level in moves:
        now += 1.0
        limit.observe(FleetReport(answered, throttled, level, 1.0), now)
        limit.on_success(now - 0.5, limit.slots(now), now)
        assert 1 <= limit.slots(now) <= 30


def test_one_slow_answer_does_not_make_a_job_deaf_to_refusals() -> None:
    limit = at_level(100)
    for number in range(600):
        limit.on_success(number - 2.0, 100, float(number))
    limit.on_success(600.0 - 110.0, 100, 600.0)
    slots = []
    for number in range(6):
        now = 601.0 + 20 * number
        limit.on_throttle(now - 0.1, limit.slots(now), now)
        slots.append(limit.slots(now))
    assert slots == [80, 64, 51, 40, 32, 25]
