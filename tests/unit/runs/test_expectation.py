"""What a run comes to, what its budget covers, and the number that finishes it."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.adapters.sqlite.sqlite_queue import SqliteQueue
from handlers.domain.job import JobStats
from handlers.domain.money import NanoUsd, budget_words
from handlers.domain.run import Control, RunRecord
from handlers.domain.run_report import RunReport
from handlers.errors import UsageError
from handlers.local.budget_outlook import budget_outlook, with_guessed_number
from handlers.planning import plan_file
from handlers.reporting.progress import Progress
from handlers.reporting.webhook import Event, Notifier, SentEventsFolder
from handlers.runs.submit import RunRequest, submit_run
from handlers.runs.summarise import summarise
from handlers.settings import load_settings
from handlers.tasks.file_task.answer_form import usual_tokens
from handlers.tasks.file_task.stored_bundle import put_bundle
from tests.builders import values
from tests.builders.fakes import FakeClock
from tests.builders.plans import planned
from tests.builders.task_files import SUBJECT, bundle_in, sampled, spec_of
from tests.builders.values import RUN, call, commit, entry

CENT = 10_000_000
HEAVY, LIGHT, SKIPPED = 4000, 1000, 0
"""Tokens of a batch of ten."""


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    """Forty papers: ten heavy and twenty light ones, and ten that need no call. A heavy one costs four
    cents, a light one one."""
    made = SqliteLedger(tmp_path / "ledger.sqlite3")
    sizes = {"a": HEAVY, "b": LIGHT, "c": LIGHT, "d": SKIPPED}
    made.add_batches([values.batch(name, ids(name), tokens=size) for name, size in sizes.items()])
    made.create_run(values.run_record(papers=40))
    yield made
    made.close()


def ids(batch: str) -> tuple[str, ...]:
    return tuple(f"{batch}{n}" for n in range(10))


def settle(ledger: SqliteLedger, batch: str, papers: int, cents: int) -> None:
    each = {"cost": cents * CENT, "calls": 1, "busy_ms": 1000 * cents}
    calls = [call(f"{batch}{n}", cost=cents * CENT) for n in range(papers)]
    ledger.commit([commit(*(entry(one, **each) for one in ids(batch)[:papers]), batch_id=batch, calls=calls)])


def told(ledger: SqliteLedger, budget: int | None = None, *, alive: bool = False) -> RunReport:
    if budget is not None:
        ledger.set_budget(RUN, NanoUsd(budget * CENT))
    backend = values.backend(ledger=ledger, clock=FakeClock(1000.0))
    return summarise(backend, RUN, is_alive=lambda _owner: alive, with_queue=False)


def test_heavy_papers_that_went_first_say_what_the_lighter_ones_will_cost(ledger: SqliteLedger) -> None:
    assert told(ledger).expected is None
    settle(ledger, "a", 10, 4)
    settle(ledger, "b", 5, 1)
    expected = told(ledger).expected
    assert expected is not None
    assert expected.cost_usd == pytest.approx(0.60)
    assert (expected.papers, expected.covered, expected.wall_s) == (15, None, None)
    assert expected.worked == pytest.approx(45 / 60)


def test_a_parked_run_names_the_budget_that_finishes_it_to_whoever_is_told(
    ledger: SqliteLedger, tmp_path: Path
) -> None:
    settle(ledger, "a", 10, 4)
    settle(ledger, "b", 5, 1)
    reason = "budget_spent: too little is left; run again with a larger --budget to go on"
    ledger.set_control(RUN, Control("parked", reason, 1.0))
    heard: list[Event] = []
    Notifier(heard.append, SentEventsFolder(tmp_path / "told"), session_id="s1").update(ledger, RUN)
    assert "run again with --budget 0.6500 to finish it" in told(ledger).reason
    assert "run again with --budget 0.6500 to finish it" in heard[-1].text
    ledger.set_control(RUN, Control("parked", "http_402: no credit", 2.0))
    assert told(ledger).reason == "http_402: no credit"


def test_what_went_to_whole_papers_that_have_not_ended_is_told_apart(tmp_path: Path) -> None:
    for full_text, in_hand in ((True, 0.02), (False, 0.0)):
        with closing(SqliteLedger(tmp_path / f"{full_text}.sqlite3")) as ledger:
            ledger.add_batches([values.batch("a", ids("a"))])
            ledger.create_run(values.run_record(papers=10, full_text=full_text))
            settle(ledger, "a", 3, 1)
            ledger.commit([commit(batch_id="a", part="2", calls=[call("x", cost=2 * CENT)])])
            assert told(ledger).in_hand_usd == in_hand


def test_a_run_that_spent_nothing_is_told_a_budget_by_its_prices(
    ledger: SqliteLedger, tmp_path: Path
) -> None:
    reason = "budget_spent: too little is left; run again with a larger --budget to go on"
    settings = load_settings(state=tmp_path, run_id=RUN, price_in="1", price_out="2")
    backend = values.backend(ledger=ledger, clock=FakeClock(1000.0))
    assert re.search(r"with --budget \d+\.\d+ to finish it", with_guessed_number(reason, backend, settings))
    free = load_settings(state=tmp_path, run_id=RUN)
    assert with_guessed_number(reason, backend, free) == reason, "nobody knows what the model costs"
    assert budget_words(0) == "0"


def test_the_time_left_is_that_of_papers_that_need_a_call(ledger: SqliteLedger) -> None:
    ledger.start_job(values.job("j1", workers=5, started=990.0))
    ledger.beat(RUN, "j1", at=999.0, stats=JobStats(in_flight=5))
    settle(ledger, "a", 10, 4)
    settle(ledger, "b", 5, 1)
    assert (report := told(ledger, alive=True)).expected is not None
    assert report.expected.wall_s == pytest.approx(3.3, abs=0.3)
    settle(ledger, "c", 10, 1)
    ledger.commit([commit(*(entry(one, cost=CENT) for one in ids("b")[5:]), batch_id="b", part="2")])
    assert (report := told(ledger, alive=True)).expected is not None
    assert (report.counts["pending"], report.expected.papers, report.expected.wall_s) == (10, 0, 0.0)


def test_a_budget_says_how_far_it_reaches_and_what_would_finish(ledger: SqliteLedger) -> None:
    settle(ledger, "a", 10, 4)
    settle(ledger, "b", 5, 1)
    report = told(ledger, 50)
    assert report.expected is not None
    assert report.expected.covered == pytest.approx(20 / 40)
    assert 0.60 < report.expected.enough_usd <= 0.66
    assert told(ledger, 70).expected == report.expected.model_copy(update={"covered": 1.0})


def test_a_run_that_parked_at_its_budget_names_the_one_that_finishes_it(ledger: SqliteLedger) -> None:
    settle(ledger, "a", 10, 4)
    settle(ledger, "b", 5, 1)
    spent = "budget_spent: less is left than a call costs; run again with a larger --budget to go on"
    ledger.set_control(RUN, Control("parked", spent, 1.0))
    report = told(ledger, 45)
    assert report.expected is not None
    assert f"--budget {report.expected.enough_usd:.4f}" in report.reason
    assert "take about $0.6000" in report.reason


def test_progress_tells_the_time_to_the_end_of_the_budget(ledger: SqliteLedger) -> None:
    ledger.set_budget(RUN, NanoUsd(50 * CENT))
    ledger.start_job(values.job("j1", workers=5))
    ledger.beat(RUN, "j1", at=99.0, stats=JobStats(in_flight=5))
    settle(ledger, "a", 10, 4)
    settle(ledger, "b", 5, 1)
    Progress(Console(file=(shown := io.StringIO()), width=200)).update(ledger, RUN, now=100.0)
    assert "until the budget ends at about 50% of the papers" in shown.getvalue()


def test_a_budget_below_what_is_spent_is_refused_and_the_one_that_stands_is_not(
    ledger: SqliteLedger, tmp_path: Path
) -> None:
    settle(ledger, "a", 10, 4)
    ledger.set_budget(RUN, NanoUsd(50 * CENT))
    lower = RunRequest(run_id=RUN, budget=NanoUsd(30 * CENT))
    clock, store = FakeClock(1000.0), FileStore(tmp_path)
    with closing(store), closing(SqliteQueue(tmp_path / "queue.sqlite3", RUN, clock)) as queue:
        backend = values.backend(ledger=ledger, queue=queue, store=store, clock=clock)
        with pytest.raises(UsageError, match=r"--budget 0\.3: \$0\.400000 of this run are spent"):
            submit_run(backend, lower)
        assert ledger.run(RUN).budget == 50 * CENT
        ledger.set_budget(RUN, NanoUsd(30 * CENT))
        assert submit_run(backend, lower).emitted == 4


def test_a_run_is_told_before_it_starts_how_far_its_budget_reaches(
    ledger: SqliteLedger, tmp_path: Path
) -> None:
    settings = load_settings(state=tmp_path, run_id=RUN, price_in=0.15, price_out=0.6)
    backend = values.backend(ledger=ledger)
    ledger.set_budget(RUN, NanoUsd(30 * CENT))
    assert budget_outlook(backend, settings) == "", "by what small models use it lasts"
    plan = planned().model_copy(update={"model": values.spec().model})
    corpus = plan.corpus.model_copy(update={"sha256": values.spec().corpus_sha256})
    sealed = plan_file.seal(plan.model_copy(update={"corpus": corpus}), settings)
    plan_file.write(sealed, tmp_path / "plans" / "another.json")
    told = budget_outlook(backend, settings)
    assert f"all of them take about ${sealed.row_chosen.cost_usd:.2f}" in told
    settle(ledger, "a", 10, 4)
    settle(ledger, "b", 5, 1)
    ledger.set_budget(RUN, NanoUsd(50 * CENT))
    told = budget_outlook(backend, settings)
    assert told.startswith("--budget 0.5000 covers about 50% of the papers: all of them take about $0.6000")


@pytest.mark.parametrize(("file", "answers"), [(SUBJECT, 10), (sampled(5), 50)], ids=["one", "samples"])
def test_a_task_files_budget_is_guessed_by_what_it_asks(tmp_path: Path, file: str, answers: int) -> None:
    """Ten records of 20 tokens and short answers, of a price for answers alone."""
    bundle = bundle_in(tmp_path, file)
    made, store = SqliteLedger(tmp_path / "own.sqlite3"), FileStore(tmp_path)
    backend = values.backend(ledger=made, store=store)
    put_bundle(bundle, store)
    spec = spec_of(bundle)
    (tmp_path / spec.corpus).parent.mkdir()
    lines = "".join(f'{{"id":"a{n}","title":"A title","abstract":"text"}}\n' for n in range(10))
    (tmp_path / spec.corpus).write_text(lines)
    made.add_batches([values.batch("a", ids("a"), tokens=200)])
    made.create_run(RunRecord(RUN, spec, 10, 0, 0.0, NanoUsd(CENT)))
    settings = load_settings(state=tmp_path, run_id=RUN, price_in=0, price_out=100)
    told = budget_outlook(backend, settings)
    whole = float(re.findall(r"all of them take about \$([0-9.]+)", told)[0])
    answer = usual_tokens(bundle.schema.schema, 10.0)
    assert whole == pytest.approx(answers * answer * 100 / 1e6, rel=0.3)
    made.close()
    store.close()


def test_a_budget_is_told_to_go_further_where_an_earlier_run_has_results(
    ledger: SqliteLedger, tmp_path: Path
) -> None:
    settings = load_settings(state=tmp_path, run_id=RUN, price_in=150, price_out=600)
    backend = values.backend(ledger=ledger)
    ledger.set_budget(RUN, NanoUsd(CENT))
    assert budget_outlook(backend, settings).endswith("finishes it")
    earlier = values.run_record(papers=10)
    ledger.create_run(replace(earlier, run_id="earlier"))
    assert budget_outlook(backend, settings).endswith("finishes it"), "it has no result"
    ledger.add_batches([values.batch("e", ids("e"), run_id="earlier", tokens=HEAVY)])
    ledger.commit([commit(entry("e0", cost=CENT), batch_id="e", run_id="earlier")])
    assert "results of earlier runs are taken over" in budget_outlook(backend, settings)
    again = settings.model_copy(update={"force": True})
    assert budget_outlook(backend, again).endswith("finishes it")
