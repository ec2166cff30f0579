"""What stands on a terminal's screen while lines are drawn again, as an emulator shows it."""

from __future__ import annotations

import io

import pyte
import pytest
from rich.console import Console

from handlers.reporting.live_lines import LiveLines, bar, can_redraw
from tests.builders.fakes import Tty

ROWS, COLUMNS = 10, 40


def terminal(**changes: object) -> Console:
    settings = {"width": COLUMNS, "force_terminal": True, "legacy_windows": False, "_environ": {}}
    return Console(file=Tty(), **settings | changes)


def screen_of(console: Console, columns: int = COLUMNS) -> list[str]:
    """The rows of a screen that is as wide from the start: text wraps as it does where it is reflowed."""
    assert isinstance(console.file, io.StringIO)
    screen = pyte.Screen(columns, ROWS)
    pyte.Stream(screen).feed(console.file.getvalue().replace("\n", "\r\n"))
    return [row.rstrip() for row in screen.display if row.strip()]


def test_lines_are_drawn_in_place_and_sentences_stay_above_them() -> None:
    console = terminal()
    live = LiveLines(console)
    live.draw(["one", "two"])
    live.above("[said] first")
    live.draw(["three " * 10])
    live.above("said second")
    live.draw(["four"])
    live.end()
    console.print("after")
    assert screen_of(console) == ["[said] first", "said second", "four", "after"]


@pytest.mark.parametrize("narrow", [38, 25, 20, 11])
def test_no_ghost_stays_where_the_window_is_narrowed(narrow: int) -> None:
    console = terminal()
    live = LiveLines(console)
    console.print("before")
    live.draw(["first of them, thirty-five characters", "second of them, of thirty as well"])
    console.width = narrow
    live.draw(["drawn", "again"])
    assert screen_of(console, narrow) == ["before", "drawn", "again"]


def test_wide_characters_count_twice() -> None:
    console = terminal()
    live = LiveLines(console)
    live.draw(["题" * 30])
    assert screen_of(console)[0].replace(" ", "") == "题" * 19
    live.draw(["short"])
    assert screen_of(console) == ["short"]


def test_neither_a_pipe_nor_a_dumb_terminal_is_drawn_on() -> None:
    assert can_redraw(terminal())
    assert not can_redraw(terminal(_environ={"TERM": "dumb"}))
    assert not can_redraw(Console(file=io.StringIO()))
    for variable in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        assert not can_redraw(Console(file=io.StringIO(), _environ={variable: "1", "TERM": "xterm"}))


def test_a_bar_is_as_full_as_the_work_is_done() -> None:
    assert [bar(done, 10).count("━") for done in (0, 5, 10)] == [0, 15, 30]
    assert len(bar(0, 0)) == 30
