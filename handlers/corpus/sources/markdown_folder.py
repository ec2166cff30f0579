"""A folder of Markdown files as a source, one paper a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from handlers.corpus.folder_files import FolderFiles, is_state
from handlers.corpus.sources.reader import BadLine, excerpt_of
from handlers.corpus.sources.source_notes import SourceNotes
from handlers.errors import SourceError

_FENCES = ("```", "~~~")
_SUFFIXES = (".md", ".markdown")


class MarkdownFolder:
    """The ``.md`` and ``.markdown`` files below a folder, by path; a record's number is the file's place.

    Front matter between two lines ``---`` gives fields: ``key: value``, ``key: [a, b]``, ``- item`` lines,
    and indented lines that go on with the value above. The rest is the body. Without a title in it, the
    first ``# `` heading is the title and leaves the body; without an id, the relative path is the id.
    """

    def __init__(self, path: Path, *, limit: int, notes: SourceNotes | None = None) -> None:
        if not path.is_dir():
            raise SourceError(f"{path} is no folder: give a folder of Markdown files")
        if is_state(path):
            raise SourceError(f"{path} is a state of Paperfleet's own: give the folder of the papers")
        self.name = str(path)
        self._root = path
        self._limit = limit
        self.notes = notes or SourceNotes()

    def records(self) -> Iterator[tuple[int, dict[str, Any] | BadLine]]:
        files = FolderFiles(self._root, _SUFFIXES)
        root, paths = self._root.resolve(), files.paths()
        self.notes.others.append(files.told())
        if not paths:
            raise SourceError(f"{self.name}: {files.told()}: a folder is read for its Markdown files (.md)")
        for number, path in enumerate(paths, 1):
            relative = path.relative_to(self._root).as_posix()
            if not path.resolve().is_relative_to(root):
                yield number, BadLine(f"{excerpt_of(relative)}: a link that leads out of the folder")
            elif path.is_file():
                yield number, self._record(path, relative)

    def _record(self, path: Path, relative: str) -> dict[str, Any] | BadLine:
        try:
            with path.open("rb") as stream:
                raw = stream.read(self._limit + 1)
            if len(raw) > self._limit:
                return BadLine(f"{excerpt_of(relative)}: longer than {self._limit} bytes", excerpt_of(raw))
            return parse_markdown(raw.decode("utf-8-sig"), name=relative)
        except UnicodeDecodeError as error:
            return BadLine(f"{excerpt_of(relative)}: invalid UTF-8 at byte {error.start + 1}")
        except OSError as error:
            return BadLine(f"{excerpt_of(relative)}: cannot be read ({error.strerror})")


def parse_markdown(text: str, *, name: str) -> dict[str, Any] | BadLine:
    """The record of one file; ``name`` is its id if it gives none."""
    lines = text.replace("\r\n", "\n").split("\n")
    end = _end_of_front_matter(lines)
    fields = _fields(lines[1:end], name) if end else {}
    if isinstance(fields, BadLine):
        return fields
    body = lines[end + 1 :] if end else lines
    if not fields.get("title"):
        title, body = _without_title(body)
        fields["title"] = title
    return {"id": name} | fields | {"body": "\n".join(body).strip()}


def _end_of_front_matter(lines: Sequence[str]) -> int:
    """Index of the line that closes it; 0 if there is none."""
    if lines[0].rstrip() != "---":
        return 0
    return next((at for at, line in enumerate(lines) if at and line.rstrip() in ("---", "...")), 0)


def _fields(lines: Sequence[str], name: str) -> dict[str, Any] | BadLine:
    values_by_key: dict[str, list[str]] = {}
    lists: set[str] = set()
    key = ""
    for number, line in enumerate(lines, 2):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if key and (text == "-" or text.startswith("- ")):
            lists.add(key)
            values_by_key[key].append(_unquoted(text[1:].strip()))
        elif key and line[0] in " \t":
            values_by_key[key].append(text)
        else:
            key, colon, value = (part.strip() for part in text.partition(":"))
            if not colon or not key:
                return BadLine(f"{excerpt_of(name)}, line {number}: no `key: value`", excerpt_of(line))
            values_by_key[key] = _values(value)
            lists |= {key} if value.startswith("[") else set()
    return {key: values if key in lists else " ".join(values) for key, values in values_by_key.items()}


def _values(value: str) -> list[str]:
    if value.startswith("[") and value.endswith("]"):
        return [_unquoted(item.strip()) for item in value[1:-1].split(",") if item.strip()]
    folded = value in ("|", ">", "|-", ">-")
    return [] if folded or not value else [_unquoted(value)]


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if quoted else value


def _without_title(lines: list[str]) -> tuple[str, list[str]]:
    """The first heading of the first level that is not in a block of code, and the lines without it."""
    fence = ""
    for at, line in enumerate(lines):
        mark = line.lstrip()[:3]
        if mark in _FENCES and fence in ("", mark):
            fence = "" if fence else mark
        elif not fence and line.startswith("# "):
            return line[2:].strip().rstrip("#").rstrip(), lines[:at] + lines[at + 1 :]
    return "", lines
