"""The embedded ``ObjectStore``: a folder; parts are stretches of a job's own segment file."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from handlers.atomic_file import replacing, sync
from handlers.domain.result import Part, PartPointer
from handlers.errors import UsageError, damage_error, missing_error
from handlers.state_paths import SEGMENTS, checked_key, run_key

_NO_FILE = (FileNotFoundError, IsADirectoryError, NotADirectoryError)
"""What is said of a key under which no file lies."""
_OPEN_FILES = 64
"""Read at a time: a run of many sessions has a segment for each of their jobs."""


class FileStore:
    """Objects are files under ``root``; keys are relative paths without dots at a name's start."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._readers: dict[str, int] = {}
        self._last_read: str | None = None
        self._segments: dict[str, _Segment] = {}

    def path(self, key: str) -> Path:
        """Where an object lies. UsageError for a key that is no plain relative path."""
        return self._root / checked_key(key)

    def put_file(self, key: str, path: Path) -> None:
        target = self.path(key)
        if target.exists():
            return
        with replacing(target, durable=True) as copy:
            shutil.copyfile(path, copy)

    def exists(self, key: str) -> bool:
        return self.path(key).is_file()

    def read(self, key: str, offset: int, length: int) -> bytes:
        with self._lock:
            descriptor = self._reader_unlocked(key)
            try:
                data = os.pread(descriptor, length, offset)
            except IsADirectoryError as error:
                raise missing_error(key, str(self.path(key))) from error
            except (OverflowError, ValueError):  # past the end of any file
                data = b""
        if len(data) != length:
            problem = f"{length} bytes at offset {offset} wanted, {len(data)} there; it was cut or replaced"
            raise damage_error(key, f"{self.path(key)}: {problem}")
        return data

    def read_many(self, key: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        return [self.read(key, offset, length) for offset, length in ranges]

    def lines(self, key: str) -> Iterator[bytes]:
        try:
            with self.path(key).open("rb") as file:
                yield from file
        except _NO_FILE as error:
            raise missing_error(key, str(self.path(key))) from error

    def keys(self, prefix: str) -> Iterator[str]:
        folder = self._root / prefix.rpartition("/")[0]
        for path in sorted(folder.rglob("*")):
            key = path.relative_to(self._root).as_posix()
            if key.startswith(prefix) and path.is_file() and _is_key(key):
                yield key

    def write_parts(self, job_id: str, parts: Sequence[Part]) -> list[tuple[PartPointer, ...]]:
        pointers: list[tuple[PartPointer, ...]] = []
        touched: dict[str, _Segment] = {}
        for part in parts:
            key = run_key(part.run_id, SEGMENTS, f"{job_id}.jsonl")
            segment = touched.setdefault(key, self._segment(key))
            pointers.append(tuple(segment.append(part.lines)))
        for segment in touched.values():
            segment.sync()
        return pointers

    def _segment(self, key: str) -> _Segment:
        with self._lock:
            if key not in self._segments:
                self._segments[key] = _Segment(key, self.path(key))
            return self._segments[key]

    def _reader_unlocked(self, key: str) -> int:
        """A descriptor that is open while the lock is held; the least lately used one makes room."""
        if key == self._last_read:  # nearly always
            return self._readers[key]
        descriptor = self._readers.pop(key, None)
        if descriptor is None:
            try:
                descriptor = os.open(self.path(key), os.O_RDONLY | os.O_CLOEXEC)
            except _NO_FILE as error:
                raise missing_error(key, str(self.path(key))) from error
            if len(self._readers) >= _OPEN_FILES:
                os.close(self._readers.pop(next(iter(self._readers))))
        self._readers[key] = descriptor
        self._last_read = key
        return descriptor

    def close(self) -> None:
        with self._lock:
            for descriptor in self._readers.values():
                os.close(descriptor)
            for segment in self._segments.values():
                segment.close()
            self._readers.clear()
            self._last_read = None
            self._segments.clear()


def _is_key(name: str) -> bool:
    try:
        return bool(checked_key(name))
    except UsageError:
        return False


class _Segment:
    """A file that only one job appends to. Bytes of a failed write are cut off again."""

    def __init__(self, key: str, path: Path) -> None:
        self._key = key
        path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._end = os.lseek(self._descriptor, 0, os.SEEK_END)
        sync(path.parent)

    def append(self, lines: Sequence[bytes]) -> Iterator[PartPointer]:
        start, block = self._end, b"".join(lines)
        try:
            self._write(block)
        except OSError:
            os.ftruncate(self._descriptor, start)
            os.lseek(self._descriptor, start, os.SEEK_SET)
            self._end = start
            raise
        for line in lines:
            yield PartPointer(key=self._key, offset=start, length=len(line))
            start += len(line)

    def _write(self, block: bytes) -> None:
        view = memoryview(block)
        while view:
            written = os.write(self._descriptor, view)
            self._end += written
            view = view[written:]

    def sync(self) -> None:
        os.fsync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)
