"""Libraries of the extras, loaded when a page is made: the core runs without them."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from handlers.errors import UsageError


def load(module: str, *, extra: str) -> Any:
    """The module; UsageError that names the extra and the fix if it is not installed."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise UsageError(f"{module} is not installed: this needs {how_to_get(extra)}") from error


def is_installed(module: str) -> bool:
    """Whether ``load`` would find it; nothing is imported."""
    return find_spec(module) is not None


def how_to_get(extra: str) -> str:
    """Words that name an extra and what installs it."""
    return f"the extra `{extra}`; install it with `pip install 'paperfleet[{extra}]'`"
