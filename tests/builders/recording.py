"""What a terminal shows while a command runs, as frames of text.

``python -m tests.builders.recording paperfleet run papers.jsonl`` prints those that differ, of 80 x 24.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyte

_LOOK = 0.1
"""Seconds between two frames."""
_AT_ONCE = 65_536


@dataclass
class Recording:
    """Frames are rows without blanks at their ends; ``raw`` is all that was written."""

    frames: list[list[str]] = field(default_factory=list)
    raw: bytes = b""
    code: int = 0

    @property
    def last(self) -> list[str]:
        """The rows of the last frame that hold something."""
        return [row for row in self.frames[-1] if row]


def record(
    line: Sequence[str],
    *,
    rows: int = 24,
    columns: int = 80,
    narrowed: tuple[float, int] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Recording:
    """Run a command on a terminal of its own. ``narrowed``: after so many seconds it has so many columns."""
    screen, recording = pyte.Screen(columns, rows), Recording()
    stream = pyte.ByteStream(screen)
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe(line[0], line, {**os.environ, **(environment or {}), "COLUMNS": "", "LINES": ""})
    _resize(terminal, rows, columns)
    began = time.monotonic()
    for data in _read(terminal):
        recording.raw += data
        stream.feed(data)
        frame = [row.rstrip() for row in screen.display]
        if not recording.frames or frame != recording.frames[-1]:
            recording.frames.append(frame)
        if narrowed is not None and time.monotonic() - began > narrowed[0]:
            _resize(terminal, rows, narrowed[1])
            screen.resize(rows, narrowed[1])
            os.kill(child, signal.SIGWINCH)
            narrowed = None
    recording.code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(terminal)
    return recording


def _read(terminal: int) -> Iterator[bytes]:
    """What was written since the last look; nothing is an empty look. Linux ends with EIO."""
    while True:
        ready, _, _ = select.select([terminal], [], [], _LOOK)
        try:
            data = os.read(terminal, _AT_ONCE) if ready else b""
        except OSError:
            return
        if ready and not data:
            return
        yield data


def _resize(terminal: int, rows: int, columns: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def main() -> None:
    recording = record(sys.argv[1:])
    for number, frame in enumerate(recording.frames):
        print(f"--- frame {number}", *filter(None, frame), sep="\n")
    print(f"--- exit code {recording.code}")


if __name__ == "__main__":
    main()
