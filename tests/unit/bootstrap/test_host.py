"""What a process asks of the machine that it runs on."""

from __future__ import annotations

import subprocess
import sys

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
