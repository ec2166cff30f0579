"""The process's log on stderr: structured lines for machines, sentences on a terminal."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

_TOLD = ("run", "batch", "paper", "attempt", "seconds")
"""Extra fields of a record that a sentence has."""


@cache
def logger() -> Logger:
    """The loggers of the parts below write through it."""
    from aws_lambda_powertools import Logger

    powertools = Logger(service="paperfleet", stream=sys.stderr, level=os.environ.get("LOG_LEVEL", "INFO"))
    below = logging.getLogger("handlers")
    below.handlers = list(powertools.handlers)
    below.setLevel(powertools.log_level)
    below.propagate = False
    for handler in powertools.handlers:
        if handler.formatter is not None:  # Powertools' own, which it goes on to ask for keys
            structured = handler.formatter.format
            vars(handler.formatter)["format"] = partial(for_whoever_reads, structured)
    return powertools


def for_whoever_reads(structured: Callable[[logging.LogRecord], str], record: logging.LogRecord) -> str:
    """A sentence if stderr is a terminal by now: a job's becomes a file after its logger was made."""
    return _sentence(record) if sys.stderr.isatty() else structured(record)


def _sentence(record: logging.LogRecord) -> str:
    fields = vars(record)
    told = [f"{name} {fields[name]}" for name in _TOLD if fields.get(name) is not None]
    level = f"{record.levelname.lower()}: " if record.levelno > logging.INFO else ""
    plain = logging.Formatter(f"%(asctime)s {level}%(message)s", "%H:%M:%S").format(record)
    first, newline, trace = plain.partition("\n")
    return first + (f" ({', '.join(told)})" if told else "") + newline + trace
