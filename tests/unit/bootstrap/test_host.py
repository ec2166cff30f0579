"""What a process asks of the machine that it runs on."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from handlers.bootstrap.host import is_alive, process_owner

_RESERVED = """
import sys, threading
from pathlib import Path
from handlers.bootstrap.host import share_one_heap

def reserved():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmSize"))

if sys.argv[1] == "one":
    share_one_heap()
threading.stack_size(256 * 1024)
before, gate = reserved(), threading.Barrier(9)
def work():
    held = [bytes(2_000) for _ in range(100)]
    gate.wait()
    gate.wait()
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
gate.wait()
print(reserved() - before)
gate.wait()
for thread in threads:
    thread.join()
"""


def _megabytes(heaps: str) -> int:
    """Address space that eight threads take; glibc reserves 64 MB for each heap."""
    done = subprocess.run(
        [sys.executable, "-c", _RESERVED, heaps], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_threads_share_one_heap_once_they_are_told_to() -> None:
    assert _megabytes("one") < 64 < _megabytes("many")


def test_a_process_of_this_machine_is_known_by_its_start() -> None:
    mine = process_owner(os.getpid())
    assert is_alive(mine)
    assert not is_alive(f"{mine}1"), "a later process under the same number"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        theirs = process_owner(other.pid)
        assert is_alive(theirs)
        other.kill()
        other.wait()
        assert not is_alive(theirs)


def _changed(position: int, value: str) -> str:
    parts = process_owner(os.getpid()).split(":")
    parts[2] = "4194301"  # runs nowhere here
    parts[position] = value
    return ":".join(parts)


@pytest.mark.parametrize(
    ("position", "value"),
    [(0, "5f0e5d4c-0000-4000-8000-000000000000"), (1, "4026531999"), (2, "x"), (2, "-1")],
)
def test_of_another_machine_or_container_nobody_says_that_it_died(position: int, value: str) -> None:
    """Its heartbeat's age decides."""
    assert is_alive(_changed(position, value))


@pytest.mark.parametrize("name", ["{host}:4194301:123", "host:1:1", "", ":::", "a:b:c:d"])
def test_of_what_another_release_called_itself_nobody_says_that_it_died(name: str) -> None:
    assert is_alive(name.format(host=os.uname().nodename))


@pytest.mark.parametrize("pid", ["4194301", "9" * 30])
def test_a_number_that_nothing_runs_under_is_dead(pid: str) -> None:
    assert not is_alive(_changed(2, pid))
