"""Processes that have ended, and been waited for, once the block that started them is left, however it is.

One that is not is reported in whichever test happens to run when its object is thrown away.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any


@contextmanager
def ending(
    command: Sequence[object], *, patience: float = 10, **more: Any
) -> Iterator[subprocess.Popen[Any]]:
    """A process, which is asked to end and is killed if it has not after ``patience`` seconds: servers wait a
    minute or two for requests that are still on their way. ``more`` is for ``Popen``."""
    with subprocess.Popen([str(part) for part in command], **more) as process:
        try:
            yield process
        finally:
            end(process, patience=patience)


def end(process: subprocess.Popen[Any], *, patience: float) -> None:
    """Ask a process to end; kill it if it has not after so many seconds."""
    process.terminate()
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
