"""A port for a server that must be told one: nobody else gets it before the server's start."""

from __future__ import annotations

import fcntl
import itertools
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

_FROM, _TO = 20_000, 32_000
"""Below those that the system gives to connections and to servers that leave the choice to it."""


@contextmanager
def reserved_port() -> Iterator[int]:
    """A free port on loopback; until the block ends, no other test takes it."""
    start = os.getpid() % (_TO - _FROM)
    for number in itertools.islice(itertools.cycle(range(_FROM, _TO)), start, start + _TO - _FROM):
        path = Path(tempfile.gettempdir()) / f"paperfleet-port-{number}.lock"
        with path.open("w") as lock:
            if _is_ours(lock) and _is_free(number):
                yield number
                return
    raise AssertionError("no port is free")


def _is_ours(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
