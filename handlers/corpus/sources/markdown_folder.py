"""A folder of Markdown files as a source, one paper a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from handlers.corpus.folder_files import FolderFiles, is_state
from handlers.corpus.sources.reader import BadLine, excerpt_of
from handlers.corpus.sources.source_notes import SourceNotes
from handlers.corpus.sources.text_encoding import SAMPLE_BYTES, encoding_of, marked, shown
from handlers.errors import SourceError

_FENCES = ("```", "~~~")
_SUFFIXES = (".md", ".markdown")


class MarkdownFolder:
    """The ``.md`` and ``.markdown`` files below a folder, by path; a record's number is the file's place.

    Front matter gives fields: YAML between two lines ``---``, or TOML between ``+++``. The rest is the body.
    Without a title in it, the first ``# `` heading is the title and leaves the body; without an id, the
    relative path is the id.
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
            return parse_markdown(self._decoded(raw), name=relative)
        except UnicodeDecodeError as error:
            return BadLine(f"{excerpt_of(relative)}: invalid UTF-8 at byte {error.start + 1}")
        except OSError as error:
            return BadLine(f"{excerpt_of(relative)}: cannot be read ({error.strerror})")

    def _decoded(self, raw: bytes) -> str:
        """UnicodeDecodeError if no encoding explains it."""
        found = marked(raw[:SAMPLE_BYTES])
        try:
            return raw.decode(found or "utf-8-sig").removeprefix("\ufeff")
        except UnicodeDecodeError:
            found = encoding_of(raw[:SAMPLE_BYTES]) if found is None else None
            if found in (None, "utf_8"):
                raise
            text = raw.decode(found)
            self.notes.encoding, self.notes.guessed = shown(found), True
            return text


def parse_markdown(text: str, *, name: str) -> dict[str, Any] | BadLine:
    """The record of one file; ``name`` is its id if it gives none."""
    from handlers.corpus.sources.front_matter import end_of_front_matter, read_front_matter  # and YAML

    lines = text.replace("\r\n", "\n").split("\n")
    end = end_of_front_matter(lines)
    fields = read_front_matter(lines[:end], name) if end else {}
    if isinstance(fields, BadLine):
        return fields
    body = lines[end + 1 :] if end else lines
    if not fields.get("title"):
        title, body = _without_title(body)
        fields["title"] = title
    fields = {key: value for key, value in fields.items() if value is not None}
    return {"id": name} | fields | {"body": "\n".join(body).strip()}


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
