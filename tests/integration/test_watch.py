"""``status --watch`` beside a run, from another process."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from handlers.model_server import ServerSettings
from tests.builders.command import Running, corpus, run_flags, until
from tests.builders.warm import start

PAPERS = 40


@pytest.mark.slow
def test_a_run_is_watched_from_another_process_until_its_end(tmp_path: Path) -> None:
    source = corpus(tmp_path / "papers.jsonl", PAPERS)
    state = tmp_path / "state"
    prices = {"price_in": Decimal("0.15"), "price_out": Decimal("0.60")}
    with start(ServerSettings(mode="canned", latency=0.8, **prices)) as server:
        flags = [*run_flags(source, state, server), "--jobs", 1, "--workers", 4]
        with Running(*flags) as running:
            until(lambda: running.said("papers/h"))
            with Running("status", "--watch", "--state", state, "--run-id", "r") as watching:
                ended = watching.end()
            assert running.end().code == 0
    assert ended.code == 0
    assert "calls in" in ended.err
    assert f"/{PAPERS} papers, " in ended.err
    assert f"{PAPERS} of {PAPERS} papers" in ended.out
