"""What a command's help says that a flag takes: a word that people use, and nothing of a switch."""

from __future__ import annotations

from functools import partial
from typing import Any

from typer.core import TyperCommand, TyperGroup


class Number(str):
    """A number as it was typed: as text it keeps its digits."""


_TAKES: dict[Any, str | None] = {
    bool: None,
    int: "<number>",
    float: "<number>",
    Number: "<number>",
    str: "<text>",
}
"""Type of a flag → what the help says that it takes."""


class WordedCommand(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        return _worded(super().get_params(ctx))


class WordedGroup(TyperGroup):
    def get_params(self, ctx: Any) -> list[Any]:
        return _worded(super().get_params(ctx))


def _worded(params: list[Any]) -> list[Any]:
    for param in params:
        kind = param.type_descriptor.annotation
        if kind in _TAKES:
            # Typer names the Python type here, whatever an option says of itself.
            vars(param)["display_type_rich"] = partial(_taken, _TAKES[kind])
    return params


def _taken(label: str | None, ctx: object) -> str | None:
    del ctx
    return label
