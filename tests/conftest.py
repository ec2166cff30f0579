"""How many examples a property is tried on: few each time, many where there is time, new ones every night.

The first two try the same ones every time, so that no test fails by chance; none fails for being slow on a
busy machine.
"""

from __future__ import annotations

import gc
import re
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers

settings.register_profile("quick", max_examples=15, deadline=None, derandomize=True, database=None)
settings.register_profile("thorough", parent=settings.get_profile("quick"), max_examples=400)
settings.register_profile("new", max_examples=400, deadline=None, print_blob=True)
settings.load_profile("quick")
gc.disable()  # what collection makes stays: a tenth of its time, and more at each process's end


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Modules of slow tests alone are not imported by the quick ones, in each of their processes anew."""
    if "not slow" not in config.option.markexpr or not collection_path.match("test_*.py"):
        return None
    text = collection_path.read_text(encoding="utf-8")
    return re.search(r"^pytestmark = \[?pytest\.mark\.slow\b", text, re.MULTILINE) is not None or None


def pytest_collection_finish() -> None:
    """Where examples are to be the same each time, none is made of constants of the modules that happen to be
    imported: to read them takes a second in each process, too."""
    if settings.default is not None and settings.default.derandomize:
        none = providers.Constants()
        providers._get_local_constants = lambda: none
    gc.freeze()
    gc.enable()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Tests of time in proportion to the size are `growth`: the slow suite holds it at the whole size."""
    code = getattr(getattr(item, "obj", None), "__code__", None)
    if code is not None and "assert_linear" in code.co_names:
        item.add_marker("growth")
