from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from handlers.pipeline.auto_workers import AutoWorkers, WorkerChange, WorkerLoad


def load(answered: int, workers: int, **changes: float) -> WorkerLoad:
    fields = {
        "answered": answered, "throttled": 0, "in_flight": workers, "waiting": 50, "slots": workers,
        "latency": 2.0, "memory": 0.5,
    }  # fmt: skip
    return WorkerLoad(**(fields | changes))


def with_workers(workers: int, *, ceiling: int) -> AutoWorkers:
    auto = AutoWorkers(ceiling)
    auto.workers = workers
    return auto


def grown(auto: AutoWorkers, looks: int, answered: int = 0, **changes: float) -> list[WorkerChange]:
    made = []
    for _ in range(looks):
        answered += auto.workers
        change = auto.look(load(answered, auto.workers, **changes))
        made += [change] if change else []
    return made


def test_it_grows_to_its_ceiling_while_all_are_busy_and_says_why() -> None:
    auto = AutoWorkers(ceiling=100)
    changes = grown(auto, 10)
    assert [change.workers for change in changes] == [15, 23, 35, 53, 80, 100]
    assert str(changes[0]) == "workers 10 → 15: all are busy, calls take 2.0 s and none is refused"


def test_it_waits_for_a_round_of_calls_before_it_judges() -> None:
    auto = AutoWorkers(ceiling=100)
    assert auto.look(load(9, 10)) is None
    assert auto.look(load(10, 10)) is not None
    assert auto.look(load(20, 15)) is None


def test_it_does_not_grow_when_workers_idle_or_nothing_waits() -> None:
    auto = AutoWorkers(ceiling=100)
    assert not grown(auto, 5, in_flight=3)
    assert not grown(auto, 5, waiting=0)


def test_refusals_let_go_of_the_workers_that_cannot_get_through() -> None:
    auto = with_workers(100, ceiling=200)
    change = auto.look(load(90, 100, throttled=30, slots=40))
    assert change is not None
    assert change.workers == 50
    assert "30 of 120 calls were refused" in change.reason


def test_calls_that_take_longer_with_more_workers_end_the_growth_for_good() -> None:
    auto = AutoWorkers(ceiling=200)
    grown(auto, 3, answered=100)
    assert auto.workers == 35
    change = auto.look(load(10_000, 35, latency=4.5))
    assert change is not None
    assert change.workers == 24
    grown(auto, 20, answered=10_000)
    assert auto.workers == 34


def test_calls_that_stay_slow_with_fewer_workers_are_not_the_workers_doing() -> None:
    auto = with_workers(40, ceiling=200)
    grown(auto, 1, answered=100, waiting=0)
    assert auto.look(load(10_000, 40, latency=4.5)) is not None
    assert grown(auto, 8, answered=10_000, latency=4.5)[-1].workers == 200


def test_the_first_answers_are_the_quick_ones_and_prove_nothing() -> None:
    auto = AutoWorkers(ceiling=200)
    auto.look(load(10, 10, latency=0.2))
    change = auto.look(load(300, 15, latency=0.5))
    assert change is not None
    assert change.workers > 15


def test_memory_goes_before_everything() -> None:
    auto = with_workers(100, ceiling=200)
    change = auto.look(load(0, 100, memory=0.05))
    assert change is not None
    assert change.workers == 70
    assert "memory" in change.reason


look = st.builds(
    WorkerLoad,
    answered=st.integers(0, 10**6), throttled=st.integers(0, 10**6), in_flight=st.integers(0, 1000),
    waiting=st.integers(0, 1000), slots=st.integers(1, 1000), latency=st.floats(0, 1000),
    memory=st.floats(0, 1),
)  # fmt: skip


@given(st.integers(1, 1000), st.lists(look, max_size=60))
def test_the_number_stays_between_two_and_the_ceiling(ceiling: int, looks: list[WorkerLoad]) -> None:
    auto = AutoWorkers(ceiling)
    for each in looks:
        change = auto.look(each)
        assert change is None or (change.workers == auto.workers != change.before)
        assert min(2, ceiling) <= auto.workers <= max(2, ceiling)
