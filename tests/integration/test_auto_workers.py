"""``--workers auto`` with real jobs: grows, lets go when it is refused, says each change and why."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from handlers.local.fleet import _later
from handlers.model_server import ServerSettings
from tests.builders.command import corpus, paperfleet, run_flags
from tests.builders.warm import start

_CHANGE = re.compile(r"workers (\d+) → (\d+): (.+)")


def changes(said: str) -> list[tuple[int, int, str]]:
    return [(int(before), int(after), why) for before, after, why in _CHANGE.findall(said)]


@pytest.mark.slow
@pytest.mark.alone
def test_a_job_grows_while_all_are_busy_and_tells_every_change(tmp_path: Path) -> None:
    source = corpus(tmp_path / "papers.jsonl", 250)
    with start(ServerSettings(mode="canned", latency=0.4, sigma=0.3)) as server:
        flags = run_flags(source, tmp_path / "state", server)
        ran = paperfleet(*flags, "--jobs", 1, "--workers", "auto", timeout=120)
    made = changes(ran.err)
    assert ran.report["counts"]["done"] == 250
    assert made[0][:2] == (10, 15)
    assert "all are busy" in made[0][2]
    # Each begins where the one before ended: none was left out.
    assert all(one[1] == next_one[0] for one, next_one in pairwise(made))
    job = ran.report["jobs"][0]
    assert 10 <= job["workers"] <= max(after for _, after, _ in made)
    assert ran.report["worker_utilization"] <= 1


@pytest.mark.slow
@pytest.mark.alone
def test_a_job_lets_go_of_the_workers_that_are_refused(tmp_path: Path) -> None:
    source = corpus(tmp_path / "papers.jsonl", 60)
    with start(ServerSettings(mode="canned", latency=0.15, sigma=0.3, max_in_flight=4)) as server:
        flags = run_flags(source, tmp_path / "state", server)
        ran = paperfleet(*flags, "--jobs", 1, "--workers", "auto", timeout=120)
    assert ran.report["counts"]["done"] == 60
    assert any(after < before and "were refused" in why for before, after, why in changes(ran.err))


def test_changes_between_two_looks_are_told_once_each() -> None:
    assert _later([], ["a", "b"]) == ["a", "b"]
    assert _later(["a", "b"], ["a", "b"]) == []
    assert _later(["a", "b"], ["a", "b", "c"]) == ["c"]
    assert _later(["a", "b", "c"], ["b", "c", "d", "e"]) == ["d", "e"]
    assert _later(["a", "b"], ["x", "y"]) == ["x", "y"]
