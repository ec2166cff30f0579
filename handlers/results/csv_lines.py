"""Records as CSV (RFC 4180) or TSV that a spreadsheet can open without running anything."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from functools import partial
from typing import IO, Any

from handlers.rare_pattern import rare_pattern

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""A cell that begins so may be run as a formula (OWASP, "CSV Injection")."""
_NUMBER = rare_pattern(r"[+-](?:[0-9][0-9.,]{0,30}(?:[eE][+-]?[0-9]{1,3})?%?)?")
"""Nothing that could be run, and what others join by: an id -5 stays -5."""


class CsvLines:
    """Writes rows to a binary file, UTF-8. ``finish`` must be called before the file is closed."""

    def __init__(
        self,
        file: IO[bytes],
        columns: Iterable[str],
        *,
        delimiter: str = ",",
        bom: bool = False,
        as_json: bool = False,
    ) -> None:
        """``bom``: a byte order mark first, without which Excel takes the text for the system's code page.
        ``as_json``: lists of texts too, and truth values."""
        if bom:
            file.write(b"\xef\xbb\xbf")
        self._text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")
        # Rows end with CRLF, and so a lone CR is quoted too.
        self._writer = csv.writer(self._text, delimiter=delimiter)
        self._cell = partial(_cell, as_json=as_json)
        self._writer.writerow(map(self._cell, columns))

    def write(self, record: Mapping[str, Any]) -> None:
        """Lists of text joined by "; ", other lists and objects as JSON; None is an empty cell."""
        self._writer.writerow(map(self._cell, record.values()))

    def finish(self) -> None:
        self._text.detach()


def _cell(value: Any, *, as_json: bool = False) -> object:
    is_nested = as_json and isinstance(value, list | tuple | dict | bool)
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")) if is_nested else plain(value)
    if isinstance(text, str) and text.startswith(_FORMULA) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def plain(value: Any) -> str | float | None:
    """A value as one cell has it: a text, a number, or nothing."""
    if value is None or isinstance(value, int | float | str):
        return value
    if isinstance(value, list | tuple) and value and all(isinstance(each, str) for each in value):
        return "; ".join(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) if value else ""
