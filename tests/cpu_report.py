"""CPU seconds of each test file, dearest first, and of the dearest tests: ``pytest -p tests.cpu_report``.

Of this process, of the children that it has waited for, and of the warm process and what that forked; what a
fixture of a module or session costs counts for the test that asked for it first. Run it in one process,
without xdist.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.builders import warm

_SHOWN = int(os.environ.get("CPU_REPORT_TESTS", "40"))
_TICK = os.sysconf("SC_CLK_TCK")
_spent: defaultdict[str, float] = defaultdict(float)


def _cpu() -> float:
    return sum(os.times()[:4]) + _warm_cpu()


def _warm_cpu() -> float:
    if not warm.warm.cache_info().currsize:
        return 0.0
    stat = Path(f"/proc/{warm.warm()._process.pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, stat[11:15])) / _TICK


_BEGAN = _cpu()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    before = _cpu()
    result = yield
    _spent[item.nodeid] += _cpu() - before
    return result


def pytest_collection_finish() -> None:
    _spent["(imports and collection)"] += _cpu() - _BEGAN


def pytest_terminal_summary(terminalreporter: Any) -> None:
    files: defaultdict[str, float] = defaultdict(float)
    for test, seconds in _spent.items():
        files[test.partition("::")[0]] += seconds
    terminalreporter.section(f"CPU seconds: {sum(files.values()):.1f} of which")
    for title, table, shown in (("files", files, None), ("tests", _spent, _SHOWN)):
        terminalreporter.write_line(title)
        for name, seconds in sorted(table.items(), key=lambda each: -each[1])[:shown]:
            terminalreporter.write_line(f"{seconds:8.2f}  {name}")
