"""``--hedge`` in a whole run: what is sent twice is counted, paid for and never more than the share."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from handlers.model_server import ServerSettings
from tests.builders.command import corpus, paperfleet, run_flags
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
