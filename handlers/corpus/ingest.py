"""A source → the canonical corpus with index, profile and rejects; the same source, the same bytes."""

from __future__ import annotations

import filecmp
import hashlib
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import IO

from handlers.atomic_file import sync
from handlers.corpus.duplicates import Duplicates
from handlers.corpus.field_names import FIELDS, FieldReader
from handlers.corpus.index import EMPTY, FOLLOWER, NO_DERIVATIVES, IndexEntry, index_lines
from handlers.corpus.normalise import Normaliser, Prepared
from handlers.corpus.prepare import Chunk, Item, Refused, excerpts_of, prepared
from handlers.corpus.profile import Profile, ProfileBuilder
from handlers.corpus.read_records import RecordNormaliser, fields_of, names_of, refuse_missing
from handlers.corpus.seen_papers import SeenPapers
from handlers.corpus.sources.formats import Source
from handlers.corpus.sources.json_lines import LineSource
from handlers.corpus.sources.source_notes import notes_of
from handlers.domain.tasks.reads import Reads
from handlers.errors import SourceError, UsageError

FOLDER = "corpora"
_BUFFER = 1 << 20
_SCRATCH = ".ingest-"
_NAMED_LINES = 5
_LEFT = 86_400.0
"""Seconds without a write after which nobody is at work on a scratch folder any more."""


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
    differing: int = 0
    """Of the duplicates, those that say something else beside their text; each has a line in the rejects."""
    differing_lines: tuple[int, ...] = ()
    """The first of them, by their lines in the source."""

    @property
    def key(self) -> str:
        """The corpus's key in an object store, relative to the directory."""
        return f"{FOLDER}/{self.corpus.name}"


def ingest(
    source: Source,
    directory: Path,
    *,
    mapping: Mapping[str, str] | None = None,
    reads: Reads | None = None,
    of_corpus: bool = False,
    processes: int = 1,
    alongside: Callable[[], None] | None = None,
) -> IngestResult:
    """Write ``directory/corpora/<sha256>.jsonl``, ``.index``, ``.profile.json`` and ``.rejects.jsonl``.

    ``mapping`` is paper field → the source's name for it; ``reads`` is what a task reads of a record, whose
    corpus is another than a translation's, if only in name; ``of_corpus``: the source has lines of such a
    one. ``processes`` prepare the records of a large source beside this one; 1: this one alone, with the
    same result. ``alongside`` is called in a thread once they are started. Files appear whole or not at all,
    the corpus last, so that whoever sees it finds the others; files that are there with the same bytes stay
    as they are. SourceError if not one record is a paper.
    """
    normaliser = Normaliser(mapping or {})
    if reads is not None:
        normaliser = RecordNormaliser(mapping or {}, reads, of_corpus=of_corpus)
    folder = directory / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=folder)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written to ({error.strerror}): give another --state") from error
    # Lines are split and parsed by whoever prepares them; other records come parsed.
    items: Iterator[Item] = source.blocks() if isinstance(source, LineSource) else source.records()
    with scratch as name, _Intake(Path(name), reads) as intake:
        _sweep(folder, Path(name).stat().st_mtime)
        items, columns = _with_columns(items, source)
        try:
            normaliser.reader = FieldReader(normaliser.reader.mapping, columns, normaliser.reader.kept)
        except UsageError as error:
            raise UsageError(f"{error}{notes_of(source).doubt()}") from error
        with closing(prepared(items, normaliser, processes=processes, alongside=alongside)) as chunks:
            for chunk, results in chunks:
                intake.take(chunk, results)
        if not intake.papers:
            raise SourceError(_nothing_good(source, intake, of_a_task=reads is not None))
        profile = intake.profile()
        normaliser.reader.refuse_unseen(profile.filled)
        if reads is not None and not of_corpus:  # of a sample few records may have what others have
            refuse_missing(reads, profile.filled, normaliser.reader.names)
        normaliser.reader.tell(notes_of(source), FIELDS if reads is None else fields_of(reads))
        return intake.publish(folder, profile)


def _with_columns(items: Iterator[Item], source: Source) -> tuple[Iterator[Item], Sequence[str]]:
    """The items again, and a table's columns, which are known once its first row is read."""
    first = list(islice(items, 1))
    return chain(first, items), notes_of(source).columns


