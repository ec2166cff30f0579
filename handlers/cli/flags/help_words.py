"""What a command's help says that a flag takes: a word that people use, and nothing of a switch."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from typer import BadParameter
from typer.core import TyperCommand, TyperGroup


class Number(str):
    """A number as it was typed: as text it keeps its digits, and what is wrong with it has our words."""


class WholeNumber(Number):
    """One without a fraction."""


_TAKES: dict[Any, str | None] = {
    bool: None,
    int: "<number>",
    float: "<number>",
    Number: "<number>",
    WholeNumber: "<number>",
    str: "<text>",
    list[str]: "<text>",
    list[Path]: "<path>",
}
"""Type of a flag → what the help says that it takes."""


class WordedCommand(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        return _worded(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except BadParameter as error:
            if type(error.__cause__).__name__ == "ValidationError":
                from pydantic import ValidationError

                from handlers.wrong_value import wrong_value

                if isinstance(error.__cause__, ValidationError):
                    error.message = wrong_value(error.__cause__)[1]
            raise


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
