"""What a fraction of a processor does to a function of 100 threads: the built artifact under a CPU quota.

    python -m tests.benchmarks.fractional_cpu

Lambda gives 1,769 MB one vCPU and others their share of it. The quota is kept as cpulimit keeps it: the
process is stopped for the rest of each tenth of a second in which it has used its share.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.builders.functions import canned, fleet
from tests.e2e.artifact import build

_PERIOD = 0.1
_PAPERS = 600
_LATENCY = 1.0


def main() -> None:
    """A row for each memory size."""
    ready = os.environ.get("PAPERFLEET_TEST_BUILT")
    with tempfile.TemporaryDirectory() as folder:
        built = Path(ready) if ready else build(Path(folder))
        sys.stdout.write("memory MB  vCPU  start s  wall s  papers/s  CPU ms/paper  busy threads  peak MB\n")
        for memory in (512, 1024, 1769):
            with tempfile.TemporaryDirectory() as scratch:
                _measure(built, Path(scratch), memory)


def _measure(built: Path, folder: Path, memory: int) -> None:
    share = min(1.0, memory / 1769)
    server = canned(latency=_LATENCY)
    with (
        fleet(built, folder, _PAPERS, server, batch=_PAPERS, PAPERFLEET_WORKERS="100") as (function, model),
        function.running("process") as process,
        _quota(process.process.pid, share),
    ):
        began = time.monotonic()
        process.invoke({"Records": []})
        start = time.monotonic() - began
        began, used = time.monotonic(), _cpu_seconds(process.process.pid)
        for event in function.events():
            assert process.invoke(event, seconds=600).value == {"batchItemFailures": []}
        wall, used = time.monotonic() - began, _cpu_seconds(process.process.pid) - used
        busy = model.stats()["latency_sum"] / wall
        peak = process.memory_peak() / 2**20
    sys.stdout.write(
        f"{memory:9}  {share:4.2f}  {start:7.1f}  {wall:6.1f}  {_PAPERS / wall:8.1f}"
        f"  {1000 * used / _PAPERS:12.1f}  {busy:12.0f}  {peak:7.0f}\n"
    )
    sys.stdout.flush()


@contextmanager
def _quota(pid: int, share: float) -> Iterator[None]:
    ended = threading.Event()
    thread = threading.Thread(target=_keep, args=(pid, share, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def _keep(pid: int, share: float, ended: threading.Event) -> None:
    """Over the long run: what was used too much in one period is taken from the next."""
    began, first = time.monotonic(), _cpu_seconds(pid)
    with suppress(ProcessLookupError, FileNotFoundError):
        while not ended.wait(_PERIOD / 10):
            used, allowed = _cpu_seconds(pid) - first, share * (time.monotonic() - began)
            if allowed - used > _PERIOD * share:  # what was not used is lost
                first -= allowed - used - _PERIOD * share
            os.kill(pid, signal.SIGSTOP if used > allowed else signal.SIGCONT)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
