"""Chunks that other processes work on, whatever becomes of these."""

from __future__ import annotations

import os

import pytest

from handlers.parallel import in_order


def tripled(number: int) -> int:
    return 3 * number


@pytest.mark.parametrize("started", [0, 1, 2])
def test_where_no_more_processes_can_be_started_chunks_are_worked_on_here(
    started: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fork, left = os.fork, started

    def limited() -> int:
        nonlocal left
        if not left:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        left -= 1
        return fork()

    monkeypatch.setattr(os, "fork", limited)
    found = list(in_order(tripled, iter(range(9)), processes=3))
    assert found == [(number, 3 * number) for number in range(9)]
