"""The commands that read or steer a run, and ``invoke``, as a user starts them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.adapters.sqlite.sqlite_queue import SqliteQueue
from handlers.bootstrap.state import SystemClock
from handlers.domain.result import Part
from handlers.errors import UnknownRunError, UsageError
from handlers.model_server import ServerSettings
from handlers.reporting.page.charts import Pen
from handlers.runs.submit import emit
from tests.builders import values
from tests.builders.command import PRICES, Ran, corpus, here, paperfleet, run_flags
from tests.builders.values import RUN
from tests.builders.warm import start

EVENTS = Path(__file__).parents[2] / "events"
SAMPLE = EVENTS.parent / "handlers" / "corpus" / "sample.jsonl"
PAPERS = [{"id": name, "title": f"题 {name}", "language": "zh"} for name in ("p1", "p2", "p3", "p4")]


@contextmanager
def opened(state: Path, run_id: str = RUN) -> Iterator[tuple[SqliteLedger, SqliteQueue]]:
    ledger = SqliteLedger(state / "ledger.sqlite3")
    queue = SqliteQueue(state / "queue.sqlite3", run_id, SystemClock())
    yield ledger, queue
    ledger.close()
    queue.close()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A run of four papers: one done, one flagged, one failed, one pending; its open batch is queued."""
    folder = tmp_path / "state"
    source = tmp_path / "source.jsonl"
    source.write_text("".join(json.dumps(paper) + "\n" for paper in PAPERS))
    store = FileStore(folder)
    store.put_file(values.CORPUS, source)
    lines = [
        values.part_line("p1"),
        values.part_line("p2", "flagged", error="numbers"),
        values.part_line("p3", "failed", error="http_500", fields={}),
    ]
    part = Part(RUN, "b1/1-job-1", tuple(line.model_dump_json().encode() + b"\n" for line in lines))
    (pointers,) = store.write_parts("job-a", [part])
    store.close()
    with opened(folder) as (ledger, queue):
        ledger.add_batches([values.batch("b1", ["p1", "p2"]), values.batch("b2", ["p3", "p4"])])
        ledger.create_run(values.run_record())
        entries = [
            values.entry(line.id, line.status, pointer=where, error=line.error)
            for line, where in zip(lines, pointers, strict=True)
        ]
        ledger.commit([values.commit(*entries[:2], calls=[values.call("a")])])
        ledger.commit([values.commit(entries[2], batch_id="b2", part="2")])
        ledger.finish_batch(RUN, "b1", now=1.0)
        emit(values.backend(ledger=ledger, queue=queue), RUN)
    return folder


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PAPERFLEET_")]:
        monkeypatch.delenv(name)


def run(state: Path, command: str, *flags: object) -> Ran:
    return here(command, "--state", state, "--run-id", RUN, *flags)


def answer(ran: Ran) -> dict[str, Any]:
    assert ran.code == 0, ran.err
    found: dict[str, Any] = json.loads(ran.out)
    return found


def test_status_and_report_tell_how_a_run_stands(state: Path, tmp_path: Path) -> None:
    status = answer(run(state, "status", "--json"))
    assert status["counts"] == {"done": 1, "flagged": 1, "failed": 1, "skipped": 0, "pending": 1}
    assert (status["state"], status["queue"]["visible"], status["paper_errors"]) == ("paused", 1, None)
    output = tmp_path / "report.md"
    written = run(state, "report", "--output", output)
    assert (written.code, written.out) == (0, "")
    assert output.read_text().startswith("# Run r: not started")
    detailed = answer(run(state, "report", "--json"))
    assert detailed["paper_errors"] == {"http_500": 1, "numbers": 1}
    shown = run(state, "status")
    assert "not started" in shown.out


def test_export_writes_results_on_standard_output_and_counts_on_the_other(state: Path) -> None:
    ran = run(state, "export")
    records = [json.loads(line) for line in ran.out.splitlines()]
    assert [(record["id"], record["status"]) for record in records] == [
        ("p1", "done"),
        ("p2", "flagged"),
        ("p3", "failed"),
        ("p4", "pending"),
    ]
    assert "1 done, 1 flagged, 1 failed, 1 pending" in ran.err


def test_retry_opens_the_papers_of_a_class_and_sends_their_batches(state: Path) -> None:
    with pytest.raises(UsageError, match="--failed, --flagged or --class"):
        run(state, "retry")
    done = answer(run(state, "retry", "--class", "numbers", "--json"))
    assert (done["reopened"], done["emitted"]) == (1, 2)
    with opened(state) as (ledger, queue):
        assert ledger.paper_rows(RUN, ["p2"])["p2"].generation == 2
        assert queue.counts().visible == 2
    both = answer(run(state, "retry", "--failed", "--flagged", "--json"))
    assert both["reopened"] == 1


