"""Where a job lives in its run: its leaf of the budget's tree, and its group of neighbours.

A path is a string of bits. The tree's fan-out is 16: a node's parent has its path without the last four bits,
and the root is the parent of all shorter ones. The ``n``-th job at work draws a path of so many bits that
some eight jobs share a leaf; its first bits, so many that some thirty share them, name the group.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import product

_FAN_BITS = 4
_AT_THE_ROOT = 16
"""Jobs that draw from the root itself."""
_GROUP_BITS = 2
"""Bits by which a leaf's path is longer than its group's: 8 jobs a leaf, 32 a group."""
_COUNTED = ((128, 1), (1024, 16))
_COUNTS_FOR = 64
"""Of fewer jobs than so many at work, one counts for so many; of more, for ``_COUNTS_FOR``: five thousand
that start or end at once write ``JOINS`` some 250 times."""


def depth_of(jobs: int) -> int:
    """Bits of the path of a job that is the ``jobs``-th at work."""
    return 0 if jobs < _AT_THE_ROOT else (jobs // 8).bit_length() - 1


def counts_for(job_id: str, jobs: int) -> int:
    """How many jobs a job counts for that starts where so many work: itself, or all or none of many."""
    many = next((many for fewer, many in _COUNTED if jobs < fewer), _COUNTS_FOR)
    return 0 if int(short_name(job_id), 16) % many else many


def path_at(chance: float, bits: int) -> str:
    """One of all paths of that length; ``chance`` is uniform in [0, 1)."""
    return f"{int(chance * (1 << bits)):0{bits}b}" if bits else ""


def parent(path: str) -> str:
    return path[:-_FAN_BITS] if len(path) > _FAN_BITS else ""


def group_of(path: str) -> str:
    return path[: max(0, len(path) - _GROUP_BITS)]


def paths(bits: int) -> Iterator[str]:
    """Of all nodes above and at that depth, the root first."""
    for length in range(bits + 1):
        for each in product("01", repeat=length):
            yield "".join(each)


def groups(bits: int) -> list[str]:
    """All groups of leaves of that depth and less."""
    return list(paths(max(0, bits - _GROUP_BITS)))


def short_name(job_id: str) -> str:
    """Of a job, in the names of its line's fields."""
    return hashlib.sha256(job_id.encode("utf-8", "surrogatepass")).hexdigest()[:8]
