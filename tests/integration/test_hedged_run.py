"""``--hedge`` in a whole run: what is sent twice is counted, paid for and never more than the share."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from handlers.model_server import ServerSettings
from tests.builders.command import corpus, paperfleet, run_flags
from tests.builders.warm import start


@pytest.mark.slow
@pytest.mark.alone
def test_the_last_slow_calls_of_a_run_are_sent_twice_and_each_paper_has_one_result(tmp_path: Path) -> None:
    papers, state = 450, tmp_path / "state"
    source = corpus(tmp_path / "papers.jsonl", papers)
    prices = {"price_in": Decimal("0.15"), "price_out": Decimal("0.60")}
    with start(ServerSettings(mode="canned", latency=0.4, sigma=1.0, seed=5, **prices)) as server:
        flags = run_flags(source, state, server)
        report = paperfleet(*flags, "--jobs", 1, "--workers", 40, "--hedge", "5%", timeout=120).report
        bill = server.stats()["bill_nano_usd"]
    hedges = report["calls"]["hedges"]
    assert 1 <= hedges <= 0.05 * papers
    assert report["calls"]["sent"] == papers + hedges
    assert report["counts"]["done"] == papers
    assert report["spend_nano_usd"] <= bill + round(1e9 * report["indeterminate_usd"])
    assert report["spend_nano_usd"] + round(1e9 * report["held_usd"]) >= bill
    lines = (state / "runs" / "r" / "results.jsonl").read_text(encoding="utf-8").splitlines()
    assert len({json.loads(line)["id"] for line in lines}) == len(lines) == papers
    audited = paperfleet("audit", "--state", state, "--run-id", "r")
    assert audited.code == 0