def test_pause_resume_and_cancel_change_the_runs_state(state: Path) -> None:
    assert answer(run(state, "pause", "--json"))["state"] == "paused"
    assert answer(run(state, "status", "--json"))["reason"].startswith("paused by hand")
    assert answer(run(state, "resume", "--json")) == {
        "run_id": RUN, "state": "active", "reopened": 0, "redriven": 0, "emitted": 1,
    }  # fmt: skip
    assert "cancelled" in run(state, "cancel").out
    with opened(state) as (ledger, queue):
        assert (ledger.control(RUN).state, queue.counts().visible) == ("cancelled", 0)
    for command in ("pause", "redrive"):
        with pytest.raises(UsageError, match="resume"):
            run(state, command)


def test_a_pause_of_a_finished_run_says_that_nothing_is_left_to_pause(state: Path) -> None:
    assert "paused; `paperfleet resume` re-arms it" in run(state, "pause").out
    run(state, "resume")
    with opened(state) as (ledger, _):
        ledger.commit([values.commit(values.entry("p4", "done"), batch_id="b2", part="3")])
    paused = run(state, "pause")
    assert (paused.code, "it is finished" in paused.out) == (0, True)
    assert "paused;" not in paused.out
    assert "it stays paused until `paperfleet resume`" in run(state, "retry", "--failed").out


def test_a_cancel_of_a_finished_run_leaves_it_finished_and_open_to_a_retry(state: Path) -> None:
    with opened(state) as (ledger, _):
        ledger.commit([values.commit(values.entry("p4", "done"), batch_id="b2", part="3")])
    cancelled = run(state, "cancel")
    assert (cancelled.code, "nothing is left to cancel" in cancelled.out) == (0, True)
    assert answer(run(state, "status", "--json"))["state"] == "finished"
    assert answer(run(state, "retry", "--failed", "--flagged", "--json"))["reopened"]


def test_dead_letters_are_listed_and_sent_back(state: Path) -> None:
    with opened(state) as (_, queue):
        for _ in range(5):
            (message,) = queue.receive(limit=1, visibility=60)
            queue.release(message.receipt, delay=0, reason="CorpusChangedError: gone")
        assert queue.receive(limit=1, visibility=60) == []
    assert answer(run(state, "redrive", "--list")) == {
        "id": "1", "batch_id": "b2", "receives": 5, "reason": "CorpusChangedError: gone",
    }  # fmt: skip
    assert answer(run(state, "redrive", "--json"))["redriven"] == 1
    with opened(state) as (_, queue):
        assert queue.counts().visible == 1


def test_a_dead_letter_whose_holders_died_says_so(state: Path) -> None:
    with opened(state) as (_, queue):
        for _ in range(5):
            (message,) = queue.receive(limit=1, visibility=60)
            queue.release(message.receipt, delay=0)
        assert queue.receive(limit=1, visibility=60) == []
    assert "died each time" in answer(run(state, "redrive", "--list"))["reason"]


@pytest.mark.parametrize("command", ["status", "report", "export", "redrive", "pause", "resume", "cancel"])
def test_a_run_that_is_not_there_is_an_error_that_changes_nothing(
    state: Path, tmp_path: Path, command: str
) -> None:
    wrong = tmp_path / "typo"
    with pytest.raises(UnknownRunError, match="no state folder"):
        here(command, "--state", wrong, "--run-id", RUN)
    assert not wrong.exists()
    with pytest.raises(UnknownRunError, match="no run 'nobody'"):
        here(command, "--state", state, "--run-id", "nobody")


def test_an_error_is_one_sentence_on_standard_error_and_exit_code_2(state: Path) -> None:
    unknown = paperfleet("status", "--state", state, "--run-id", "nobody")
    assert (unknown.code, unknown.out) == (2, "")
    assert unknown.err.startswith("error: no run 'nobody'")


