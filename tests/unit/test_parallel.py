"""Chunks that other processes work on, whatever becomes of these."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest

from handlers.parallel import ordered_map
from tests.builders.ended_process import ending

ROOT = Path(__file__).parents[2]
_WAITS = """
import os, time
from handlers.parallel import ordered_map

def work(number):
    os.write(1, b"w")
    time.sleep(600)

list(ordered_map(work, iter(range(9)), processes=3))
"""


def tripled(number: int) -> int:
    return 3 * number


@pytest.mark.parametrize("started", [0, 1, 2])
def test_where_no_more_processes_can_be_started_chunks_are_worked_on_here(
    started: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fork, left = os.fork, started

    def limited() -> int:
        nonlocal left
        if not left:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        left -= 1
        return fork()

    monkeypatch.setattr(os, "fork", limited)
    found = list(ordered_map(tripled, iter(range(9)), processes=3))
    assert found == [(number, 3 * number) for number in range(9)]


def test_chunks_are_taken_as_results_are_wanted_and_processes_end_with_the_caller() -> None:
    taken = count()
    results = ordered_map(tripled, iter(taken.__next__, -1), processes=2)
    assert [next(results) for _ in range(50)] == [(number, 3 * number) for number in range(50)]
    results.close()
    assert next(taken) <= 53


def test_chunks_of_processes_that_are_killed_are_worked_on_here() -> None:
    here = os.getpid()

    def tripled_here(number: int) -> int:
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return 3 * number

    found = list(ordered_map(tripled_here, iter(range(9)), processes=2))
    assert found == [(number, 3 * number) for number in range(9)]


def test_what_a_chunk_raises_is_raised_here() -> None:
    with pytest.raises(TypeError):
        list(ordered_map(tripled, iter([1, None, 2]), processes=2))


def test_a_killed_parent_leaves_no_process_behind() -> None:
    with ending([sys.executable, "-c", _WAITS], stdout=subprocess.PIPE, cwd=ROOT) as parent:
        assert parent.stdout.read(1) == b"w", "at work"
        parent.send_signal(signal.SIGKILL)
        parent.communicate(timeout=20)  # the pipe is closed once no process has it
