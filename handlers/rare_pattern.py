"""Patterns that few papers need: compiled when one does, not in every process that starts."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any, cast


class _Uncompiled:
    """Takes over the pattern's methods as they are asked for: calls are as fast as the pattern's own."""

    def __init__(self, source: str, flags: int) -> None:
        self._source, self._flags = source, flags

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(self._source, self._flags)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._pattern, name)
        setattr(self, name, found)
        return found


def rare_pattern(source: str, flags: int = 0) -> re.Pattern[str]:
    """``re.compile(source, flags)``, when it is first used."""
    return cast("re.Pattern[str]", _Uncompiled(source, flags))
