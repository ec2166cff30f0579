"""Files that a task file names: read from beside it or below, and from nowhere else.

Each component of a path is opened in the folder before it, without following links, and what is opened is
what is looked at and read: nothing can be put in its place between the two (``openat(2)``).
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

MOST_BYTES = 256 * 1024
"""Of a task file, and of each text that it names."""
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_DEEPEST = 16


class UnreadableError(Exception):
    """Why a file is not read."""


def read_task_file(path: str) -> str:
    """The text of a task file, which the user names: links are followed, devices and pipes are not read."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError) as error:
        raise UnreadableError(_reason(error)) from None
    return _text(handle)


def read_beside(folder: str, name: str) -> str:
    """The text of a file in the folder or below; UnreadableError says why it is not read."""
    parts = name.split("/")
    if name.startswith("/") or "\\" in name or "\0" in name or (os.sep != "/" and ":" in name):
        raise UnreadableError("a path beside the task file is wanted")
    if len(parts) > _DEEPEST or any(part in ("", ".", "..") for part in parts):
        raise UnreadableError("a path beside the task file or below is wanted, without `.` and `..`")
    if any(part.startswith(".") for part in parts):
        raise UnreadableError("hidden files are not read")
    if os.open not in os.supports_dir_fd:
        return _text(_opened(os.path.join(folder, *parts), None))  # noqa: PTH118 - parts are checked above
    handle = os.open(folder or ".", os.O_RDONLY | os.O_CLOEXEC)
    for part in parts:
        inside = handle
        try:
            handle = _opened(part, inside)
        finally:
            os.close(inside)
    return _text(handle)


def _opened(name: str, folder: int | None) -> int:
    try:
        return os.open(name, _FLAGS, dir_fd=folder)
    except (OSError, ValueError) as error:
        raise UnreadableError(_reason(error)) from None


def _reason(error: Exception) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.ELOOP, errno.EMLINK, errno.ENOTDIR):
        return "a link, or below a file: links are not followed"
    return (error.strerror or "it cannot be opened") if isinstance(error, OSError) else "no file name"


def _text(handle: int) -> str:
    """One read of a regular file; closes the handle."""
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise UnreadableError("no regular file")
        with suppress(OSError):
            os.set_blocking(handle, True)
        data = b""
        while len(data) <= MOST_BYTES and (more := os.read(handle, MOST_BYTES + 1 - len(data))):
            data += more
    except OSError as error:
        raise UnreadableError(_reason(error)) from None
    finally:
        os.close(handle)
    if len(data) > MOST_BYTES:
        raise UnreadableError(f"it has more than {MOST_BYTES // 1024} KB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError(f"no UTF-8 at byte {error.start}") from None
