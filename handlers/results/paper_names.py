"""File names for papers' ids, whatever those are."""

from __future__ import annotations

import re
from hashlib import sha256
from itertools import count

_OTHER = re.compile(r"\A[.-]|[^A-Za-z0-9._-]")
"""What stands in no name: at its beginning a dot hides a file, and a hyphen makes it a command's flag."""
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|\Z)", re.IGNORECASE)
"""Devices of Windows, also with an ending ("Naming Files, Paths, and Namespaces", Microsoft)."""
_LONGEST = 150
_BITS, _HASHES = 25, 4
"""Of a Bloom filter of 4 MiB: of a million names 1 in 5,000 is taken for one that was given before."""
_DIGITS = (8, 16, 32, 64)


class PaperNames:
    """A name for each id of a stream: the id, or what is left of it with digits of its digest. None is given
    twice, on file systems that take ``A`` for ``a`` either. Memory does not grow with the ids."""

    def __init__(self) -> None:
        self._given = bytearray(1 << (_BITS - 3))

    def name(self, paper_id: str) -> str:
        stem = _OTHER.sub("_", paper_id)[:_LONGEST]
        if stem == paper_id and not _RESERVED.match(stem) and self._is_new(stem):
            return stem
        digest = sha256(paper_id.encode("utf-8", "surrogatepass")).hexdigest()
        for tail in (*(digest[:digits] for digits in _DIGITS), *(f"{digest}-{n}" for n in range(2, 9))):
            if self._is_new(name := f"{stem}-{tail}"):
                return name
        return next(name for n in count(9) if self._is_new(name := f"{stem}-{digest}-{n}"))

    def _is_new(self, name: str) -> bool:
        """Whether it was certainly not given before; from now on it was."""
        digest = int.from_bytes(sha256(name.lower().encode()).digest())
        new = False
        for _ in range(_HASHES):
            place, bit = divmod(digest & ((1 << _BITS) - 1), 8)
            new = new or not self._given[place] >> bit & 1
            self._given[place] |= 1 << bit
            digest >>= _BITS
        return new