def test_settings_come_from_the_environment_too(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERFLEET_STATE", str(state))
    monkeypatch.setenv("PAPERFLEET_RUN_ID", RUN)
    assert answer(here("status", "--json"))["run_id"] == RUN


@pytest.mark.parametrize(
    "command", ["status", "report", "export", "retry", "redrive", "pause", "resume", "cancel", "invoke"]
)
def test_every_command_shows_an_example(command: str) -> None:
    assert f"Example: paperfleet {command}" in here(command, "--help").out


def test_an_error_class_that_no_paper_has_is_refused(state: Path) -> None:
    with pytest.raises(UsageError, match=r"has the error class 'nonsense'; there is: .*numbers"):
        run(state, "retry", "--class", "nonsense")


def test_an_export_is_what_its_ending_says_and_contradictions_are_refused(
    state: Path, tmp_path: Path
) -> None:
    output = tmp_path / "o.csv"
    run(state, "export", "--output", output, "--bom", "--columns", "id,source_title,source_abstract")
    assert output.read_bytes().startswith(b"\xef\xbb\xbfid,source_title,source_abstract\r\n")
    for flags, words in (
        (("--output", output, "--format", "jsonl"), "contradict"),
        (("--output", tmp_path / "o.jsonl", "--bom"), "--bom"),
        (("--columns", "nonsense"), "there is no column 'nonsense'"),
    ):
        with pytest.raises(UsageError, match=words):
            run(state, "export", *flags)


def test_an_export_says_which_columns_of_the_source_it_leaves_out(state: Path, tmp_path: Path) -> None:
    own = {"馆藏": "A-1", "架\x1b[2J": 3}
    lines = [json.dumps(paper | own, ensure_ascii=False) + "\n" for paper in PAPERS]
    (state / values.CORPUS).write_text("".join(lines), encoding="utf-8")
    ran = run(state, "export", "--output", tmp_path / "o.csv")
    assert "own columns are left out (馆藏, 架" in ran.err
    assert "\x1b" not in ran.err
    assert "left out" not in run(state, "export", "--columns", "id,own").err


def test_a_page_on_standard_output_is_alone_there(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pen, "_svg", lambda *_, **__: "<svg></svg>")  # charts are dear to draw
    ran = run(state, "report", "--html", "-")
    assert (ran.code, ran.out[:9].lower()) == (0, "<!doctype")
    assert ran.out.rstrip().endswith("</html>")
    with pytest.raises(UsageError, match="--html -"):
        run(state, "report", "--html", "-", "--json")
    run(state, "report", "--html", "-", "--output", tmp_path / "r.md")
    assert (tmp_path / "r.md").read_text().startswith("#")


def test_handlers_are_invoked_with_event_files(tmp_path: Path) -> None:
    """The three handlers by hand: what ``run --limit 0`` prepared is finished batch by batch."""
    priced = {"price_in": Decimal("0.15"), "price_out": Decimal("0.60")}
    papers = corpus(tmp_path / "papers.jsonl", 3)
    folder, event = tmp_path / "state", tmp_path / "event.json"
    with start(ServerSettings(mode="canned", latency=0.01, **priced)) as server:
        paperfleet(*run_flags(papers, folder, server, run_id="sample"), "--limit", 0)
        sharded = answer(paperfleet("invoke", "shard", EVENTS / "shard.json", "--state", folder))
        assert (sharded["run_id"], sharded["papers"]) == ("sample", 3)
        with opened(folder, "sample") as (ledger, _):
            bodies = [message.model_dump_json() for message in ledger.unfinished_batches("sample")]
        template = json.loads((EVENTS / "process.json").read_text())
        records = [
            template["Records"][0] | {"messageId": str(n), "body": body} for n, body in enumerate(bodies)
        ]
        event.write_text(json.dumps({"Records": records}))
        process = ("invoke", "process", event, "--state", folder, "--base-url", server.base_url, *PRICES)
        assert answer(paperfleet(*process)) == {"batchItemFailures": []}
    report = answer(paperfleet("invoke", "report", EVENTS / "report.json", "--state", folder))
    assert (report["state"], report["counts"]["done"], report["budget_usd"]) == ("finished", 3, 45)
    assert [job["outcome"] for job in report["jobs"]][-1] == "finished"


def test_a_poisoned_event_is_returned_for_redelivery(tmp_path: Path) -> None:
    ran = paperfleet("invoke", "process", EVENTS / "poison.json", "--state", tmp_path)
    poison = json.loads((EVENTS / "poison.json").read_text())["Records"][0]
    assert json.loads(ran.out) == {"batchItemFailures": [{"itemIdentifier": poison["messageId"]}]}
    assert "no batch message" in ran.err
    assert (ran.code, ran.err.splitlines()[-1]) == (
        1, "the event did nothing: 1 of 1 messages are given back, for the reasons above",
    )  # fmt: skip


def test_the_schedule_s_event_reports_by_hand_and_tells_when_there_is_nothing(
    state: Path, tmp_path: Path
) -> None:
    ran = paperfleet("invoke", "report", EVENTS / "schedule.json", "--state", state)
    assert (ran.code, json.loads(ran.out.splitlines()[-1])) == (0, {"reported": [RUN]})
    ran = paperfleet("invoke", "report", EVENTS / "schedule.json", "--state", tmp_path / "empty")
    assert (ran.code, json.loads(ran.out)) == (1, {"reported": []})
    assert "the event did nothing: no run of this state is open" in ran.err


@pytest.mark.parametrize(
    ("content", "words"), [(None, "No such file"), ("{", "no JSON"), ("[]", "JSON object")]
)
def test_a_wrong_event_file_is_named(tmp_path: Path, content: str | None, words: str) -> None:
    event = tmp_path / "event.json"
    if content is not None:
        event.write_text(content)
    with pytest.raises(UsageError, match=f"event.json.*{words}"):
        here("invoke", "process", event, "--state", tmp_path / "state")


def test_a_file_that_is_no_sqs_event_is_one_clear_error(tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text('{"Records": [{}]}')
    ran = paperfleet("invoke", "process", event, "--state", tmp_path / "state")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: no SQS event")


def test_the_shipped_process_event_is_the_first_batch_of_the_shipped_corpus(tmp_path: Path) -> None:
    """As `shard` makes it in the state that the events are for (docs/how-to/events.md)."""
    here("shard", SAMPLE, "--run-id", "sample", "--model", "paperfleet-gloss", "--state", tmp_path)
    with opened(tmp_path, "sample") as (ledger, _):
        first = next(iter(ledger.unfinished_batches("sample")))
    body = json.loads((EVENTS / "process.json").read_text())["Records"][0]["body"]
    assert json.loads(body) == first.model_dump(mode="json")
