"""The whole command in a model's dear hour: it stops and says when it goes on, or sleeps until then."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from handlers.model_server import ServerSettings, start
from tests.builders.command import Running, corpus, shifted_clock, until

pytestmark = pytest.mark.slow

_ENDS = datetime(2026, 11, 24, 10, tzinfo=UTC).timestamp()
"""A Tuesday's dear hours of the model end here."""


def test_a_run_in_a_dear_hour_stops_or_waits_and_nothing_is_asked_before_its_end(tmp_path: Path) -> None:
    with start(ServerSettings(price_in=0.3, price_out=1.2)) as server:
        flags = ("run", corpus(tmp_path / "c.jsonl", 6), "--state", tmp_path / "state", "--run-id", "r")
        flags += ("--base-url", server.base_url, "--model", "deepseek-flash", "--hours", "offpeak", "--json")
        ahead = _ENDS - time.time()
        with Running(*flags, **shifted_clock(tmp_path / "hour-before", ahead - 3600)) as running:
            stopped = running.end()
        assert stopped.code == 0, stopped.err
        assert stopped.report["state"] == "paused"
        assert "2026-11-24 10:00" in stopped.report["outcome"]
        assert server.stats()["requests"] == 0
        ahead = _ENDS - time.time()
        with Running(*flags, "--wait", **shifted_clock(tmp_path / "seconds-before", ahead - 6)) as running:
            until(lambda: server.stats()["requests"] > 0)
            first = time.time() + ahead - 6
            ran = running.end()
        stats = server.stats()
    assert ran.code == 0, ran.err
    assert "goes on" in ran.err
    assert ran.report["counts"]["done"] == stats["requests"] == 6
    assert first >= _ENDS, "nothing was asked in the dear hour"
    assert stats["bill_nano_usd"] == ran.report["spend_nano_usd"], "the full price is booked at this address"
