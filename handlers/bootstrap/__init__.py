"""The composition root: settings, adapters, logger, clock; wired when called, once a process.

``wiring`` has what needs most of the package; its names are here too, imported when they are first asked for.
"""

from __future__ import annotations

import logging
import os
import secrets
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

from handlers.bootstrap.host import is_running
from handlers.bootstrap.state import (
    DEFAULT_STACK,
    State,
    SystemClock,
    call_function,
    connect,
    export_processes,
    located,
    open_state,
)

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from handlers.bootstrap.wiring import (
        api_key,
        chat_model,
        endpoint,
        job,
        new_job,
        own_settings,
        price,
        task_of,
    )

__all__ = [
    "DEFAULT_STACK",
    "State",
    "SystemClock",
    "api_key",
    "call_function",
    "chat_model",
    "connect",
    "endpoint",
    "export_processes",
    "is_alive",
    "job",
    "located",
    "logger",
    "new_id",
    "new_job",
    "on_lambda",
    "open_state",
    "own_settings",
    "price",
    "set_environment",
    "task_of",
]

_WIRED = ("api_key", "chat_model", "endpoint", "job", "new_job", "own_settings", "price", "task_of")


def __getattr__(name: str) -> Any:
    if name not in _WIRED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from handlers.bootstrap import wiring

    return getattr(wiring, name)


def on_lambda() -> bool:
    """Whether Lambda's runtime calls the handlers of this process."""
    return "AWS_LAMBDA_RUNTIME_API" in os.environ or "AWS_LAMBDA_FUNCTION_NAME" in os.environ


def new_id(prefix: str) -> str:
    """A name that no other process of the fleet has: part of paths and keys."""
    return f"{prefix}-{secrets.token_hex(5)}"


def is_alive(owner: str) -> bool:
    """Whether the process of a ``host.process_owner`` string runs; Lambda's sandboxes share a name, and
    are assumed to."""
    return on_lambda() or is_running(owner)


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


def set_environment(values: dict[str, str]) -> None:
    """Give this process its settings (a forked job's)."""
    os.environ.update(values)
