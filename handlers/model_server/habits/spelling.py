"""Placeholders, backslashes and entities inside of the texts, as models write them."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from handlers.model_server.habits.turn import Habit, Turn
from handlers.model_server.reply import encoded

_PLACEHOLDER = re.compile(r"⟦(\d+)⟧")
_WIDE = str.maketrans("0123456789", "０１２３４５６７８９")
_APOSTROPHE = re.compile(r"(?<=[a-z]{4})(?= [a-z])")
_COMMANDS = {"τ": "tau", "ν": "nu", "θ": "theta", "ρ": "rho", "β": "beta", "×": "times", "→": "to"}
_LETTER = re.compile("[" + "".join(_COMMANDS) + r"](?=([a-zA-Z])?)")


def _brackets(form: str) -> Callable[[Turn], None]:
    def act(turn: Turn) -> None:
        turn.text = _PLACEHOLDER.sub(form, turn.text)

    return act


def _wide_digits(turn: Turn) -> None:
    turn.text = _PLACEHOLDER.sub(lambda mark: mark.group().translate(_WIDE), turn.text)


def _apostrophe(turn: Turn) -> None:
    turn.text = _APOSTROPHE.sub(r"\\'s", turn.text, count=1)


def _single_backslashes(turn: Turn) -> None:
    turn.text = turn.text.replace("\\\\", "\\")


def _commands(turn: Turn) -> None:
    def command(letter: re.Match[str]) -> str:
        return "\\" + _COMMANDS[letter.group()] + (" " if letter.group(1) else "")

    turn.text = _LETTER.sub(command, turn.text)


def _entities(turn: Turn) -> None:
    texts = turn.texts()
    if texts is not None:
        turn.text = encoded({key: html.escape(text, quote=False) for key, text in texts.items()})


def _habit(name: str, description: str, act: Callable[[Turn], None]) -> Habit:
    return Habit(name, description, "answer", act)


SPELLING = (
    _habit("square_brackets", "placeholders as [1]", _brackets(r"[\1]")),
    _habit("double_brackets", "placeholders as [[1]]", _brackets(r"[[\1]]")),
    _habit("other_brackets", "placeholders in other brackets of East Asia", _brackets(r"【\1】")),
    _habit("mixed_brackets", "placeholders that end in another bracket", _brackets(r"⟦\1]")),
    _habit("spaced_brackets", "placeholders with spaces inside", _brackets(r"⟦ \1 ⟧")),
    _habit("wide_digits", "placeholders with full-width digits", _wide_digits),
    _habit("backslash_apostrophe", "an apostrophe with a backslash", _apostrophe),
    _habit("single_backslashes", "backslashes that are not doubled in JSON", _single_backslashes),
    _habit("greek_commands", "Greek letters and signs as commands with one backslash", _commands),
    _habit("entities", "HTML entities for &, < and >", _entities),
)  # fmt: skip
