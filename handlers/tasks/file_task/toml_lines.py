"""In which line of a TOML text each key stands: the standard library's reader does not say."""

from __future__ import annotations

import re
from bisect import bisect_left
from contextlib import suppress

from handlers.tasks.file_task.task_fault import Path

_BLANK = re.compile(r"(?:[ \t\r\n,]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!"")|"(?="""))*"{3,5}|' r"'''(?:[^']|'(?!'')|'(?='''))*'{3,5}|"
    r'"(?:[^"\\\n]|\\.)*"|' r"'[^'\n]*'",
    re.DOTALL,
)  # fmt: skip
_BARE = re.compile(r"[^,\]}#\n]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def key_lines(text: str) -> dict[Path, int]:
    """Path of each key, table and item of a valid TOML text → its line, from 1."""
    scan = _Scan(text)
    with suppress(RecursionError, IndexError):
        scan.document()
    return scan.lines


def line_of(lines: dict[Path, int], path: Path) -> int | None:
    """The line of a path, or of the nearest one above it; None if there is none."""
    for end in range(len(path), 0, -1):
        if path[:end] in lines:
            return lines[path[:end]]
    return None


class _Scan:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._breaks = [match.start() for match in re.finditer("\n", text)]
        self._arrays: dict[Path, int] = {}
        self.lines: dict[Path, int] = {}

    def document(self) -> None:
        prefix: Path = ()
        while self._skip():
            if self._text[self._at] == "[":
                prefix = self._header()
            else:
                self._pair(prefix)

    def _skip(self) -> bool:
        """Past white space, comments and commas; False at the end."""
        match = _BLANK.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._at < len(self._text)

    def _note(self, path: Path, at: int) -> None:
        self.lines.setdefault(path, bisect_left(self._breaks, at) + 1)

    def _header(self) -> Path:
        start, double = self._at, self._text.startswith("[[", self._at)
        self._at += 2 if double else 1
        names = self._key()
        self._at = self._text.index("]", self._at) + (2 if double else 1)
        path: Path = ()
        for name in names[:-1]:
            path = self._last((*path, name))
        path = (*path, names[-1])
        if double:
            self._arrays[path] = self._arrays.get(path, 0) + 1
        path = self._last(path)
        self._note(path, start)
        return path

    def _last(self, path: Path) -> Path:
        """The path, or that of the last table of an array of tables."""
        return (*path, self._arrays[path] - 1) if path in self._arrays else path

    def _key(self) -> list[str]:
        names: list[str] = []
        while True:
            self._spaces()
            match = _STRING.match(self._text, self._at)
            if match:
                names.append(match[0][1:-1])
            else:
                match = _BARE_KEY.match(self._text, self._at)
                if match is None:
                    raise IndexError
                names.append(match[0])
            self._at = match.end()
            self._spaces()
            if not self._text.startswith(".", self._at):
                return names
            self._at += 1

    def _pair(self, prefix: Path) -> None:
        start, path = self._at, prefix
        for name in self._key():
            path = (*path, name)
            self._note(path, start)
        self._at += 1  # the sign of equality
        self._spaces()
        self._value(path)

    def _spaces(self) -> None:
        match = _SPACE.match(self._text, self._at)
        self._at = match.end() if match else self._at

    def _value(self, path: Path) -> None:
        self._note(path, self._at)
        match = _STRING.match(self._text, self._at)
        if match:
            self._at = match.end()
        elif self._text[self._at] in "[{":
            self._members(path, "]" if self._text[self._at] == "[" else "}")
        else:
            match = _BARE.match(self._text, self._at)
            self._at = match.end() if match else self._at

    def _members(self, path: Path, end: str) -> None:
        self._at += 1
        place = 0
        while self._skip() and self._text[self._at] != end:
            if end == "]":
                self._value((*path, place))
            else:
                self._pair(path)
            place += 1
        self._at += 1
