"""A source → the canonical corpus with index, profile and rejects; the same source, the same bytes."""

from __future__ import annotations

import filecmp
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from handlers.corpus.formats import Source
from handlers.corpus.index import EMPTY, FOLLOWER, NO_DERIVATIVES, IndexEntry, index_lines
from handlers.corpus.json_lines import Record
from handlers.corpus.licenses import forbids_derivatives
from handlers.corpus.profile import Measure, Profile, ProfileBuilder
from handlers.corpus.reader import BadLine, excerpt_of
from handlers.corpus.records import KEYWORD_SEPARATORS, Draft, Normaliser, RecordError
from handlers.corpus.seen import SeenPapers
from handlers.errors import SourceError, UsageError

FOLDER = "corpora"
_BUFFER = 1 << 20


@dataclass(frozen=True)
class IngestResult:
    """What came of a source. ``papers + duplicates + rejects`` is the number of its records."""

    sha256: str
    papers: int
    same_as: int
    """Papers (part of ``papers``) whose text an earlier paper has."""
    duplicates: int
    """Records dropped because id and text came before."""
    rejects: int
    bytes: int
    corpus: Path
    index: Path
    profile_path: Path
    rejects_path: Path
    profile: Profile

    @property
    def key(self) -> str:
        """The corpus's key in an object store, relative to the directory."""
        return f"{FOLDER}/{self.corpus.name}"


def ingest(
    source: Source,
    directory: Path,
    *,
    mapping: Mapping[str, str] | None = None,
    keyword_separators: str = KEYWORD_SEPARATORS,
) -> IngestResult:
    """Write ``directory/corpora/<sha256>.jsonl``, ``.index``, ``.profile.json`` and ``.rejects.jsonl``.

    ``mapping`` is paper field → the source's name for it. Files appear whole or not at all, the corpus
    last, so that whoever sees it finds the others; files that are there with the same bytes stay as they
    are. SourceError if not one record is a paper.
    """
    normaliser = Normaliser(mapping or {}, separators=keyword_separators)
    folder = directory / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(prefix=".ingest-", dir=folder)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written to ({error.strerror}): give another --state") from error
    with scratch as name, _Intake(Path(name), normaliser) as intake:
        for line, record in source.records():
            intake.take(line, record)
        if not intake.papers:
            raise SourceError(_nothing_good(source.name, intake))
        return intake.publish(folder)


class _Intake:
    """Takes records one by one and holds the files that grow with them."""

    def __init__(self, scratch: Path, normaliser: Normaliser) -> None:
        self._scratch = scratch
        self._normaliser = normaliser
        self._seen = SeenPapers(scratch / "seen.sqlite")
        self._corpus = (scratch / "corpus").open("wb", buffering=_BUFFER)
        self._rejects = (scratch / "rejects").open("wb", buffering=_BUFFER)
        self._sha256 = hashlib.sha256()
        self._profile = ProfileBuilder()
        self._offset = 0
        self.papers = self.same_as = self.duplicates = self.rejects = 0
        self.first_reject = ""

    def __enter__(self) -> _Intake:
        return self

    def __exit__(self, *_: object) -> None:
        self._corpus.close()
        self._rejects.close()
        self._seen.close()

    def take(self, line: int, record: Record | BadLine) -> None:
        if isinstance(record, BadLine):
            self._reject(line, record.reason, record.excerpt)
            return
        try:
            self._add(line, self._normaliser.draft(record))
        except RecordError as error:
            excerpt = ", ".join(f"{key}={str(value)[:60]}" for key, value in list(record.items())[:8])
            self._reject(line, str(error), excerpt_of(excerpt))

    def _add(self, line: int, draft: Draft) -> None:
        digest = draft.digest()
        known = self._seen.by_id(draft.id)
        if known is not None:
            if known.text != digest:
                raise RecordError(
                    f"the id stands in line {known.line} with another text; this is line {line}"
                )
            self.duplicates += 1
            return
        measure = Measure.of(draft)
        flags = _flags(draft, measure)
        # A paper that may be translated must not share the fate of one that may not.
        text = digest + bytes([flags & NO_DERIVATIVES])
        leader = None if flags & EMPTY else self._seen.leader(text)
        written = draft.line(same_as=leader.id if leader else None)
        flags |= FOLLOWER if leader else 0
        entry = _entry(draft, measure, flags, offset=self._offset, length=len(written))
        self._seen.add(entry, digest=digest, text=text, line=line, leader=leader)
        self._write(written)
        self._profile.add(draft, measure, flags)
        self.papers += 1
        self.same_as += leader is not None

    def _write(self, line: bytes) -> None:
        self._corpus.write(line)
        self._sha256.update(line)
        self._offset += len(line)

    def _reject(self, line: int, reason: str, excerpt: str) -> None:
        self.rejects += 1
        self.first_reject = self.first_reject or f"line {line}: {reason}"
        row = {"line": line, "reason": reason, "excerpt": excerpt}
        self._rejects.write(json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n")

    def publish(self, folder: Path) -> IngestResult:
        """Give the finished files their names."""
        sha256 = self._sha256.hexdigest()
        profile = self._profile.build()
        entries = index_lines(self._seen.entries(), corpus_sha256=sha256, papers=self.papers)
        rendered = profile.model_dump_json(indent=2).encode() + b"\n"
        paths = {
            ".rejects.jsonl": _closed(self._rejects),
            ".index": _written(self._scratch / "index", entries),
            ".profile.json": _written(self._scratch / "profile", [rendered]),
            ".jsonl": _closed(self._corpus),
        }
        for suffix, path in paths.items():
            _place(path, folder / f"{sha256}{suffix}")
        _sync_folder(folder)
        corpus, index, profile_path, rejects_path = (
            folder / f"{sha256}{suffix}" for suffix in (".jsonl", ".index", ".profile.json", ".rejects.jsonl")
        )
        return IngestResult(
            sha256, self.papers, self.same_as, self.duplicates, self.rejects, self._offset,
            corpus, index, profile_path, rejects_path, profile,
        )  # fmt: skip


def _flags(draft: Draft, measure: Measure) -> int:
    empty = EMPTY if not measure.characters else 0
    return empty | (NO_DERIVATIVES if forbids_derivatives(draft.text("license")) else 0)


def _entry(draft: Draft, measure: Measure, flags: int, *, offset: int, length: int) -> IndexEntry:
    weight = 0 if flags & FOLLOWER else 1
    language = draft.text("language") or None
    return IndexEntry(
        offset, length, measure.tokens, measure.body_tokens, weight, flags, language, draft.id, draft.twin()
    )


def _nothing_good(name: str, intake: _Intake) -> str:
    if not intake.rejects:
        return f"{name} is empty: give a source with at least one paper"
    return f"{name}: none of its {intake.rejects} records is a paper; the first: {intake.first_reject}"


def _closed(stream: IO[bytes]) -> Path:
    stream.flush()
    os.fsync(stream.fileno())
    stream.close()
    return Path(stream.name)


def _written(path: Path, lines: Iterable[bytes]) -> Path:
    with path.open("wb", buffering=_BUFFER) as stream:
        stream.writelines(lines)
        return _closed(stream)


def _place(path: Path, target: Path) -> None:
    if target.exists() and filecmp.cmp(path, target, shallow=False):
        return
    path.replace(target)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
