"""The one table of habits, and which of them meet a call."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from handlers.model_server.chance import own_draw
from handlers.model_server.habits.counting import COUNTING
from handlers.model_server.habits.musing import MUSING
from handlers.model_server.habits.parameters import PARAMETERS
from handlers.model_server.habits.refusing import REFUSING
from handlers.model_server.habits.sending import SENDING
from handlers.model_server.habits.spelling import SPELLING
from handlers.model_server.habits.turn import Habit, Line, Turn
from handlers.model_server.habits.wrapping import WRAPPING

HABITS: dict[str, Habit] = {
    habit.name: habit
    for group in (REFUSING, PARAMETERS, COUNTING, MUSING, SPELLING, WRAPPING, SENDING)
    for habit in group
}
"""By name. Those of a moment act in this order."""


def shares(wanted: Iterable[str]) -> dict[str, float]:
    """Share of the calls of each habit in ``NAME`` (every call) or ``NAME=SHARE``, in the table's order; the
    last word on a name counts. ValueError for a name that is not in the table, or a share not in 0 to 1."""
    found: dict[str, float] = {}
    for each in wanted:
        name, given, share = each.partition("=")
        name = name.strip().replace("-", "_")
        if name not in HABITS:
            raise ValueError(f"no habit is called {name[:60]!r}{_nearest(name)}; --list-habits shows all")
        found[name] = _share(name, share) if given else 1.0
    return {name: found[name] for name in HABITS if name in found}


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name[:60], HABITS, n=1, cutoff=0.0)
    return f", the nearest is {near[0]}" if near else ""


def _share(name: str, text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ValueError(f"{name}={text[:60]}: the share of the calls is a number from 0 to 1")
    return share


def listed() -> str:
    """The table as text: a line a habit. ``*`` marks those of an endpoint as a whole."""
    width = max(map(len, HABITS))
    lines = (
        f"{name:{width}} {'*' if each.endpoint else ' '} {each.description}" for name, each in HABITS.items()
    )
    return "\n".join(lines)


class HabitMix:
    """The habits of a server, each drawn for a call apart from the others: a call may meet several."""

    def __init__(self, wanted: Iterable[str]) -> None:
        self._shares = shares(wanted)
        self._line = Line()

    def turn(
        self, asked: dict[str, Any], max_tokens: int | None, draw: tuple[bytes, int], *, now: float
    ) -> Turn:
        """A call's turn. ``draw``: digest of its messages, and how often they were seen; ``now``: monotonic
        seconds."""
        drawn = []
        for name, share in self._shares.items():
            first, second = own_draw(*draw, name)
            if first < share:
                drawn.append((HABITS[name], second))
        return Turn(asked, max_tokens, drawn, now, self._line)
