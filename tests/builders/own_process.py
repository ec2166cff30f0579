"""This process as one that a platform keeps warm: with settings of its own, until the block ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from handlers.adapters.aws import outages
from handlers.bootstrap import sandbox, state, wiring
from handlers.errors import PaperfleetError

_REMEMBERED = [each for room in (sandbox, wiring, state, outages) for each in vars(room).values()
               if hasattr(each, "cache_clear")]  # fmt: skip
"""All that a process remembers of its settings and services."""


@contextmanager
def own_process(variables: dict[str, str]) -> Iterator[None]:
    """With these variables in place of the package's own. At its end jobs are closed, which else go on
    beating and logging, and adapters, which else serve the next test at an endpoint that is gone."""
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch:
        for name in [each for each in os.environ if each.startswith("PAPERFLEET_")]:
            patch.delenv(name)
        for name, value in variables.items():
            patch.setenv(name, value)
        _forget()
        try:
            yield
        finally:
            _end()
            _forget()
            signal.signal(signal.SIGTERM, handler)


def _forget() -> None:
    for each in _REMEMBERED:
        each.cache_clear()


def _end() -> None:
    if sandbox._sandbox.cache_info().currsize:
        warm = sandbox._sandbox()
        for job in [*warm._left, *filter(None, [warm._job])]:
            with suppress(PaperfleetError):  # where its services are gone: its threads have ended
                job.close("finished")
    if wiring._kept.cache_info().currsize:
        wiring._kept()[0].close()
