"""Libraries of the extras, loaded when a page is made: the core runs without them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from handlers.errors import UsageError


def load(module: str, *, extra: str) -> Any:
    """The module; UsageError that names the extra and the fix if it is not installed."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{module} is not installed: this needs the extra `{extra}`; "
            f"install it with `pip install 'paperfleet[{extra}]'`"
        ) from error
