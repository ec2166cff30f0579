"""What became of each paper, a line a paper in the corpus' order."""

from __future__ import annotations

import gzip
import json
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from functools import partial
from itertools import chain, islice
from typing import IO, Any, NamedTuple, cast

from pydantic_core import PydanticSerializationError, to_json

from handlers.atomic_file import replacing
from handlers.domain.paper import TERMINAL, PaperStatus
from handlers.parallel import may_fork, ordered_map
from handlers.ports import Backend
from handlers.results.answer_records import AnswerColumns
from handlers.results.csv_lines import CsvLines
from handlers.results.export_shape import PACKED, ExportShape, Format, Output, in_folder
from handlers.results.records import needs_papers, records
from handlers.results.source_rows import PackedRow, SourceRow, chunks_of, pack, unpack

Counts = dict[PaperStatus, int]
_ALONE = 4
"""Chunks that are made into lines before other processes are started: small runs are not worth it."""
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def export(
    backend: Backend, run_id: str, output: Output, form: Format, shape: ExportShape | None = None
) -> Counts:
    """Write the results of a run as ``jsonl``, ``json``, ``csv`` or ``tsv`` to a file (all of it or nothing;
    packed if its name ends in ``.gz``) or to standard output; returns papers by status.

    A record has the columns of the shape. Texts are the translation of a ``done`` paper; with drafts also
    what the gate refused (status ``flagged``); of a paper that was skipped because it is in the target
    language already, the original. A paper with ``same_as`` shares the outcome of that paper, and its usage
    and cost are 0: sums over the lines count each call once.
    """
    if form in ("jsonl", "json"):
        return export_jsonl(backend, run_id, output, shape=shape, array=form == "json")
    shape = shape or usual_shape(backend, run_id)
    counts = no_counts()
    delimiter = "\t" if form == "tsv" else ","
    chunks = chunked(backend, run_id, shape)
    with output_file(output) as file:
        lines = CsvLines(
            file, shape.columns, delimiter=delimiter, bom=shape.bom, as_json=shape.answers is not None
        )
        try:
            for status, record in chain.from_iterable(chunks):
                counts[status] += 1
                lines.write(record)
        finally:
            lines.finish()
    return counts


def export_jsonl(
    backend: Backend,
    run_id: str,
    output: Output,
    *,
    shape: ExportShape | None = None,
    processes: int = 1,
    array: bool = False,
) -> Counts:
    """``export`` as JSON Lines, or as one ``array`` with an object a line. ``processes`` make the lines of a
    large run beside this one, with the same result; only for a store whose objects are files."""
    shape = shape or usual_shape(backend, run_id)
    make, chunks = begin(backend, run_id, shape)
    counts = no_counts()
    whole = needs_papers(shape.columns, shape.answers)
    framed = _array if array else nullcontext
    with output_file(output) as opened, framed(opened) as file:
        try:
            for chunk in islice(chunks, _ALONE) if processes > 1 and may_fork() else chunks:
                _write_chunk(make(chunk), file, counts)
            packed = map(partial(pack, whole=whole), chunks)
            with closing(ordered_map(partial(_block, make), packed, processes=processes)) as blocks:
                for rows, block in blocks:
                    if block is None:
                        _write_chunk(make(unpack(rows)), file, counts)
                        continue
                    file.write(block.lines)
                    for status, count in block.counts.items():
                        counts[status] += count
        finally:
            file.flush()
    return counts


class _Elements:
    """Takes lines and writes the elements of an array."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._before = b"[\n"

    def write(self, lines: bytes) -> None:
        if lines:
            self._file.write(self._before + lines[:-1].replace(b"\n", b",\n"))
            self._before = b",\n"

    def flush(self) -> None:
        self._file.flush()

    def end(self) -> None:
        self._file.write(b"\n]\n" if self._before == b",\n" else b"[]\n")


@contextmanager
def _array(file: IO[bytes]) -> Iterator[IO[bytes]]:
    elements = _Elements(file)
    yield cast("IO[bytes]", elements)
    elements.end()


def chunked(
    backend: Backend, run_id: str, shape: ExportShape
) -> Iterator[Iterator[tuple[PaperStatus, dict[str, Any]]]]:
    """Status and record of each paper, few of which are in memory."""
    make, chunks = begin(backend, run_id, shape)
    return map(make, chunks)


def usual_shape(backend: Backend, run_id: str) -> ExportShape:
    """All columns that the run's task has."""
    answers = AnswerColumns.of_run(backend.ledger.run(run_id).spec, backend.store)
    return ExportShape() if answers is None else ExportShape(answers.names, answers=answers)


def begin(backend: Backend, run_id: str, shape: ExportShape) -> tuple[_Make, Iterator[list[SourceRow]]]:
    """What makes records of a chunk, and the chunks."""
    spec = backend.ledger.run(run_id).spec
    make = partial(
        records,
        spec=spec,
        store=backend.store,
        drafts=shape.drafts,
        columns=shape.columns,
        answers=shape.answers,
    )
    return make, chunks_of(backend, run_id, spec)


def no_counts() -> Counts:
    return dict.fromkeys((*TERMINAL, "pending"), 0)


def _write_chunk(
    chunk: Iterator[tuple[PaperStatus, dict[str, Any]]], file: IO[bytes], counts: Counts
) -> None:
    for status, record in chunk:
        counts[status] += 1
        file.write(json_line(record))


class _Block(NamedTuple):
    """A chunk's lines, and how many there are of each status."""

    lines: bytes
    counts: Counter[PaperStatus]


_Make = Callable[[list[SourceRow]], Iterator[tuple[PaperStatus, dict[str, Any]]]]


def _block(make: _Make, chunk: list[PackedRow]) -> _Block | None:
    """None if a record cannot be made: the parent makes the chunk again and raises the error in its place."""
    try:
        results = list(make(unpack(chunk)))
        lines = b"".join(json_line(record) for _, record in results)
        return _Block(lines, Counter(status for status, _ in results))
    except Exception:  # noqa: BLE001 - raised once more, in the process that tells the user
        return None


def json_line(record: dict[str, Any]) -> bytes:
    try:
        return to_json(record) + b"\n"
    except PydanticSerializationError:  # half of a surrogate pair, which UTF-8 has no bytes for
        return _ENCODER.encode(record).encode("utf-8", "replace") + b"\n"


@contextmanager
def output_file(output: Output) -> Iterator[IO[bytes]]:
    """A file that takes its name only once it is whole; standard output and devices as they are."""
    if output == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = in_folder(output)
    if target.exists() and not stat.S_ISREG(target.stat().st_mode):
        with target.open("wb") as device:  # /dev/null and pipes are written to, never replaced
            yield device
        return
    with replacing(target, durable=True) as scratch, scratch.open("wb", buffering=1 << 20) as file:
        if target.name.lower().endswith(PACKED):
            with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:  # no name, no time: equal bytes
                yield cast("IO[bytes]", packed)
        else:
            yield file
