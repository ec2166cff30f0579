"""``--hedge`` in a whole run: what is sent twice is counted, paid for and never more than the share."""

from __future__ import annotations

import json
import os
import signal
from decimal import Decimal
from pathlib import Path

import pytest

from handlers.model_server import ServerSettings
from tests.builders.command import PRICES, Running, corpus, job_processes, paperfleet, run_flags, until
from tests.builders.local_aws import LocalAws, moto_server, name_of
from tests.builders.warm import start

PAPERS = 450


@pytest.mark.slow
@pytest.mark.alone
def test_the_last_slow_calls_of_a_run_are_sent_twice_and_each_paper_has_one_result(tmp_path: Path) -> None:
    """Which calls a run ends with is chance: in three runs of four one of them is slow enough."""
    source = corpus(tmp_path / "papers.jsonl", PAPERS)
    assert any(_hedges(source, tmp_path / str(seed), seed) for seed in range(10))


def _hedges(source: Path, state: Path, seed: int) -> int:
    """Calls of a run that were sent a second time, once all that it says holds."""
    prices = {"price_in": Decimal("0.15"), "price_out": Decimal("0.60")}
    with start(ServerSettings(mode="canned", latency=0.4, sigma=1.0, seed=seed, **prices)) as server:
        flags = run_flags(source, state, server)
        report = paperfleet(*flags, "--jobs", 1, "--workers", 40, "--hedge", "5%", timeout=120).report
        bill = server.stats()["bill_nano_usd"]
    hedges = int(report["calls"]["hedges"])
    assert hedges <= 0.05 * PAPERS
    assert report["calls"]["sent"] == PAPERS + hedges
    assert report["counts"]["done"] == PAPERS
    assert report["spend_nano_usd"] <= bill + round(1e9 * report["indeterminate_usd"])
    assert report["spend_nano_usd"] + round(1e9 * report["held_usd"]) >= bill
    lines = (state / "runs" / "r" / "results.jsonl").read_text(encoding="utf-8").splitlines()
    assert len({json.loads(line)["id"] for line in lines}) == len(lines) == PAPERS
    audited = paperfleet("audit", "--state", state, "--run-id", "r")
    assert audited.code == 0
    return hedges


@pytest.mark.slow
@pytest.mark.alone
def test_a_killed_job_of_a_stack_takes_no_hedge_past_its_share_or_the_books(tmp_path: Path) -> None:
    """Whether a run's last calls are slow enough is chance, as above. The job is killed early: the one in its
    place needs some hundred answers of its own to tell a slow call."""
    source = corpus(tmp_path / "papers.jsonl", PAPERS)
    with moto_server() as aws:
        assert any(_hedges_of_a_stack(aws, source, tmp_path / str(seed), seed) for seed in range(5))


def _hedges_of_a_stack(aws: LocalAws, source: Path, state: Path, seed: int) -> int:
    state.mkdir()
    environment = aws.environment | aws.stack(name_of(state)).settings()
    aws_run = ("--aws", "--state", state, "--run-id", "r")
    prices = {"price_in": Decimal("0.15"), "price_out": Decimal("0.60")}
    with start(ServerSettings(mode="canned", latency=0.4, sigma=1.0, seed=seed, **prices)) as server:
        paperfleet("shard", source, *aws_run, "--model", "m", "--batch-papers", 25, **environment)
        shape = ["--jobs", "1", "--workers", "40", "--hedge", "5%", "--json"]
        flags = ("--base-url", server.base_url, *PRICES, *shape)
        with Running("work", *aws_run, *flags, **environment) as running:
            until(lambda: server.stats()["requests"] >= PAPERS // 10, seconds=120)
            os.kill(job_processes(state)[0], signal.SIGKILL)
            report = running.end(timeout=240).report
        bill, billed = server.stats()["bill_nano_usd"], server.stats()["charged"]
    assert report["counts"]["done"] == PAPERS
    hedges = int(report["calls"]["hedges"])
    assert hedges <= 0.05 * billed
    unsure = round(1e9 * (report["indeterminate_usd"] + report["held_usd"]))
    assert bill <= report["spend_nano_usd"] + round(1e9 * report["held_usd"]) <= bill + unsure
    audited = paperfleet("audit", *aws_run, **environment)
    assert audited.code == 0, audited.out
    return hedges
