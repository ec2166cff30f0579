"""What a command cost: wall, CPU and memory of it and its children."""

from __future__ import annotations

import re
import resource
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.builders.command import Ran, Running

_SIZE = re.compile(r"^(Rss|Pss):\s+(\d+) kB", re.MULTILINE)


@dataclass
class Memory:
    """Peak of the summed proportional set sizes of a process and its children, and of the largest of them
    (MB); sampled each ``every`` seconds, for a sample costs the CPU of reading each page table."""

    every: float = 0.25
    total: float = 0.0
    largest: float = 0.0
    largest_rss: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)

    def watch(self, pid: int) -> None:
        while not self.stop.wait(self.every):
            parent, *jobs = [sizes(each) for each in (pid, *children(pid))]
            self.total = max(self.total, sum(pss for _, pss in (parent, *jobs)))
            for rss, pss in jobs or [parent]:
                self.largest = max(self.largest, pss)
                self.largest_rss = max(self.largest_rss, rss)


def timed(
    flags: list[object], *, every: float = 0.25, **environment: str
) -> tuple[Ran, float, float, Memory]:
    """Run the command; returns it with wall seconds, CPU seconds of it and its jobs, and memory."""
    memory = Memory(every)
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with Running(*flags, **environment) as running:
        watcher = threading.Thread(target=memory.watch, args=(running.pid,), daemon=True)
        watcher.start()
        ran = running.end(timeout=3600)
    wall = time.monotonic() - began
    memory.stop.set()
    watcher.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return ran, wall, cpu, memory


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def sizes(pid: int) -> tuple[float, float]:
    """(RSS, PSS) in MB."""
    try:
        found = dict(_SIZE.findall(Path(f"/proc/{pid}/smaps_rollup").read_text()))
    except OSError:
        return 0.0, 0.0
    return int(found.get("Rss", 0)) / 1024, int(found.get("Pss", 0)) / 1024
