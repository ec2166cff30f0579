"""Output that nobody reads to its end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import pytest
import typer
from rich.console import Console

from handlers.cli.__main__ import _open_closed_streams
from handlers.cli.flags.quiet_pipe import CODE, quiet_pipe


def ends_with(write: Callable[[], None]) -> int:
    """The exit code of a child whose standard output is a pipe without a reader, and said nothing."""
    reader, writer = os.pipe()
    os.close(reader)
    child = os.fork()
    if child == 0:
        os.dup2(writer, 1)
        sys.stdout = os.fdopen(1, "w")
        code: object = 0
        try:
            with quiet_pipe():
                write()
        except SystemExit as end:
            code = end.code
        os._exit(code if isinstance(code, int) else 99)
    os.close(writer)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def by_click() -> None:
    app = typer.Typer()
    app.command()(lambda: typer.echo("x" * 100_000))
    app([])


def with_code_3() -> None:
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("write", "code"),
    [
        (lambda: print("x"), CODE),
        (lambda: sys.stdout.write("x" * 100_000), CODE),
        (lambda: Console(file=sys.stdout).print("x"), CODE),
        (by_click, CODE),
        (with_code_3, 3),
    ],
    ids=["at the end", "in the middle", "by rich", "by click", "nothing is written"],
)
def test_a_command_whose_reader_is_gone_ends_quietly(write: Callable[[], None], code: int) -> None:
    assert ends_with(write) == code


def test_a_stream_that_was_closed_before_the_command_began_leads_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    _open_closed_streams()
    with sys.stdin as read, sys.stdout as written, sys.stderr as told:
        print("x")
        print("x", file=told)
        assert (read.read(), read.name, written.name, told.name) == ("", *[os.devnull] * 3)
