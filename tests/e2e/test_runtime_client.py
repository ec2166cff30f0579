"""A run through the real runtime client on the built artifact, with the embedded adapters."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.builders.command import corpus, paperfleet, until
from tests.builders.functions import Function, canned, fleet
from tests.e2e.environments import ROOT
from tests.e2e.runtime_api import Answer

pytestmark = [pytest.mark.slow, pytest.mark.alone]
MEMORY = 512 << 20


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
