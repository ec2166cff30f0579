"""The end of a command whose output nobody reads any more, as of ``paperfleet export | head``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, NoReturn

CODE = 141
"""128 + SIGPIPE, as a shell says of a program that the signal ended."""


@contextmanager
def quiet_pipe() -> Iterator[None]:
    """Where the reader of the command's output is gone, it ends with 141 and without a word. click and rich
    make of it an exit with 1, which stands for something else."""
    streams = sys.stdout, sys.stderr
    files = list(map(_file_of, streams))
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:
        _end()
    except SystemExit:
        # click puts another stream in the place of one that broke, rich another file behind it.
        if (sys.stdout, sys.stderr) != streams or list(map(_file_of, streams)) != files:
            _end()
        raise


def _file_of(stream: IO[str] | None) -> tuple[int, int] | None:
    """None for one that is closed, or no file."""
    try:
        status = os.fstat(stream.fileno()) if stream is not None else None
    except (OSError, ValueError):
        return None
    return None if status is None else (status.st_dev, status.st_ino)


def _end() -> NoReturn:
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)  # what is left in the buffer goes there as the interpreter ends
    os.close(nothing)
    raise SystemExit(CODE) from None
