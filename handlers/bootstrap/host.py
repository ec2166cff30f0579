"""What the operating system and the platform say of this machine and its processes."""

from __future__ import annotations

import ctypes
import os
import platform
import secrets
import signal
import sys
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
"""What asks a session to drain."""
_M_ARENA_MAX = -8
"""``malloc.h`` of glibc; see mallopt(3)."""


def process_owner(pid: int) -> str:
    """``boot:namespace:pid:start`` of a process of this machine. A later process under the same pid has
    another start; a container beside this one another namespace; another machine, whatever it calls itself,
    another boot (hosted runners, and clones of one image, share their name)."""
    return f"{_boot()}:{_namespace()}:{pid}:{_started(pid)}"


def is_alive(owner: str) -> bool:
    """Whether the process of a ``process_owner`` string runs. Nobody can tell from here of another boot or
    namespace, nor of an earlier release's ``host:pid:start``: it is assumed to, and its heartbeat's age
    decides."""
    boot, _, rest = owner.partition(":")
    namespace, _, process = rest.partition(":")
    pid, _, started = process.partition(":")
    if (boot, namespace) != (_boot(), _namespace()) or not pid.isdecimal():
        return True
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return _started(int(pid)) == started


@cache
def _boot() -> str:
    """Of the kernel that runs (random(4)); the machine's name where none is told."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return platform.node().replace(":", "-")


def _namespace() -> str:
    """Of process ids (pid_namespaces(7)): a number, "" where there are none."""
    try:
        return str(Path("/proc/self/ns/pid").readlink()).strip("pid:[]")
    except OSError:
        return ""


def on_lambda() -> bool:
    """Whether Lambda's runtime calls the handlers of this process."""
    return "AWS_LAMBDA_RUNTIME_API" in os.environ or "AWS_LAMBDA_FUNCTION_NAME" in os.environ


def new_id(prefix: str) -> str:
    """A name that no other process of the fleet has: part of paths and keys."""
    return f"{prefix}-{secrets.token_hex(5)}"


def set_environment(values: dict[str, str]) -> None:
    """Give this process its settings (a forked job's)."""
    os.environ.update(values)


def _started(pid: int) -> str:
    """Start time in clock ticks since boot (proc(5), field 22); "0" where there is no /proc, "" for
    a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "0"
    return "" if fields[0] == "Z" else fields[19]


def free_memory() -> float:
    """Share of the machine's memory that is free or could be made so (proc(5), meminfo); 1 where nobody
    says."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        sizes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
        return sizes["MemAvailable"] / sizes["MemTotal"]
    except (OSError, KeyError, ValueError, IndexError):
        return 1.0


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def helper_processes() -> int:
    """Processes for ``ordered_map``: one more than cores, since each of them waits now and then for its next
    chunk. 1 on one core, which starts none."""
    count = cores()
    return count + 1 if count > 1 else 1


def cpu_seconds() -> float:
    """Processor time of this process so far."""
    return time.process_time()


def peak_mb() -> float:
    """The most memory that this process has held, in MB."""
    import resource  # not on Windows, and only asked for by a simulation

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 if sys.platform != "darwin" else peak / 1024**2


def share_one_heap() -> None:
    """Let all threads of this process allocate from one heap, before they start. By default glibc gives
    them eight heaps a core, each of which keeps what its own threads freed; the interpreter's lock lets
    one of them allocate at a time anyhow. Elsewhere nothing happens."""
    with suppress(OSError, AttributeError, TypeError):  # no glibc: no such function, or no such library
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
