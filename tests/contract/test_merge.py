"""A merge is a union: whatever jobs did apart, in which order their states come, and how often."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.adapters.file_merge import merge_objects, object_size
from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.ledger_slice import reuse_at, slice_ledger
from handlers.adapters.sqlite.merge_ledger import merge_ledger
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.domain.call import CallTotals
from handlers.domain.job import JobRecord, JobStats
from handlers.domain.ledger import Commit, Reusable
from handlers.domain.paper import TERMINAL, PaperStatus
from handlers.domain.result import Part, PartPointer
from tests.builders import values
from tests.builders.examples import fewer

BATCHES = {"b1": ("p1", "p2"), "b2": ("p3", "p4"), "b3": ("p5", "p6")}
GRANT = 5_000
TABLES = {
    "run": "run_id, papers, same_as, budget, held, reused, control, reason",
    "batch": "batch_id, papers, generation, lease_until, finished_at, done, flagged, failed, skipped",
    "paper": "*",
    "answer": "*",
    "part": "*",
    "part_calls": "*",
    "tally": "kind, name, n",
    "job": "*",
    "session": "*",
    "fingerprint": "*",
    "budget_word": "*",
    "endpoint_note": "*",
}


@dataclass(frozen=True)
class Step:
    """A paper gets an outcome, and a call of that cost is booked."""

    paper: int
    status: PaperStatus
    cost: int

    @property
    def held(self) -> int:
        """What the call may be billed for beyond its cost."""
        return self.cost // 4


@dataclass(frozen=True)
class Work:
    """What one job does with its copy of the state: steps with checkpoints between them, and its end."""

    steps: list[Step]
    checkpoint: int
    """A copy is taken after so many steps."""
    ends: bool
    """Else it dies with what it holds."""


steps = st.builds(
    Step,
    paper=st.integers(1, 6),
    status=st.sampled_from(get_args(PaperStatus)),
    cost=st.integers(0, GRANT // 8),
)
works = st.builds(Work, steps=st.lists(steps, max_size=6), checkpoint=st.integers(0, 6), ends=st.booleans())


@dataclass
class Apart:
    """Jobs that began with copies of one state and never heard of each other."""

    folder: Path
    states: list[Path] = field(default_factory=list)
    bill: int = 0
    """What all calls cost."""
    held: int = 0
    """What they may have cost beyond it."""

    def begin(self) -> Path:
        base = self.folder / "base"
        ledger = SqliteLedger(base / "ledger.sqlite3")
        ledger.add_batches([values.batch(name, ids) for name, ids in BATCHES.items()])
        ledger.create_run(values.run_record(papers=6, budget=10**9))
        ledger.open_session(values.session())
        ledger.close()
        self.states.append(base)
        return base

    def work(self, name: str, work: Work) -> None:
        state = self.folder / name
        shutil.copytree(self.folder / "base", state)
        ledger, store = SqliteLedger(state / "ledger.sqlite3"), FileStore(state)
        ledger.start_job(JobRecord(name, "r", "s1", "h:1:1", 2, 1.0, 1.0, None, "", JobStats()))
        assert ledger.draw("r", name, 1, GRANT) == "drawn"
        assert ledger.note("endpoint", f'{{"at": 1796000000.{len(work.steps)}, "job": "{name}"}}', known=None)
        spent = held = 0
        for number, step in enumerate(work.steps):
            if number == work.checkpoint:
                self._checkpoint(name, state)
            self._step(ledger, store, name, number, step)
            spent += step.cost
            held += step.held
            ledger.beat("r", name, at=2.0 + number, stats=JobStats(papers=number))
        if work.ends:
            ledger.give_back("r", name, 2, GRANT - spent - held)
            ledger.end_job("r", name, at=20.0, outcome="finished", stats=None)
        self.bill += spent
        self.held += held
        ledger.close()
        store.close()
        self.states.append(state)

    def _step(self, ledger: SqliteLedger, store: FileStore, job: str, number: int, step: Step) -> None:
        paper, batch = f"p{step.paper}", f"b{(step.paper + 1) // 2}"
        line = f'{{"paper": "{paper}", "job": "{job}", "n": {number}}}\n'.encode()
        (pointers,) = store.write_parts(job, [Part("r", f"{batch}/1-{job}-{number}", (line,))])
        body = {"translated": number} if step.status in ("done", "flagged") and step.paper > 3 else {}
        entry = values.entry(
            paper,
            step.status,
            pointer=pointers[0],
            cost=step.cost,
            fingerprint=f"fp-{paper}",
            segments=body,
        )
        calls = CallTotals.of([values.call(f"{job}-{number}", cost=step.cost, held=step.held)])
        ledger.commit([Commit("r", batch, f"{batch}/1-{job}-{number}", job, (entry,), calls, 2.0 + number)])

    def _checkpoint(self, name: str, state: Path) -> None:
        copy = self.folder / f"{name}-checkpoint"
        shutil.copytree(state, copy)
        self.states.insert(0, copy)


@contextmanager
def apart(jobs: Sequence[Work]) -> Iterator[Apart]:
    with tempfile.TemporaryDirectory() as folder:
        made = Apart(Path(folder))
        made.begin()
        for number, work in enumerate(jobs):
            made.work(f"job-{number}", work)
        yield made


def united(folder: Path, name: str, states: Sequence[Path]) -> Path:
    into = folder / name
    into.mkdir()
    for number, state in enumerate(states):
        merge_objects(into, state, "r")
        copy = folder / f"{name}-source-{number}"
        copy.mkdir()
        for path in state.glob("ledger.sqlite3*"):
            shutil.copy(path, copy)
        merge_ledger(
            into / "ledger.sqlite3", copy / "ledger.sqlite3", "r", size=lambda key: object_size(into, key)
        )
    return into


def contents(state: Path) -> dict[str, list[Any]]:
    db = sqlite3.connect(state / "ledger.sqlite3")
    found: dict[str, list[Any]] = {
        table: sorted(
            map(
                repr,
                db.execute(
                    f"SELECT {columns} FROM {table} WHERE n <> 0"
                    if table == "tally"
                    else f"SELECT {columns} FROM {table}"
                ),
            )
        )
        for table, columns in TABLES.items()
    }
    db.close()
    found["files"] = sorted(
        (str(path.relative_to(state)), path.read_bytes()) for path in (state / "runs").rglob("*.jsonl")
    )
    return found


@fewer(4)
@given(st.lists(works, min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_the_order_of_the_states_and_merging_again_change_nothing(jobs: list[Work], chance: Any) -> None:
    with apart(jobs) as made:
        once = contents(united(made.folder, "once", made.states))
        shuffled = [*made.states, *made.states]
        chance.shuffle(shuffled)
        assert contents(united(made.folder, "twice", shuffled)) == once


@fewer(8)
@given(st.lists(works, min_size=2, max_size=3))
def test_a_merge_of_merges_is_the_merge_of_all(jobs: list[Work]) -> None:
    with apart(jobs) as made:
        all_at_once = contents(united(made.folder, "all", made.states))
        middle = len(made.states) // 2
        left = united(made.folder, "left", made.states[:middle])
        right = united(made.folder, "right", made.states[middle:])
        assert contents(united(made.folder, "both", [left, right])) == all_at_once


@fewer(4)
@given(st.lists(works, min_size=1, max_size=3))
def test_counts_add_up_and_every_call_is_booked_once(jobs: list[Work]) -> None:
    with apart(jobs) as made:
        ledger = SqliteLedger(united(made.folder, "all", made.states) / "ledger.sqlite3")
        totals, rows = ledger.totals("r"), list(ledger.entries("r"))
        assert sum(totals.counts.values()) == 6
        for status in TERMINAL:
            assert totals.counts[status] == sum(row.status == status for row in rows)
        calls = sum(len(work.steps) for work in jobs)
        assert totals.calls.sent == calls
        lost = sum(job.lost for job in ledger.jobs("r"))
        assert totals.calls.cost == made.bill + lost
        assert totals.calls.indeterminate == lost
        state = ledger.budget_state("r")
        assert (state.spend, state.held) == (made.bill + lost, made.held)
        assert state.drawn == state.spend + state.held
        ledger.close()


def test_a_checkpoint_of_a_job_whose_end_nobody_saw_costs_all_that_it_held() -> None:
    work = Work([Step(1, "done", 100), Step(2, "done", 100)], checkpoint=1, ends=True)
    with apart([work]) as made:
        checkpoint, base, whole = made.states
        into = united(made.folder, "lost", [base, checkpoint])
        ledger = SqliteLedger(into / "ledger.sqlite3")
        assert ledger.totals("r").calls.taken == GRANT
        assert [job.lost for job in ledger.jobs("r")] == [GRANT - 100 - 25]
        ledger.close()
        found = contents(united(made.folder, "found", [into, whole]))
        assert found == contents(united(made.folder, "all", made.states)), (
            "its end takes the place of its loss"
        )


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0), (1, 0, 1)])
def test_what_one_state_has_let_go_is_let_go_in_all(order: tuple[int, ...]) -> None:
    with apart([Work([Step(1, "done", 100), Step(3, "done", 400)], checkpoint=6, ends=True)]) as made:
        whole, again = made.states[-1], made.folder / "again"
        shutil.copytree(whole, again)
        ledger = SqliteLedger(again / "ledger.sqlite3")
        assert ledger.release_held("r", keep=20) == 105
        ledger.close()
        merged = SqliteLedger(
            united(made.folder, "all", [(whole, again)[each] for each in order]) / "ledger.sqlite3"
        )
        money = merged.budget_state("r")
        assert (money.spend, money.held, money.drawn) == (500, 20, 520)
        assert merged.totals("r").calls.held == 20
        assert [job.lost for job in merged.jobs("r")] == [0]
        merged.close()


def test_a_result_whose_file_is_gone_is_left_out_and_its_money_is_not() -> None:
    with apart([Work([Step(1, "done", 100)], checkpoint=6, ends=True)]) as made:
        shutil.rmtree(made.states[-1] / "runs")
        ledger = SqliteLedger(united(made.folder, "all", made.states) / "ledger.sqlite3")
        assert ledger.totals("r").counts["pending"] == 6
        assert ledger.totals("r").calls.cost == 100
        ledger.close()


def test_a_paper_that_was_opened_again_stays_open() -> None:
    with apart([Work([Step(1, "flagged", 100)], checkpoint=6, ends=True)]) as made:
        again = made.folder / "again"
        shutil.copytree(made.states[-1], again)
        ledger = SqliteLedger(again / "ledger.sqlite3")
        assert ledger.reopen("r", statuses=["flagged"], error=None) == 1
        ledger.close()
        for number, order in enumerate(([*made.states, again], [again, *made.states])):
            merged = SqliteLedger(united(made.folder, f"all-{number}", order) / "ledger.sqlite3")
            assert merged.totals("r").counts["pending"] == 6
            assert [message.generation for message in merged.unfinished_batches("r")] == [2, 1, 1]
            merged.close()


@fewer(4)
@given(st.lists(steps, max_size=12), st.sets(st.sampled_from(sorted(BATCHES))))
def test_slices_of_a_ledger_come_together_as_one(taken: list[Step], first: set[str]) -> None:
    """Two jobs with the batches of a run between them, each with half of the budget."""
    with tempfile.TemporaryDirectory() as name:
        made = Apart(Path(name))
        base = made.begin()
        hands = {"one": first, "two": BATCHES.keys() - first}
        for job, batches in hands.items():
            state = made.folder / job
            state.mkdir()
            slice_ledger(base / "ledger.sqlite3", state / "ledger.sqlite3", "r", batches, budget=10**9 // 2,
                         session="s1", limit=None, carried="none")  # fmt: skip
            ledger, store = SqliteLedger(state / "ledger.sqlite3"), FileStore(state)
            assert {each.batch_id for each in ledger.unfinished_batches("r")} == batches
            ledger.start_job(JobRecord(job, "r", "s1", "h:1:1", 2, 1.0, 1.0, None, "", JobStats()))
            mine = [each for each in taken if f"b{(each.paper + 1) // 2}" in batches]
            assert ledger.draw("r", job, 1, 10**9 // 2), "its share, and no more"
            assert ledger.draw("r", job, 2, 1) != "drawn"
            for number, each in enumerate(mine):
                made._step(ledger, store, job, number, each)
            ledger.give_back("r", job, 3, 10**9 // 2 - sum(each.cost + each.held for each in mine))
            ledger.end_job("r", job, at=20.0, outcome="finished", stats=None)
            ledger.close()
            store.close()
            made.states.append(state)
        merged = SqliteLedger(united(made.folder, "all", made.states) / "ledger.sqlite3")
        state_of_money = merged.budget_state("r")
        assert state_of_money.budget == 10**9, "the run's own, not a share"
        assert state_of_money.spend == sum(each.cost for each in taken)
        assert state_of_money.held == sum(each.held for each in taken)
        assert state_of_money.drawn == state_of_money.spend + state_of_money.held
        ended = {each.paper for each in taken if each.status != "pending"}
        assert merged.totals("r").counts["pending"] == 6 - len(ended)
        merged.close()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_budget_that_was_given_last_stands_also_if_it_is_less(order: tuple[int, int]) -> None:
    with apart([Work([], 0, ends=True)]) as made:
        base, other = made.states[0], made.states[1]
        ledger = SqliteLedger(base / "ledger.sqlite3")
        ledger.set_budget("r", 5 * 10**8, at=100.0)
        ledger.close()
        into = united(made.folder, "into", [(base, other)[each] for each in order])
        ledger = SqliteLedger(into / "ledger.sqlite3")
        assert ledger.run("r").budget == 5 * 10**8
        ledger.close()


def _result(state: Path, job: str, before: PartPointer | None = None) -> PartPointer:
    """A job's result for the requests "fp"; it goes on from ``before``."""
    ledger, store = SqliteLedger(state / "ledger.sqlite3"), FileStore(state)
    part = Part("r", f"b1/1-{job}-1", (f'{{"job": "{job}"}}\n'.encode(),))
    ((where,),) = store.write_parts(job, [part])
    entry = values.entry("p1", pointer=where, fingerprint="fp", supersedes=before)
    ledger.commit([Commit("r", "b1", part.name, job, (entry,), CallTotals(), 2.0)])
    ledger.close()
    store.close()
    return where


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (2, 0, 1)])
def test_a_result_that_goes_on_from_another_stands_whatever_came_first(
    order: tuple[int, ...], tmp_path: Path
) -> None:
    """Samples and repairs that it added are found by the next run, and not paid for again."""
    made = Apart(tmp_path)
    base = made.begin()
    states = [tmp_path / name for name in ("first", "later", "apart")]
    shutil.copytree(base, states[0])
    shutil.copytree(base, states[2])
    first = _result(states[0], "job-b")
    shutil.copytree(base, states[1])
    copied = first.model_copy(update={"key": "runs/r/segments/carried-s.jsonl"})
    (states[1] / "runs/r/segments").mkdir(parents=True, exist_ok=True)
    shutil.copy(states[0] / first.key, states[1] / copied.key)  # as a plan carries it to a job
    SqliteLedger(states[1] / "ledger.sqlite3").close()
    reuse_at(states[1] / "ledger.sqlite3", {"fp": (Reusable("earlier", "p1", first), copied)})
    later = _result(states[1], "job-c", copied)
    _result(states[2], "job-a")
    into = united(tmp_path, "all", [base, *(states[each] for each in order)])
    ledger = SqliteLedger(into / "ledger.sqlite3")
    assert ledger.reusable(["fp"])["fp"].pointer == later
    ledger.close()
