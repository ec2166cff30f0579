"""The ``paperfleet`` command whose jobs die at one blow of one batch, the one of ``PAPER``, with short waits.

python -m tests.faults.fatal_batch lease|work|end COMMAND ...
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from tests.faults.hurried import SHORTER, hurry

PAPER = "paper-00000"


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_at(place: str) -> None:
    from handlers.pipeline import batch_runner
    from handlers.pipeline.batch_runner import BatchRunner

    runner: Any = BatchRunner
    module: Any = batch_runner
    if place == "lease":  # it has just got it
        runner._lease = _after(runner._lease, lambda *given: PAPER in given[2].ids)
    elif place == "work":  # its first call is paid for
        module.run_paper = _after(module.run_paper, lambda *given: given[2].paper.id == PAPER)
    else:  # all is booked
        settle = runner._settle
        runner._settle = lambda *given, **named: (
            _die() if PAPER in given[1].message.ids else settle(*given, **named)
        )


def _after(work: Callable[..., Any], is_fatal: Callable[..., bool]) -> Callable[..., Any]:
    def worked(*given: Any) -> Any:
        made = work(*given)
        if made is not None and is_fatal(*given):
            _die()
        return made

    return worked


if __name__ == "__main__":
    hurry(SHORTER)
    _die_at(sys.argv.pop(1))
    from handlers.cli.__main__ import main

    sys.exit(main())
