"""Cutting a corpus into batches, and reading the papers that a batch points at."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain, islice
from operator import itemgetter

from pydantic import ValidationError

from handlers.corpus.index import FOLLOWER, IndexEntry
from handlers.domain.batch import BatchMessage
from handlers.domain.paper import Paper
from handlers.errors import BadLineError

MAX_MESSAGE_BYTES = 60_000
MIN_MESSAGE_BYTES = 8_000
"""One paper with the longest id allowed must fit."""
TAIL_SHARES = 40
"""Towards the end a batch takes at most this fraction of what is left, so that many jobs share the tail
(guided self-scheduling, Polychronopoulos and Kuck 1987)."""
TAIL_FRACTION = 5
"""No batch of the tail is cut below a fifth of the full size: each costs a lease and a message."""
IN_MEMORY = 50_000
"""Papers that are sorted without a database, which takes three times as long; as much memory as its cache."""
_CUT_VERSION = 1
_FRAME_BYTES = 512
_CACHE_KIB = 8 * 1024
_SORTED = "SELECT twin, tokens, offset, length, weight, id FROM papers ORDER BY rank DESC, twin, seq"
_quoted = json.JSONEncoder().encode


def cut(
    entries: Iterable[IndexEntry],
    *,
    run_id: str,
    corpus_key: str,
    corpus_sha256: str,
    max_papers: int,
    max_tokens: int,
    max_bytes: int = MAX_MESSAGE_BYTES,
    full_text: bool = False,
    costs_nothing: Callable[[IndexEntry], bool] | None = None,
    in_memory: int = IN_MEMORY,
) -> Generator[BatchMessage, None, None]:
    """Batches of generation 1, heaviest papers first, followers left out and counted in their leaders.

    A batch closes at ``max_papers`` ranges, ``max_tokens`` estimated tokens (a heavier paper travels
    alone) or ``max_bytes`` of JSON. ``costs_nothing`` names papers that need no call: they count no
    tokens and come last. The same entries and bounds give the same batches. Sorted on disk from
    ``in_memory`` papers on: memory does not grow with the corpus.
    """
    if max_papers < 1 or max_tokens < 1 or max_bytes < MIN_MESSAGE_BYTES:
        raise ValueError(
            f"batch bounds too small: {max_papers} papers, {max_tokens} tokens, {max_bytes} bytes"
        )
    settings = [_CUT_VERSION, run_id, corpus_sha256, max_papers, max_tokens, max_bytes, full_text]
    mark = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:6]
    # Where nobody reads on, the collector of garbage closes it: in any thread.
    with closing(sqlite3.connect("", isolation_level=None, check_same_thread=False)) as db:
        rows = _rows(entries, full_text=full_text, costs_nothing=costs_nothing or _is_empty)
        left, ordered = _heaviest_first(rows, db, in_memory)
        frame = _FRAME_BYTES + len(json.dumps([run_id, corpus_key, corpus_sha256]))
        groups = _grouped(ordered, left, max_papers, max_tokens, max_bytes - frame)
        for position, group in enumerate(groups):
            yield BatchMessage(
                run_id=run_id,
                batch_id=f"b{position:06d}-{mark}",
                generation=1,
                corpus=corpus_key,
                corpus_sha256=corpus_sha256,
                ranges=tuple(group.ranges),
                ids=tuple(group.ids),
                weights=tuple(group.weights) if any(weight != 1 for weight in group.weights) else (),
                papers=sum(group.weights),
                tokens=group.tokens,
            )


def read_paper(line: bytes, expected_id: str) -> Paper:
    """The paper of one corpus line. BadLineError if it is another paper or none."""
    try:
        paper = Paper.model_validate_json(line)
    except ValidationError as error:
        raise BadLineError(f"paper {expected_id!r}: its bytes of the corpus are no paper") from error
    if paper.id != expected_id:
        raise BadLineError(f"paper {expected_id!r}: its bytes of the corpus are paper {paper.id!r}")
    return paper


@dataclass
class _Group:
    ranges: list[tuple[int, int]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    weights: list[int] = field(default_factory=list)
    tokens: int = 0
    bytes: int = 0

    def add(self, row: _Row, size: int) -> None:
        _, tokens, offset, length, weight, paper_id = row
        self.ranges.append((offset, length))
        self.ids.append(paper_id)
        self.weights.append(weight)
        self.tokens += tokens
        self.bytes += size


_Row = tuple[int, int, int, int, int, str]
"""twin, tokens, offset, length, weight, id"""


def _rows(
    entries: Iterable[IndexEntry], *, full_text: bool, costs_nothing: Callable[[IndexEntry], bool]
) -> Iterator[_Row]:
    """The papers to send."""
    for entry in entries:
        if not entry.flags & FOLLOWER:
            offset, length, tokens, body_tokens, weight, _, _, paper_id, twin = entry
            tokens = 0 if costs_nothing(entry) else tokens + body_tokens if full_text else tokens
            yield twin, tokens, offset, length, weight, paper_id


def _heaviest_first(
    rows: Iterator[_Row], db: sqlite3.Connection, in_memory: int
) -> tuple[int, Iterator[_Row]]:
    """How many, and all of them by their twins' greatest weight, twins side by side, else as they came."""
    head = list(islice(rows, in_memory))
    if len(head) == in_memory:
        return _fill(db, chain(head, rows)), db.execute(_SORTED)
    ranks: dict[int, int] = {}
    for twin, tokens, *_ in head:
        if twin > 0 and tokens > ranks.get(twin, -1):
            ranks[twin] = tokens
    head.sort(key=itemgetter(0))
    head.sort(
        key=lambda row: ranks[row[0]] if row[0] > 0 else row[1], reverse=True
    )  # equal ones stay in order
    return len(head), iter(head)


