"""All that can befall a fleet, in any order: the promises hold after every step."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.adapters.sqlite.sqlite_queue import SqliteQueue
from handlers.errors import RunChangedError, UsageError
from handlers.local.merge import merge_state, runs_of
from handlers.runs import control
from tests.builders.fakes import FakeClock
from tests.faults import seven_promises
from tests.faults.crashing import SUBMITTING, WORKING, Point, Process
from tests.faults.one_thread import Answer
from tests.faults.seven_promises import Standing
from tests.faults.small_fleet import SmallFleet
from tests.faults.stories import MEMORY

ANSWERS: list[Answer] = [
    "ok", "ok", "ok", "flawed", "refused", "throttled", "reset", "charged", "hidden", "broken", "no_key",
    "blamed",
]  # fmt: skip
SCRIPT = st.lists(st.sampled_from(ANSWERS), max_size=6)
WAYS = st.sampled_from(["frozen", "before", "after"])
DEATHS = st.builds(Point, st.sampled_from(WORKING), st.integers(1, 3) | st.integers(4, 12), WAYS)
VERDICTS = st.builds(Point, st.sampled_from(["rejudge", "write_parts", "read"]), st.integers(1, 3), WAYS)
FALSE_STARTS = st.builds(Point, st.sampled_from(SUBMITTING), st.just(1), WAYS)
RUNS = st.sampled_from(["first", "first", "first", "same-again", "other-settings"])
SETTINGS: dict[str, dict[str, Any]] = {
    "first": {},
    "same-again": {},
    "other-settings": {"temperature": 0.7},
}
CENTS = 2_000_000
"""nano-USD that a few papers cost."""


class Promises(RuleBasedStateMachine):
    """One thread plays all processes; they meet in ledger, queue and store."""

    fleet: SmallFleet
    corpus: ClassVar[dict[str, Any]] = {}
    promises: ClassVar[tuple[Callable[[Standing], None], ...]] = seven_promises.PROMISES
    state: Path | None = None
    """The state folder, where there is one."""
    checkpoint: Path | None = None
    """A copy of it, as a job elsewhere would have saved it."""

    def __init__(self) -> None:
        super().__init__()
        self._asked: set[Callable[[Standing], None]] = set()
        self._standings: list[Standing] = []

    def adapters(self, folder: Path, clock: FakeClock) -> dict[str, Any]:
        self.state = folder
        ledger = self.close_later(SqliteLedger(folder / "ledger.sqlite3"))
        store = self.close_later(FileStore(folder))
        return {
            "ledger": ledger,
            "store": store,
            "queue_of": lambda name: SqliteQueue(folder / "queue.sqlite3", name, clock, max_receives=3),
        }

    def close_later(self, adapter: Any) -> Any:
        self._closing.callback(adapter.close)
        return adapter

    @initialize(tight=st.booleans())
    def begin(self, tight: bool) -> None:
        self._closing = ExitStack()
        folder = Path(tempfile.mkdtemp(prefix="promises-", dir=MEMORY if MEMORY.is_dir() else None))
        self._closing.callback(shutil.rmtree, folder, ignore_errors=True)
        clock = FakeClock()
        self.fleet = SmallFleet(folder, clock=clock, **self.adapters(folder, clock), **self.corpus)
        self._closing.callback(self.fleet.close)
        self.budgets = {name: CENTS if tight and name == "first" else None for name in SETTINGS}
        self.fleet.submit("first", budget=self.budgets["first"])

    # processes

    @rule(run=RUNS, answers=SCRIPT)
    def work(self, run: str, answers: list[Answer]) -> None:
        self._may_wait_for_nobody(run)
        if run in self.fleet.runs:
            self.fleet.work(run, answers)

    @rule(run=RUNS, answers=SCRIPT, seconds=st.integers(6, 20))
    def work_until_the_deadline(self, run: str, answers: list[Answer], seconds: float) -> None:
        self._may_wait_for_nobody(run)
        if run in self.fleet.runs:
            self.fleet.work(run, answers, seconds=seconds)

    @rule(first=st.sampled_from(["flawed", "refused", "ok"]), answers=SCRIPT)
    def the_first_run_is_interrupted_after_a_call(self, first: Answer, answers: list[Answer]) -> None:
        """Between two calls of a paper, or between two papers of a batch."""
        self._may_wait_for_nobody("first")
        self.fleet.work("first", [first, "no_key"])
        if self._state("first") != "cancelled":
            self.fleet.submit("first", budget=self.budgets["first"])
        self.fleet.work("first", answers)

    @rule(good=st.integers(0, 9), bad=st.sampled_from(["flawed", "refused", "blamed"]), answers=SCRIPT)
    def what_was_refused_is_tried_again(self, good: int, bad: Answer, answers: list[Answer]) -> None:
        self._may_wait_for_nobody("first")
        self.fleet.work("first", ["ok"] * good + [bad] * 9)
        self.steer("first", "retry")
        self.fleet.work("first", answers)

    @rule(run=RUNS, answers=SCRIPT, point=DEATHS)
    def work_and_die(self, run: str, answers: list[Answer], point: Point) -> None:
        self._may_wait_for_nobody(run)
        if run in self.fleet.runs:
            self.fleet.work(run, answers, point)

    @rule(answers=SCRIPT, point=DEATHS)
    def die_and_come_back(self, answers: list[Answer], point: Point) -> None:
        """Dies over the first run's batch; the batch is delivered again, before or after its funeral."""
        self.work_and_die("first", answers, point)
        self.fleet.clock.advance(200)
        self.work("first", answers)

    @rule(which=st.integers(0, 50), answers=SCRIPT)
    def a_message_is_delivered_once_more(self, which: int, answers: list[Answer]) -> None:
        if self.fleet.seen:
            run, delivery = self.fleet.seen[which % len(self.fleet.seen)]
            self._may_wait_for_nobody(run)
            self.fleet.deliver(run, delivery, answers)

    @rule(which=st.integers(0, 50))
    def a_frozen_process_does_what_it_was_about_to_do(self, which: int) -> None:
        if self.fleet.frozen:
            self.fleet.frozen.pop(which % len(self.fleet.frozen))()

    @rule()
    def the_dead_are_buried(self) -> None:
        self.fleet.bury()

    @rule(seconds=st.sampled_from([1.0, 31.0, 121.0, 1000.0, -3600.0]))
    def the_clock_jumps(self, seconds: float) -> None:
        self.fleet.clock.advance(seconds)

    @rule(answers=SCRIPT, point=DEATHS)
    def a_late_commit_meets_a_finished_batch(self, answers: list[Answer], point: Point) -> None:
        self.work_and_die("first", answers, Point("commit", point.nth, point.when))
        self.fleet.bury()
        self.work("first", [])
        self.a_frozen_process_does_what_it_was_about_to_do(0)

    # people

    @rule(run=RUNS, point=st.none() | FALSE_STARTS)
    def submit(self, run: str, point: Point | None) -> None:
        if self._state(run) != "cancelled":
            self.fleet.submit(run, budget=self.budgets[run], process=Process(point), **SETTINGS[run])

    @rule()
    def other_settings_under_the_same_name_are_refused(self) -> None:
        with pytest.raises(RunChangedError):
            self.fleet.submit("first", temperature=0.9)

    @precondition(lambda self: self.budgets["first"] is not None)
    @rule()
    def a_larger_budget(self) -> None:
        self.budgets["first"] += CENTS
        if self._state("first") != "cancelled":
            self.fleet.submit("first", budget=self.budgets["first"])

    @rule(run=RUNS, verb=st.sampled_from(["pause", "resume", "cancel", "redrive", "retry", "retry"]))
    def steer(self, run: str, verb: str) -> None:
        if self._state(run) is None:
            return
        backend = self.fleet.backend(run)
        try:
            if verb == "retry":
                control.retry(backend, run, statuses=["failed", "flagged"], error=None)
            else:
                getattr(control, verb)(backend, run)
        except UsageError:
            assert self._state(run) == "cancelled"

    @rule(run=RUNS, refused=st.sets(st.integers(0, 6)), point=st.none() | VERDICTS)
    def stored_answers_are_judged_again(self, run: str, refused: set[int], point: Point | None) -> None:
        """By a gate that refuses some papers, and then by one that does not: what was let through before is
        let through again."""
        if self._state(run) is not None:
            self.fleet.judge_again(run, lambda name: name[-1:] in map(str, refused), Process(point))

    @rule(run=RUNS)
    def a_stranger_puts_a_message_into_the_queue(self, run: str) -> None:
        if run in self.fleet.runs:
            self.fleet.queue(run).send([("poison", '{"v": 7, "run_id": "../../etc"}')])

    @precondition(lambda self: self.state is not None)
    @rule()
    def a_checkpoint_is_saved(self) -> None:
        self.checkpoint = self._beside("checkpoint")
        shutil.copytree(self.state, self.checkpoint)

    @precondition(lambda self: self.checkpoint is not None)
    @rule(run=RUNS, newest_first=st.booleans())
    def checkpoint_and_state_are_united(self, run: str, newest_first: bool) -> None:
        if run not in self.fleet.runs or run not in runs_of(self.checkpoint):
            return
        states = [self.state, self.checkpoint] if newest_first else [self.checkpoint, self.state]
        united = self._beside("united")
        seen = []
        for _ in range(2):
            for state in states:
                merge_state(united, state, run)
            seen.append(self.fleet.united(united, run))
        assert seen[0] == seen[1], "merging again changes nothing"

    def _beside(self, name: str) -> Path:
        folder = self.state.with_name(f"{self.state.name}-{name}")
        shutil.rmtree(folder, ignore_errors=True)
        self._closing.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder

    # what must hold after every step

    @invariant()
    def promise_1_every_paper_ends_in_one_state(self) -> None:
        self._holds(seven_promises.promise_1_every_paper_ends_in_one_state)

    @invariant()
    def promise_2_nothing_is_paid_twice(self) -> None:
        self._holds(seven_promises.promise_2_nothing_is_paid_twice)

    @invariant()
    def promise_3_every_dollar_is_counted(self) -> None:
        self._holds(seven_promises.promise_3_every_dollar_is_counted)

    @invariant()
    def promise_4_the_budget_holds_over_the_fleet(self) -> None:
        self._holds(seven_promises.promise_4_the_budget_holds_over_the_fleet)

    @invariant()
    def promise_5_the_mathematics_is_exact(self) -> None:
        self._holds(seven_promises.promise_5_the_mathematics_is_exact)

    @invariant()
    def promise_6_a_result_is_durable_before_the_ledger_says_so(self) -> None:
        self._holds(seven_promises.promise_6_a_result_is_durable_before_the_ledger_says_so)

    @invariant()
    def promise_7_bad_input_never_stops_a_run(self) -> None:
        self._holds(seven_promises.promise_7_bad_input_never_stops_a_run)

    def _holds(self, promise: Callable[[Standing], None]) -> None:
        """Each promise is asked once a step: whoever asks again stands at the next one."""
        if promise in self._asked or not self._asked:
            self._asked.clear()
            self._standings = self.fleet.standings() if hasattr(self, "fleet") else []
        self._asked.add(promise)
        for standing in self._standings if promise in self.promises else ():
            promise(standing)

    def teardown(self) -> None:
        try:
            if hasattr(self, "fleet"):
                self._finish_everything()
        finally:
            if hasattr(self, "_closing"):
                self._closing.close()

    def _finish_everything(self) -> None:
        """However it stands, somebody who does the right things ends with no paper pending."""
        for run in list(self.fleet.runs):
            self.budgets[run] = None if self.budgets[run] is None else self.budgets[run] + 100 * CENTS
            for attempt in itertools.count():
                assert attempt < 40, f"{run} cannot be finished"
                self.fleet.bury()
                if self._state(run) == "cancelled":
                    control.resume(self.fleet.backend(run), run)
                self.fleet.submit(run, budget=self.budgets[run], **SETTINGS[run])
                control.redrive(self.fleet.backend(run), run)
                self.fleet.clock.advance(1000)
                for _ in range(5):
                    self.fleet.work(run)
                if self.fleet.raw.totals(run).counts["pending"] == 0:
                    break
        while self.fleet.frozen:
            self.fleet.frozen.pop()()
        self.fleet.bury()
        for standing in self.fleet.standings():
            for promise in self.promises:
                promise(standing)

    def _state(self, run: str) -> str | None:
        known = run in self.fleet.runs and run in self.fleet.raw.run_ids()
        return self.fleet.raw.control(run).state if known else None

    def _may_wait_for_nobody(self, run: str) -> None:
        """A job that is short of money waits for what others hold: in one thread, nobody gives it back."""
        if self.budgets.get(run) is not None:
            self.fleet.bury()
