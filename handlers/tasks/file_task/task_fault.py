"""What is wrong with a task file, and where."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from handlers.errors import UsageError

Path = tuple[str | int, ...]
"""Keys and places in lists, from the file's top."""
_SHOWN = 60


class TaskFault(Exception):  # noqa: N818 - its caller makes an error of it, which has the file and the line
    """``path`` leads to what is wrong; ``sentence`` says what is."""

    def __init__(self, path: Sequence[str | int], sentence: str) -> None:
        super().__init__(sentence)
        self.path: Path = tuple(path)
        self.sentence = sentence


class TaskFileError(UsageError):
    """A task file is wrong; the message has file, line, key and the nearest name."""


def named(path: Iterable[str | int]) -> str:
    """``output.fields.reason``, ``check[2].kind``."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{shown(part)}" if text else shown(part)
    return text


def nearest(name: str, known: Iterable[str]) -> str:
    """``; nearest: tries``, or what there is, or nothing."""
    names = sorted(set(known))
    near = difflib.get_close_matches(name[:_SHOWN], [each[:_SHOWN] for each in names], n=1, cutoff=0.5)
    if near:
        return f"; nearest: {near[0]}"
    return f"; there is {', '.join(shown(each) for each in names[:12])}" if names else ""


def shown(text: str) -> str:
    """A name of the file's, short and on one line."""
    plain = "".join(character if character.isprintable() else "?" for character in text[: _SHOWN + 1])
    return plain if len(plain) <= _SHOWN else plain[:_SHOWN] + "..."