class _Intake:
    """Takes records chunk by chunk and holds the files that grow with them."""

    def __init__(self, scratch: Path, reads: Reads | None = None) -> None:
        self._scratch = scratch
        self._seen = SeenPapers(scratch / "seen.sqlite")
        self._corpus = (scratch / "corpus").open("wb", buffering=_BUFFER)
        self._rejects = (scratch / "rejects").open("wb", buffering=_BUFFER)
        # The index is of what is read, so that equal lines with another index are another corpus.
        self._sha256 = hashlib.sha256(b"" if reads is None else reads.mark)
        self._lines: list[bytes] = []
        self._profile = ProfileBuilder(names_of(reads), reads is not None)
        self._offset = 0
        self._dropped = Duplicates()
        self.papers = self.same_as = self.duplicates = self.differing = self.rejects = 0
        self.differing_lines: tuple[int, ...] = ()
        self.first_reject = ""

    def __enter__(self) -> _Intake:
        return self

    def __exit__(self, *_: object) -> None:
        self._corpus.close()
        self._rejects.close()
        self._seen.close()

    def take(self, chunk: Chunk, results: Sequence[Prepared | Refused]) -> None:
        excerpts: dict[int, str] = {}
        self._seen.expect((each.id, _text_key(each)) for each in results if isinstance(each, Prepared))
        for result in results:
            if isinstance(result, Refused):
                self._reject(*result)
            elif refusal := self._refusal_or_add(result):
                excerpts = excerpts or excerpts_of(chunk)
                self._reject(result.number, refusal, excerpts[result.number])
        self._write()
        if self._dropped:
            self._tell_dropped(excerpts or excerpts_of(chunk))

    def _tell_dropped(self, excerpts: Mapping[int, str]) -> None:
        self._corpus.flush()
        for number, reason in self._dropped.with_other_content(Path(self._corpus.name)):
            self.differing += 1
            self.differing_lines = (*self.differing_lines, number)[:_NAMED_LINES]
            self._note(number, reason, excerpts[number])

    def _refusal_or_add(self, paper: Prepared) -> str:
        """Why it is no paper of the corpus, or "" if it is one or a duplicate."""
        earlier = self._seen.by_id(paper.id)
        if earlier is not None:
            if earlier.text != paper.digest:
                return f"the id stands in line {earlier.line} with another text; this is line {paper.number}"
            self.duplicates += 1
            self._dropped.add(paper, earlier)
            return ""
        if not paper.refusal:
            self._add(paper)
        return paper.refusal

    def _add(self, paper: Prepared) -> None:
        text = _text_key(paper)
        leader = None if paper.flags & EMPTY else self._seen.leader(text)
        line, weight, flags = paper.line, 1, paper.flags
        if leader is not None:
            line, weight, flags = paper.following(leader.id), 0, flags | FOLLOWER
            self.same_as += 1
        size = len(line)
        entry = IndexEntry(
            self._offset, size, paper.tokens, paper.body_tokens, weight,
            flags, paper.language, paper.id, paper.twin,
        )  # fmt: skip
        self._seen.add(entry, digest=paper.digest, text=text, line=paper.number, leader=leader)
        self._lines.append(line)
        self._offset += size
        self._profile.add(paper, follower=leader is not None)
        self.papers += 1

    def _write(self) -> None:
        block = b"".join(self._lines)
        self._lines.clear()
        self._corpus.write(block)
        self._sha256.update(block)

    def _reject(self, line: int, reason: str, excerpt: str) -> None:
        self.rejects += 1
        self.first_reject = self.first_reject or f"line {line}: {reason}"
        self._note(line, reason, excerpt)

    def _note(self, line: int, reason: str, excerpt: str) -> None:
        row = {"line": line, "reason": reason, "excerpt": excerpt}
        self._rejects.write(json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n")

    def profile(self) -> Profile:
        """Of what was taken so far."""
        return self._profile.build()

    def publish(self, folder: Path, profile: Profile) -> IngestResult:
        """Give the finished files their names."""
        self._corpus.flush()
        written_out = threading.Thread(target=_write_out, args=(self._scratch / "corpus",))
        written_out.start()  # while the index is made
        sha256 = self._sha256.hexdigest()
        entries = index_lines(self._seen.entries(), corpus_sha256=sha256, papers=self.papers)
        rendered = profile.model_dump_json(indent=2).encode() + b"\n"
        index = _written(self._scratch / "index", entries)
        written_out.join()
        paths = {
            ".rejects.jsonl": _closed(self._rejects),
            ".index": index,
            ".profile.json": _written(self._scratch / "profile", [rendered]),
            ".jsonl": _closed(self._corpus),
        }
        for suffix, path in paths.items():
            _place(path, folder / f"{sha256}{suffix}")
        sync(folder)
        corpus, index, profile_path, rejects_path = (
            folder / f"{sha256}{suffix}" for suffix in (".jsonl", ".index", ".profile.json", ".rejects.jsonl")
        )
        return IngestResult(
            sha256, self.papers, self.same_as, self.duplicates, self.rejects, self._offset,
            corpus, index, profile_path, rejects_path, profile, self.differing, self.differing_lines,
        )  # fmt: skip


def _text_key(paper: Prepared) -> bytes:
    """A paper that may be translated must not share the fate of one that may not."""
    return paper.digest + bytes([paper.flags & NO_DERIVATIVES]) + paper.apart


def _nothing_good(source: Source, intake: _Intake, *, of_a_task: bool) -> str:
    notes, noun = notes_of(source), "record" if of_a_task else "paper"
    if not intake.rejects:
        empty = "has no record below the columns' names" if notes.columns else "is empty"
        return f"{source.name} {empty}{notes.doubt() or f': give a source with at least one {noun}'}"
    first = intake.first_reject
    header = ". Does its first line have the columns' names?" if "where the header has" in first else ""
    kind = "of use" if of_a_task else "a paper"
    none = f"none of its {intake.rejects:,} records is {kind}; the first"
    what = none if intake.rejects > 1 else "its one record is " + ("of no use" if of_a_task else "no paper")
    return f"{source.name}: {what}: {first}{header}{notes.doubt()}"


def _sweep(folder: Path, now: float) -> None:
    """Remove what ingests that were killed left behind: each as large as its corpus."""
    for scratch in folder.glob(f"{_SCRATCH}*"):
        with suppress(OSError):
            if now - max(path.stat().st_mtime for path in (scratch, *scratch.iterdir())) > _LEFT:
                shutil.rmtree(scratch)


def _write_out(path: Path) -> None:
    """Start the sync that ``_closed`` waits for, on a descriptor of its own: errors show there."""
    with suppress(OSError):
        sync(path)


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
