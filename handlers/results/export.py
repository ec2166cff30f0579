"""What became of each paper, a line a paper in the corpus' order."""

from __future__ import annotations

import json
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

from pydantic_core import PydanticSerializationError, to_json

from handlers.atomic_file import replacing
from handlers.domain.paper import TERMINAL, PaperStatus
from handlers.errors import UsageError
from handlers.parallel import may_fork, ordered_map
from handlers.ports import Backend
from handlers.results.csv_lines import CsvLines
from handlers.results.records import COLUMNS, PackedRow, SourceRow, chunks_of, pack, records, unpack

Output = Path | Literal["-"]
"""A file, or standard output."""
Counts = dict[PaperStatus, int]
_ALONE = 4
"""Chunks that are made into lines before other processes are started: small runs are not worth it."""
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def export_jsonl(
    backend: Backend, run_id: str, output: Output, *, drafts: bool = False, processes: int = 1
) -> Counts:
    """Write the results of a run to a file (all of it or nothing) or to standard output; returns papers
    by status.

    A record has the columns of ``COLUMNS``. Texts are the translation of a ``done`` paper; with
    ``drafts`` also what the gate refused (status ``flagged``); of a paper that was skipped because it is
    in the target language already, the original. A paper with ``same_as`` shares the outcome of that
    paper, and its usage and cost are 0: sums over the lines count each call once.

    ``processes`` make the lines of a large run beside this one, with the same result; only for a store whose
    objects are files.
    """
    make, chunks, counts = _begin(backend, run_id, drafts=drafts)
    with _output_file(output) as file:
        _write_json_lines(make, chunks, file, counts, processes)
    return counts


def export_csv(backend: Backend, run_id: str, output: Output, *, drafts: bool = False) -> Counts:
    """The same records as ``export_jsonl`` writes, as CSV."""
    make, chunks, counts = _begin(backend, run_id, drafts=drafts)
    with _output_file(output) as file:
        _write_csv(map(make, chunks), file, counts)
    return counts


def _begin(backend: Backend, run_id: str, *, drafts: bool) -> tuple[_Make, Iterator[list[SourceRow]], Counts]:
    """What makes records of a chunk, the chunks, and the counts of their statuses."""
    spec = backend.ledger.run(run_id).spec
    make = partial(records, spec=spec, store=backend.store, drafts=drafts)
    return make, chunks_of(backend, run_id, spec), dict.fromkeys((*TERMINAL, "pending"), 0)


def _write_csv(chunks: Iterator[Iterator[dict[str, Any]]], file: IO[bytes], counts: Counts) -> None:
    lines = CsvLines(file, COLUMNS)
    try:
        for record in chain.from_iterable(chunks):
            counts[record["status"]] += 1
            lines.write(record)
    finally:
        lines.finish()


def _write_json_lines(
    make: _Make,
    chunks: Iterator[list[SourceRow]],
    file: IO[bytes],
    counts: Counts,
    processes: int,
) -> None:
    try:
        for chunk in islice(chunks, _ALONE) if processes > 1 and may_fork() else chunks:
            _write_chunk(make(chunk), file, counts)
        with closing(ordered_map(partial(_block, make), map(pack, chunks), processes=processes)) as blocks:
            for packed, block in blocks:
                if block is None:
                    _write_chunk(make(unpack(packed)), file, counts)
                    continue
                file.write(block.lines)
                for status, count in block.counts.items():
                    counts[status] += count
    finally:
        file.flush()


def _write_chunk(chunk: Iterator[dict[str, Any]], file: IO[bytes], counts: Counts) -> None:
    for record in chunk:
        counts[record["status"]] += 1
        file.write(_json_line(record))


class _Block(NamedTuple):
    """A chunk's lines, and how many there are of each status."""

    lines: bytes
    counts: Counter[PaperStatus]


_Make = Callable[[list[SourceRow]], Iterator[dict[str, Any]]]


def _block(make: _Make, chunk: list[PackedRow]) -> _Block | None:
    """None if a record cannot be made: the parent makes the chunk again and raises the error in its place."""
    try:
        results = list(make(unpack(chunk)))
        return _Block(b"".join(map(_json_line, results)), Counter(record["status"] for record in results))
    except Exception:  # noqa: BLE001 - raised once more, in the process that tells the user
        return None


def _json_line(record: dict[str, Any]) -> bytes:
    try:
        return to_json(record) + b"\n"
    except PydanticSerializationError:  # half of a surrogate pair, which UTF-8 has no bytes for
        return _ENCODER.encode(record).encode("utf-8", "replace") + b"\n"


@contextmanager
def _output_file(output: Output) -> Iterator[IO[bytes]]:
    """A file that takes its name only once it is whole; standard output and devices as they are."""
    if output == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = output.resolve()
    if target.is_dir():
        raise UsageError(f"--output {output}: is a folder; give a file in it")
    if not target.parent.is_dir():
        raise UsageError(f"--output {output}: there is no folder {target.parent}")
    if target.exists() and not stat.S_ISREG(target.stat().st_mode):
        with target.open("wb") as device:  # /dev/null and pipes are written to, never replaced
            yield device
        return
    with replacing(target, durable=True) as scratch, scratch.open("wb", buffering=1 << 20) as file:
        yield file
