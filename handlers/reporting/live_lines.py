"""Lines at the foot of a terminal that are drawn again in place.

Not rich's ``Live``: where a window is narrowed, most terminals wrap what it drew anew, and ``Live``, which
counts the rows that it wrote, leaves the upper ones standing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

_FULL, _EMPTY = "━", "─"
_BAR = 30
_UP, _ERASE_BELOW = "\x1b[1A", "\x1b[J"


def can_redraw(console: Console) -> bool:
    """Whether it is a terminal with a cursor that moves: no file, no pipe, no ``TERM=dumb``. Where
    ``FORCE_COLOR`` is set, as many do on GitHub Actions, rich takes a pipe for one."""
    return console.file.isatty() and console.is_terminal and not console.is_dumb_terminal


class LiveLines:
    """Drawn by its owner's calls alone."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._drawn: Sequence[str] = ()

    def draw(self, lines: Sequence[str]) -> None:
        """In place of what was drawn before; none is wider than the terminal."""
        width = max(1, self._console.width - 1)
        wrapped = [str(row).rstrip() for line in lines for row in Text(line).wrap(self._console, width)]
        self._write(self._erased() + "\n".join(wrapped))
        self._drawn = wrapped

    def above(self, text: str) -> None:
        """A line that stays, above the drawn ones."""
        drawn = self._drawn
        self._write(self._erased())
        self._drawn = ()
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
        if drawn:
            self.draw(drawn)

    def end(self) -> None:
        """What is drawn stays; whatever is printed next stands below."""
        if self._drawn:
            self._write("\n")
        self._drawn = ()

    def _erased(self) -> str:
        """Takes away what is drawn. Of rows that the window has become too narrow for, the terminal made
        several."""
        if not self._drawn:
            return ""
        width = max(1, self._console.width)
        rows = sum(max(1, math.ceil(cell_len(row) / width)) for row in self._drawn)
        return "\r" + _UP * (rows - 1) + _ERASE_BELOW

    def _write(self, text: str) -> None:
        if text:
            self._console.file.write(text)
            self._console.file.flush()


def bar(done: int, total: int) -> str:
    """How much of it is done, in thirty characters."""
    full = _BAR * done // total if total else 0
    return _FULL * full + _EMPTY * (_BAR - full)
