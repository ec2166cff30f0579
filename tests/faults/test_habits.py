"""Whole runs against the habits of providers: each dollar booked, each formula exact."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from handlers.model_server import ServerSettings
from tests.benchmarks.formulas import changed_formulas
from tests.builders.command import corpus, paperfleet, run_flags
from tests.builders.warm import start

pytestmark = pytest.mark.slow
PAPERS = 120
WHOLE = (
    "event_stream=0.2", "comments=0.2", "no_last_chunk=0.2", "cached_hits=0.2", "text_usage=0.2",
    "thinks=0.2", "draft_in_thoughts=0.2", "starved=0.05", "empty=0.05", "sensitive=0.05",
    "wide_digits=0.2", "curly_quotes=0.2", "frame=0.2", "fence=0.2",
    "error_in_200=0.05", "choice_error=0.05", "full_498=0.05", "no_temperature", "no_json_mode",
)  # fmt: skip
"""Habits that leave no doubt of what was billed."""


def test_with_many_habits_at_once_the_ledger_is_the_bill_and_no_formula_changes(tmp_path: Path) -> None:
    papers = corpus(tmp_path / "papers.jsonl", PAPERS, seed=7)
    cached = Decimal("0.03")
    settings = ServerSettings(
        mode="canned",
        latency=0.02,
        habit=WHOLE,
        price_in=Decimal("0.15"),
        price_out=Decimal("0.60"),
        price_cached=cached,
    )
    with start(settings) as server:
        flags = [*run_flags(papers, tmp_path, server), "--price-cached", cached]
        ran = paperfleet(*flags, "--jobs", 1, "--workers", 12)
        stats = server.stats()
        again = paperfleet(*flags, "--jobs", 1, "--workers", 12)
        assert server.stats()["requests"] == stats["requests"]
    report = ran.report
    assert ran.code in (0, 3), ran.err
    assert again.code == ran.code
    assert report["counts"]["pending"] == 0
    assert report["counts"]["done"] >= 0.85 * PAPERS
    assert report["spend_nano_usd"] == stats["bill_nano_usd"]
    assert report["indeterminate_usd"] == report["held_usd"] == 0
    assert not changed_formulas(papers, tmp_path / "runs" / "r" / "results.jsonl")
