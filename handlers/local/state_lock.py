"""One ``paperfleet run`` at a time works on a state folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from handlers.bootstrap.host import is_alive, process_owner
from handlers.bootstrap.state import SystemClock
from handlers.errors import UsageError
from handlers.state_paths import LOCK

_TICK = 0.2
_WIND_UP = 15.0


@contextmanager
def only_parent(state: Path) -> Iterator[None]:
    """Hold the state folder; UsageError if another ``paperfleet run`` works on it."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / LOCK).open("a+") as lock:
        _acquire(lock, state)
        lock.truncate(0)
        lock.write(process_owner(os.getpid()))
        lock.flush()
        yield


def _acquire(lock: TextIO, state: Path) -> None:
    """The jobs of a parent that was killed hold its lock for the second that they need to wind up."""
    clock = SystemClock()
    patience = clock.monotonic() + _WIND_UP
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = lock.read().strip()
            if clock.monotonic() > patience or (owner and is_alive(owner)):
                raise UsageError(
                    f"{state}: another `paperfleet run` works on this state ({owner or 'unknown process'}); "
                    "`paperfleet status` shows how it stands, `paperfleet work` joins it"
                ) from None
            clock.sleep(_TICK)
        else:
            return
