"""The drill of task files, on each way with another corpus."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.task_drill import KINDS, check, play
from tests.e2e.task_ways import prepared

pytestmark = pytest.mark.slow
TASKS = {each.name: each for each in KINDS}


@pytest.mark.parametrize(
    ("way", "task"),
    [
        ("local", "reviews"),
        ("local", "polish"),
        ("aws", "issues"),
        ("actions", "abstracts"),
        ("local", "vectors"),
        ("actions", "passages"),
    ],
)
def test_a_task_goes_through_kill_export_other_checks_and_retry(way: str, task: str, tmp_path: Path) -> None:
    with prepared(way, TASKS[task], tmp_path) as (chosen, server):
        played = play(way, chosen, TASKS[task], tmp_path, server)
    check(played)
    assert played.columns[:2] == ["id", "status"]
