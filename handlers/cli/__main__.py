"""First step of the ``paperfleet`` command, before any import: the memory caches of its threads."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
from contextlib import suppress

_COLLECTED_EVERY = 50_000
"""New objects: a command's own module brings half as many that stay."""
_START_JOBS = {"run", "work", "actions"}
_TUNABLES, _NO_CACHES = "GLIBC_TUNABLES", "glibc.malloc.tcache_count=0"


def main() -> None:
    if os.environ.get(_TUNABLES) == _NO_CACHES:
        del os.environ[_TUNABLES]  # it has served: what this process starts need not hear of it
    elif sys.argv[1:2] and sys.argv[1] in _START_JOBS:
        _begin_without_caches()
    _open_closed_streams()
    # pydantic would look for plugins of its own among all that is installed: a twentieth of a short command.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    gc.disable()  # what is imported stays: looking for garbage among it takes a tenth of the time
    from handlers.cli.main import main as command  # a third of a second, not to be spent twice

    gc.freeze()
    gc.set_threshold(_COLLECTED_EVERY)
    gc.enable()
    try:
        command()
    except SystemExit as ended:
        _end(ended.code)
        raise


def _open_closed_streams() -> None:
    """Streams that were closed before the command began, as by ``>&-``, lead nowhere. Python has None for
    them, and the next file to be opened, the ledger perhaps, would get the descriptor of standard output."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - until the end, before Path is loaded


def _end(code: object) -> None:
    """At once, where nothing is left to be written or waited for: to take a session's objects apart one by
    one, as the interpreter does at its end, takes longer than the session's report."""
    others = set(threading.enumerate()) - {threading.main_thread()}
    if not isinstance(code, int | None) or not all(thread.daemon for thread in others):
        return
    atexit._run_exitfuncs()  # noqa: SLF001 - what was registered is run all the same
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):  # closed, or nobody reads it: the interpreter says so
            return
    os._exit(code or 0)


def _begin_without_caches() -> None:
    """Start this command again, under the same process id, without a cache of freed memory for each
    thread. A job with a hundred workers peaks at 67 MB in place of 78: a sixth of its memory, which the
    start of an interpreter, once a session, is worth. glibc can be told so by the environment of a
    program that starts, and by nothing else (Memory Allocation Tunables, its manual). Settings of the
    user's own stand; with another C library nothing happens."""
    if _TUNABLES in os.environ or not sys.executable or not _has_glibc():
        return
    with suppress(OSError):
        line = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, line, {**os.environ, _TUNABLES: _NO_CACHES})  # noqa: S606 - itself


def _has_glibc() -> bool:
    try:
        return bool(os.confstr("CS_GNU_LIBC_VERSION"))
    except (AttributeError, ValueError, OSError):
        return False


if __name__ == "__main__":
    main()
