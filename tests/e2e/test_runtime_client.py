"""A run through the real runtime client on the built artifact, with the embedded adapters."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from handlers.adapters.sqlite.sqlite_queue import SqliteQueue
from handlers.bootstrap.state import SystemClock
from handlers.local.event_source import sqs_event
from handlers.model_server import RunningServer, ServerSettings, start
from tests.command import corpus, paperfleet, until
from tests.e2e.environments import ROOT
from tests.e2e.runtime_api import Answer, Sandbox, sandbox

pytestmark = pytest.mark.slow
MEMORY = 512 << 20


@dataclass
class Function:
    """The three functions of a built stack on one state folder."""

    built: Path
    state: Path
    variables: dict[str, str]

    @contextmanager
    def running(self, name: str, **variables: str) -> Iterator[Sandbox]:
        log = self.state.with_name(f"{name}.log")
        artifact = self.built / f"{name.capitalize()}Function"
        with sandbox(artifact, f"handlers.{name}.handler", log, **self.variables | variables) as running:
            yield running

    def events(self) -> list[dict[str, Any]]:
        """The messages that wait, each as Lambda would deliver it."""
        queue = SqliteQueue(self.state / "queue.sqlite3", "r", SystemClock())
        try:
            return [sqs_event(message) for message in queue.receive(limit=1000, visibility=900)]
        finally:
            queue.close()


@contextmanager
def fleet(
    built: Path, tmp_path: Path, papers: int, settings: ServerSettings, *, batch: int = 40, **more: str
) -> Iterator[tuple[Function, RunningServer]]:
    """A run of that many papers, sharded, and a model server."""
    with start(settings) as server:
        state = tmp_path / "state"
        source = corpus(tmp_path / "papers.jsonl", papers)
        ran = paperfleet(
            "shard",
            source,
            "--state",
            state,
            "--run-id",
            "r",
            "--model",
            "paperfleet-canned",
            "--batch-papers",
            str(5 * batch),
        )
        assert ran.code == 0, ran.err
        variables = {
            "PAPERFLEET_STATE": str(state), "PAPERFLEET_RUN_ID": "r", "PAPERFLEET_API_KEY": "test-key",
            "PAPERFLEET_BASE_URL": server.base_url, "PAPERFLEET_WORKERS": "10",
            "PAPERFLEET_PRICE_IN": "0.15", "PAPERFLEET_PRICE_OUT": "0.60",
        }  # fmt: skip
        yield Function(built, state, variables | more), server


def canned(**changes: Any) -> ServerSettings:
    return ServerSettings(**{"mode": "canned", "price_in": "0.15", "price_out": "0.60"} | changes)


def test_three_functions_bring_a_run_to_its_end(built: Path, tmp_path: Path) -> None:
    with fleet(built, tmp_path, 120, canned(latency=0.05)) as (function, server):
        with function.running("process") as process:
            for event in function.events():
                answer = process.invoke(event)
                assert answer.ok, answer.value
                assert answer.value == {"batchItemFailures": []}
            metrics = _metrics(process.log)
        with function.running("report") as report:
            told = report.invoke({"run_id": "r"}).value
            watched = report.invoke({"source": "aws.scheduler"}).value
            again = report.invoke({"source": "aws.scheduler"}).value
        bill = server.stats()
    assert told["state"] == "finished"
    assert sum(told["counts"].values()) == 120
    assert told["counts"]["done"] + told["counts"]["flagged"] == 120
    assert told["spend_nano_usd"] == bill["bill_nano_usd"]
    assert bill["duplicates"] == 0
    assert watched == {"reported": ["r"]}
    assert again == {"reported": []}, "an ended run is reported once"
    assert len(list((function.state / "runs" / "r" / "reports").iterdir())) == 1
    assert sum(each["Papers"][0] for each in metrics) == 120
    assert sum(each["Calls"][0] for each in metrics) == told["calls"]["sent"]
    assert sum(each["SpendUsd"][0] for each in metrics) == pytest.approx(told["spend_usd"])
    assert len(told["jobs"]) == 1, "a warm sandbox is one job"


def test_an_upload_becomes_a_run(built: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    (state / "incoming").mkdir(parents=True)
    corpus(state / "incoming" / "june_papers.jsonl", 30)
    event = {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": "b"}, "object": {"key": "incoming/june_papers.jsonl"}},
    }
    variables = {"PAPERFLEET_STATE": str(state), "PAPERFLEET_MODEL": "m", "PAPERFLEET_BUDGET": "2"}
    with Function(built, state, variables).running("shard") as shard:
        refused = shard.invoke({"run_id": "unknown"})
        first, second = shard.invoke(event).value, shard.invoke(event).value
    assert not refused.ok
    assert "unknown" in refused.value["errorMessage"]
    assert first["run_id"].startswith("june_papers-")
    assert (first["papers"], first["emitted"]) == (30, first["batches"])
    assert second == first, "the same file re-arms its run"


def test_a_hundred_threads_fit_into_half_a_gigabyte(built: Path, tmp_path: Path) -> None:
    with fleet(built, tmp_path, 300, canned(latency=0.3), batch=300, PAPERFLEET_WORKERS="100") as (
        function,
        server,
    ):
        with function.running("process") as process:
            for event in function.events():
                assert process.invoke(event).value == {"batchItemFailures": []}
            peak = process.memory_peak()
        assert server.stats()["max_in_flight"] > 40
    assert peak < MEMORY


def test_no_call_starts_that_would_outlast_the_function(built: Path, tmp_path: Path) -> None:
    with (
        fleet(built, tmp_path, 40, canned(latency=2.5, sigma=0), PAPERFLEET_WORKERS="4") as (
            function,
            server,
        ),
        function.running("process") as process,
    ):
        (event,) = function.events()
        answer = process.invoke(event, seconds=12)
        stats = server.stats()
    (failure,) = answer.value["batchItemFailures"]
    assert failure == {"itemIdentifier": event["Records"][0]["messageId"]}
    assert stats["in_flight"] == 0, "nothing is under way when it returns"
    assert stats["charged"] == stats["delivered"]
    told = paperfleet("status", "--state", function.state, "--run-id", "r", "--json").report
    assert told["spend_nano_usd"] == stats["bill_nano_usd"]
    assert told["counts"]["pending"] == 40 - stats["delivered"]


def test_a_terminated_sandbox_books_its_calls_and_gives_the_batch_back(built: Path, tmp_path: Path) -> None:
    answers: list[Answer] = []
    with (
        fleet(built, tmp_path, 20, canned(latency=20, sigma=0)) as (function, server),
        function.running("process") as process,
    ):
        (event,) = function.events()
        thread = threading.Thread(target=lambda: answers.append(process.invoke(event)))
        thread.start()
        until(lambda: server.stats()["in_flight"] > 0)
        process.process.send_signal(signal.SIGTERM)
        thread.join(10)
    assert len(answers) == 1
    assert answers[0].value["batchItemFailures"]
    told = paperfleet("status", "--state", function.state, "--run-id", "r", "--json").report
    assert told["counts"]["pending"] == 20
    assert told["indeterminate_usd"] == told["spend_usd"] > 0


def test_poison_is_refused_and_named(built: Path, tmp_path: Path) -> None:
    event = json.loads((ROOT / "events" / "poison.json").read_text())
    with fleet(built, tmp_path, 5, canned()) as (function, _server), function.running("process") as process:
        answer = process.invoke(event)
        log = process.log.read_text()
    assert answer.value == {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["messageId"]}]}
    assert "no batch message of version 1" in log


def _metrics(log: Path) -> list[dict[str, Any]]:
    """The EMF lines of a log."""
    found = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [each for each in found if "_aws" in each]
