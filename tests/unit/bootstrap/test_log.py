"""Who reads a log decides how it is written."""

from __future__ import annotations

import io
import logging
import re
import sys
from typing import Any

import pytest

from handlers.bootstrap.log import for_whoever_reads


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def record(level: int, message: str, **extra: Any) -> logging.LogRecord:
    return logging.makeLogRecord(
        {"levelno": level, "levelname": logging.getLevelName(level), "msg": message} | extra
    )


def test_a_terminal_has_sentences_and_a_file_has_json(monkeypatch: pytest.MonkeyPatch) -> None:
    event = record(logging.INFO, "call ended in http_500", run="june", paper="p1", seconds=0.2)
    monkeypatch.setattr(sys, "stderr", Terminal())
    told = for_whoever_reads(lambda _: "{}", event)
    assert re.fullmatch(r"\d\d:\d\d:\d\d call ended in http_500 \(run june, paper p1, seconds 0.2\)", told)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert for_whoever_reads(lambda _: "{}", event) == "{}"


def test_a_warning_is_called_one_and_an_error_keeps_its_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert for_whoever_reads(str, record(logging.WARNING, "slow"))[9:] == "warning: slow"
    try:
        raise ValueError("why")
    except ValueError:
        failed = record(logging.ERROR, "broken", exc_info=sys.exc_info(), run="r")
    lines = for_whoever_reads(str, failed).splitlines()
    assert (lines[0][9:], lines[1][:9], lines[-1]) == (
        "error: broken (run r)",
        "Traceback",
        "ValueError: why",
    )
