"""Word of a run by webhook, from ``paperfleet run`` to a real local server."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from handlers.model_server import RunningServer, ServerSettings
from tests.builders.command import PRICES, corpus, paperfleet, run_flags
from tests.builders.documents import ROOT
from tests.builders.local_aws import moto_server, name_of
from tests.builders.warm import start
from tests.builders.webhook_ear import Ear, listening

PAPERS = 40


@pytest.fixture
def ear() -> Iterator[Ear]:
    with listening() as heard:
        yield heard


@pytest.fixture
def server() -> Iterator[RunningServer]:
    prices = {"price_in": Decimal("0.15"), "price_out": Decimal("0.60")}
    with start(ServerSettings(mode="canned", latency=0.02, **prices)) as running:
        yield running


def flags(folder: Path, server: RunningServer) -> list[object]:
    source = corpus(folder / "papers.jsonl", PAPERS)
    return [*run_flags(source, folder / "state", server), "--jobs", 1, "--workers", 2]


@pytest.mark.slow
def test_each_event_of_a_run_is_one_message_over_all_its_sessions(
    tmp_path: Path, server: RunningServer, ear: Ear
) -> None:
    command = flags(tmp_path, server)
    first = paperfleet(*command, "--limit", 10, PAPERFLEET_WEBHOOK=ear.address)
    assert first.code == 0, first.err
    assert ear.kinds == ["start", "end"]
    assert "session ended (limit)" in ear.heard[-1]["text"]
    budget = f"{first.report['spend_usd'] * 1.9:.9f}"
    spent = paperfleet(*command, "--budget", budget, PAPERFLEET_WEBHOOK=ear.address)
    assert spent.code == 4, spent.err
    assert ear.kinds[2] == "start"
    assert set(ear.kinds[3:-2]) == {"budget"}
    assert ear.kinds[-2:] == ["parked", "end"]
    assert "session ended (parked)" in ear.heard[-1]["text"]
    before = len(ear.heard)
    assert paperfleet(*command, "--budget", budget, PAPERFLEET_WEBHOOK=ear.address).code == 4
    assert ear.kinds[before:] == ["start", "parked", "end"]
    keys = [heard["key"] for heard in ear.heard]
    assert len(keys) == len(set(keys))


@pytest.mark.slow
def test_a_stop_for_too_many_refused_papers_is_one_message_of_its_own(tmp_path: Path, ear: Ear) -> None:
    with start(ServerSettings(mode="canned", source_left=1.0)) as broken:
        ran = paperfleet(*flags(tmp_path, broken), "--max-failed", "30%", PAPERFLEET_WEBHOOK=ear.address)
    assert ran.code == 4, ran.err
    assert ran.report["reason"].startswith("failure_rate")
    assert ear.kinds == ["start", "failure_rate", "end"]
    assert "--max-failed" in ear.heard[1]["text"]


@pytest.mark.slow
def test_machines_that_share_a_queue_share_what_was_told(
    tmp_path: Path, server: RunningServer, ear: Ear
) -> None:
    source = corpus(tmp_path / "papers.jsonl", PAPERS)
    with moto_server() as aws:
        heard = aws.environment | aws.stack(name_of(tmp_path)).settings()
        heard["PAPERFLEET_WEBHOOK"] = ear.address
        common = ["--aws", "--run-id", "r"]
        model = ["--model", "paperfleet-canned", "--batch-papers", 10, "--budget", 1]
        shard = paperfleet("shard", source, *common, *model, "--state", tmp_path / "here", **heard)
        assert shard.code == 0, shard.err
        work = ["work", *common, "--base-url", server.base_url, *PRICES, "--workers", 2]
        for machine, limit in (("here", 20), ("there", PAPERS)):
            ran = paperfleet(*work, "--limit", limit, "--state", tmp_path / machine, **heard)
            assert ran.code == 0, ran.err
    assert ear.kinds == ["start", "end", "end"]
    assert f"{PAPERS} of {PAPERS} papers finished" in ear.heard[-1]["text"]


@pytest.mark.slow
def test_the_schedule_of_a_stack_tells_what_is_new_of_its_runs(
    tmp_path: Path, server: RunningServer, ear: Ear
) -> None:
    source = corpus(tmp_path / "papers.jsonl", PAPERS)
    with moto_server() as aws:
        stack = aws.environment | aws.stack(name_of(tmp_path)).settings()
        secret = aws.client("secretsmanager").create_secret(Name="webhook", SecretString=ear.address)
        state = ("--state", tmp_path / "state")
        model = ["--model", "paperfleet-canned", "--batch-papers", 10, "--budget", 1]
        assert paperfleet("shard", source, "--aws", "--run-id", "r", *model, *state, **stack).code == 0

        def scheduled(arn: str) -> None:
            event = ROOT / "events" / "schedule.json"
            ran = paperfleet("invoke", "report", event, *state, **stack, PAPERFLEET_WEBHOOK_SECRET=arn)
            assert ran.code == 0, ran.err
            assert ear.address not in ran.out + ran.err

        scheduled("no-such-secret")
        assert ear.kinds == [], "the reports are there, and nobody was told"
        for _ in range(2):
            scheduled(secret["ARN"])
        assert ear.kinds == ["start"]
        work = ["work", "--aws", "--run-id", "r", "--base-url", server.base_url, *PRICES, *state]
        assert paperfleet(*work, **stack).code == 0
        scheduled(secret["ARN"])
    assert ear.kinds == ["start", "end"]
    assert f"{PAPERS} of {PAPERS} papers finished" in ear.heard[-1]["text"]


@pytest.mark.slow
@pytest.mark.alone
def test_a_webhook_that_never_answers_holds_up_neither_papers_nor_the_end(
    tmp_path: Path, server: RunningServer, ear: Ear
) -> None:
    ear.answering.clear()
    began = time.monotonic()
    ran = paperfleet(*flags(tmp_path, server), PAPERFLEET_WEBHOOK=ear.address)
    assert ran.code == 0, ran.err
    assert ran.report["counts"]["done"] == PAPERS
    assert ran.report["wall_s"] < 5
    assert time.monotonic() - began < 20


@pytest.mark.slow
def test_a_webhook_that_refuses_harms_nothing_and_its_address_is_never_told(
    tmp_path: Path, server: RunningServer, ear: Ear
) -> None:
    ear.status = 404
    ran = paperfleet(*flags(tmp_path, server), PAPERFLEET_WEBHOOK=ear.address)
    assert ran.code == 0, ran.err
    assert ear.kinds == ["start", "end"]
    assert "HTTP 404" in ran.err
    texts = [path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert not any(b"secret-token" in text for text in [*texts, ran.err.encode(), ran.out.encode()])


def test_a_wrong_address_stops_the_command_at_once_without_being_repeated(
    tmp_path: Path, server: RunningServer
) -> None:
    ran = paperfleet(*flags(tmp_path, server), PAPERFLEET_WEBHOOK="ftp://secret-token")
    assert ran.code == 2
    assert "PAPERFLEET_WEBHOOK" in ran.err
    assert "secret-token" not in ran.err
    assert server.stats()["requests"] == 0


@pytest.mark.parametrize("name", ["webhook", "api_key"])
def test_a_secret_in_the_settings_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "paperfleet.toml").write_text(f'{name} = "https://secret-token"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[2])]))
    ran = paperfleet("status")
    assert ran.code == 2
    assert f"PAPERFLEET_{name.upper()}" in " ".join(ran.err.split())
    assert "secret-token" not in ran.err
