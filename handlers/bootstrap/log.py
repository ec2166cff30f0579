"""The process's log: structured lines on stderr."""

from __future__ import annotations

import logging
import os
import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger


@cache
def logger() -> Logger:
    """Structured lines on stderr; the loggers of the parts below write through it."""
    from aws_lambda_powertools import Logger

    powertools = Logger(service="paperfleet", stream=sys.stderr, level=os.environ.get("LOG_LEVEL", "INFO"))
    below = logging.getLogger("handlers")
    below.handlers = list(powertools.handlers)
    below.setLevel(powertools.log_level)
    below.propagate = False
    return powertools
