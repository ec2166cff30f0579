"""Records as CSV (RFC 4180) that a spreadsheet can open without running anything."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from typing import IO, Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""A cell that begins so may be run as a formula (OWASP, "CSV Injection")."""


class CsvLines:
    """Writes rows to a binary file, UTF-8. ``finish`` must be called before the file is closed."""

    def __init__(self, file: IO[bytes], columns: Iterable[str]) -> None:
        self._text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")
        self._writer = csv.writer(self._text)  # ends rows with CRLF, and so quotes a lone CR too
        self._writer.writerow(columns)

    def write(self, record: Mapping[str, Any]) -> None:
        """Lists of text joined by "; ", other lists and objects as JSON; None is an empty cell."""
        self._writer.writerow(map(_cell, record.values()))

    def finish(self) -> None:
        self._text.detach()


def _cell(value: Any) -> object:
    if value is None or isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else _joined(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _joined(value: Any) -> str:
    if isinstance(value, list | tuple) and value and all(isinstance(each, str) for each in value):
        return "; ".join(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) if value else ""
