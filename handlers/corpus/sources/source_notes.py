"""What was found out about a source while it was read, for one sentence to whoever gave it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

_SHOWN = 20


@dataclass
class SourceNotes:
    """Grows while the source is read. What is as expected is not told."""

    encoding: str = "UTF-8"
    guessed: bool = False
    """The encoding was found out, not said."""
    undecided: bool = False
    """No encoding explains the bytes: UTF-8 it is, and lines that are none go to the rejects."""
    delimiter: str = ","
    columns: Sequence[str] = ()
    """Of a table, which has the same for every row."""
    others: list[str] = field(default_factory=list)

    def phrases(self) -> list[str]:
        """Half sentences, to be joined by semicolons."""
        told = []
        if self.encoding != "UTF-8":
            told.append(
                f"read as {self.encoding}" + (" (found out; else: --encoding)" if self.guessed else "")
            )
        if self.undecided:
            told.append("not all of it is UTF-8 and its encoding cannot be told: say --encoding")
        if self.delimiter != ",":
            told.append(f"columns between {_DELIMITERS.get(self.delimiter, repr(self.delimiter))}")
        return [*told, *self.others]

    def doubt(self) -> str:
        """Ends an error about a source of which nothing was understood: a wrong encoding that somebody named
        makes one line of a whole file. Empty where the encoding was found out."""
        if self.encoding == "UTF-8" or self.guessed:
            return ""
        return f"; it was read as {self.encoding}: is it? Without --encoding that is found out"


@runtime_checkable
class NotingSource(Protocol):
    """A source that finds out more about itself while it is read."""

    @property
    def notes(self) -> SourceNotes: ...


def notes_of(source: object) -> SourceNotes:
    """Empty ones of a source that finds nothing out."""
    return source.notes if isinstance(source, NotingSource) else SourceNotes()


_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars (|)"}


def named(names: Sequence[str]) -> str:
    """The first twenty names of fields, shortened, for a message."""
    first = ", ".join(map(shown, names[:_SHOWN]))
    return first + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def shown(name: str) -> str:
    """At most 60 characters on one line."""
    return "".join(c if c.isprintable() else " " for c in name[:60])
