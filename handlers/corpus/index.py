"""The index: what sharding needs to know of each paper without reading its text.

JSON Lines. The first line is a header, ``{"v":1,"corpus_sha256":...,"papers":N}``; then one array a
paper, in the corpus's order: ``[offset,length,tokens,body_tokens,weight,flags,language,id,twin]``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pydantic_core import from_json, to_json

from handlers.errors import CorpusChangedError

FOLLOWER = 1
"""The text is that of an earlier paper: never sent, counted in its leader's weight."""
EMPTY = 2
"""No title, abstract, keyword or body: skipped without a call."""
NO_DERIVATIVES = 4
"""The licence forbids derivatives: skipped without a call unless the run says otherwise."""

_VERSION = 1
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class IndexEntry(NamedTuple):
    """One paper. ``length`` counts the newline; tokens are estimates of the text to be sent."""

    offset: int
    length: int
    tokens: int
    """Of title, abstract and keywords."""
    body_tokens: int
    weight: int
    """1 + followers for a paper that is sent, 0 for a follower."""
    flags: int
    language: str | None
    id: str
    twin: int = 0
    """Equal and not 0 for papers that share title and abstract: they travel in one batch, so that a
    request which comes out the same for them is sent once."""

    @property
    def follower(self) -> bool:
        return bool(self.flags & FOLLOWER)

    @property
    def empty(self) -> bool:
        return bool(self.flags & EMPTY)

    @property
    def no_derivatives(self) -> bool:
        return bool(self.flags & NO_DERIVATIVES)


def index_lines(entries: Iterable[IndexEntry], *, corpus_sha256: str, papers: int) -> Iterator[bytes]:
    """The index as lines, each with its newline."""
    header = {"v": _VERSION, "corpus_sha256": corpus_sha256, "papers": papers}
    yield _ENCODER.encode(header).encode() + b"\n"
    for entry in entries:
        yield to_json(entry) + b"\n"


def parse_index(lines: Iterable[bytes], *, corpus_sha256: str | None = None) -> Iterator[IndexEntry]:
    """Entries of an index, streamed. CorpusChangedError if it is another corpus's, damaged or cut off."""
    stream = iter(lines)
    papers = _papers_of(next(stream, b""), corpus_sha256)
    count = 0
    for line in stream:
        count += 1
        try:
            yield IndexEntry(*from_json(line))
        except (ValueError, TypeError) as error:
            raise CorpusChangedError(
                f"line {count + 1} of the corpus index is damaged; ingest it again"
            ) from error
    if count != papers:
        raise CorpusChangedError(f"the corpus index has {count} papers in place of {papers}; ingest it again")


def _papers_of(header: bytes, corpus_sha256: str | None) -> int:
    try:
        fields = json.loads(header)
        version, owner, papers = fields["v"], fields["corpus_sha256"], int(fields["papers"])
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        raise CorpusChangedError("the corpus index has no header; ingest it again") from error
    if version != _VERSION or corpus_sha256 not in (None, owner):
        raise CorpusChangedError(
            f"the index is of corpus {owner!r} (version {version}), not of {corpus_sha256!r}"
        )
    return papers
