"""The fault hook: a process's view of its ports, which dies at a chosen call and stays dead.

A crash is an error that strikes before or after one call of a port reaches the adapter behind it. From then
on every call of that process fails: a dead process changes nothing more. A third way to die is to be
frozen: the call is kept, and made later, when others have long taken over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

WORKING = (
    *("lease", "paper_rows", "start_job", "draw", "write_parts", "commit", "finish_batch", "end_lease"),
    *("commit", "write_parts", "extend", "give_back", "end_job", "delete", "release", "read", "park"),
)
"""Calls of ledger, queue and store at which a job can die; the durable steps more often."""
SUBMITTING = ("put_file", "add_batches", "create_run", "set_control", "send")


class CrashError(RuntimeError):
    """The process is dead."""


@dataclass(frozen=True)
class Point:
    """The ``nth`` call of ``method`` (from 1)."""

    method: str
    nth: int
    when: Literal["before", "after", "frozen"]


@dataclass
class Process:
    """Counts the calls of one process; ``kept`` is what it was about to do when it was frozen."""

    point: Point | None = None
    dead: bool = False
    kept: list[Callable[[], Any]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def sees(self, adapter: Any) -> Any:
        return _View(adapter, self)

    def call(self, method: str, act: Callable[..., Any], arguments: tuple[Any, ...], named: Any) -> Any:
        if self.dead:
            raise CrashError(method)
        self.counts[method] = self.counts.get(method, 0) + 1
        strikes = self.point is not None and (method, self.counts[method]) == (
            self.point.method,
            self.point.nth,
        )
        if not strikes or self.point is None:
            return act(*arguments, **named)
        self.dead = True
        if self.point.when == "after":
            act(*arguments, **named)
        elif self.point.when == "frozen":
            self.kept.append(lambda: act(*arguments, **named))
        raise CrashError(method)


class _View:
    def __init__(self, adapter: Any, process: Process) -> None:
        self._adapter = adapter
        self._process = process

    def __getattr__(self, method: str) -> Any:
        act = getattr(self._adapter, method)
        return lambda *arguments, **named: self._process.call(method, act, arguments, named)