def _fill(db: sqlite3.Connection, rows: Iterable[_Row]) -> int:
    """The papers into a temporary database (sorted on disk when large); returns how many."""
    db.executescript(
        f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -{_CACHE_KIB};"
        "CREATE TABLE papers (seq INTEGER PRIMARY KEY, twin INTEGER, tokens INTEGER, offset INTEGER,"
        " length INTEGER, weight INTEGER, id TEXT, rank INTEGER);"
    )
    db.execute("BEGIN")
    cursor = db.executemany(
        "INSERT INTO papers (twin, tokens, offset, length, weight, id, rank)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?2)",
        rows,
    )
    # Once a group, not once a paper: a form letter's texts are one group of thousands.
    db.execute("CREATE TABLE ranks (twin INTEGER PRIMARY KEY, rank INTEGER)")
    db.execute("INSERT INTO ranks SELECT twin, MAX(tokens) FROM papers WHERE twin > 0 GROUP BY twin")
    db.execute("UPDATE papers SET rank = (SELECT rank FROM ranks WHERE twin = papers.twin) WHERE twin > 0")
    db.execute("COMMIT")
    return max(0, cursor.rowcount)


def _grouped(
    rows: Iterable[_Row], left: int, max_papers: int, max_tokens: int, max_bytes: int
) -> Iterator[_Group]:
    group = _Group()
    size = _size(left, max_papers)
    last = 0
    for row in rows:
        twin, tokens, offset, length, weight, paper_id = row
        width = _width(offset, length, weight, paper_id)
        full = len(group.ids) >= size or group.tokens + tokens > max_tokens
        apart = twin == 0 or twin != last
        last = twin
        if group.ids and ((full and apart) or group.bytes + width > max_bytes):
            yield group
            left -= len(group.ids)
            group, size = _Group(), _size(left, max_papers)
        group.add(row, width)
    if group.ids:
        yield group


def _width(offset: int, length: int, weight: int, paper_id: str) -> int:
    """Bytes of one paper in a message. ASCII escapes: an upper bound, whoever writes the JSON."""
    return len(f"[{offset}, {length}], {weight}, {_quoted(paper_id)}, ")


def _size(left: int, max_papers: int) -> int:
    return min(max_papers, max(-(-max_papers // TAIL_FRACTION), -(-left // TAIL_SHARES)))


def _is_empty(entry: IndexEntry) -> bool:
    return entry.empty
