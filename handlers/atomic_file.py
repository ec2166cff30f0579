"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(target: Path, *, durable: bool) -> Iterator[Path]:
    """A path beside ``target`` to write to; at the end of the block the file there takes the target's name.

    If the block fails the target stays as it was. FileExistsError for a device or a pipe, which stays one.
    ``durable``: content and name are on the disk when the block is left. Any number of processes and threads
    may replace one target: the last one wins.
    """
    if target.exists() and not (
        target.is_file() or target.is_dir()
    ):  # /dev/null or a pipe would be gone for everybody
        raise FileExistsError(errno.EEXIST, "is no regular file and is not replaced", str(target))
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield scratch
        if durable:
            sync(scratch)
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)
    if durable:
        sync(target.parent)


@contextmanager
def replacing_folder(target: Path) -> Iterator[Path]:
    """An empty folder beside ``target`` to write into; at the end of the block it takes the target's place,
    and nothing of what was there stays behind. If the block fails the target stays as it was."""
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    scratch.mkdir()
    try:
        yield scratch
        if not target.exists():
            scratch.rename(target)
        elif not _exchanged(scratch, target):
            _replace_in_two_steps(scratch, target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _exchanged(one: Path, other: Path) -> bool:
    """Both names at once, so that there is a folder at every moment: Linux alone can do it (renameat2(2))."""
    import ctypes  # which no job needs

    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    try:
        rename = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    return bool(rename(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0)


def _replace_in_two_steps(scratch: Path, target: Path) -> None:
    old = scratch.with_suffix(".old")
    target.rename(old)
    try:
        scratch.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def sync(path: Path) -> None:
    """Write a file's content, or a folder's names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
