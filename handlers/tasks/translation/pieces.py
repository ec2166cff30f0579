"""A masked text in small pieces without placeholders, for models that lose placeholders in long ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from handlers.tasks.translation.masking.masking import PLACEHOLDER
from handlers.tasks.translation.scripts import letters
from handlers.tasks.translation.segment import sentences

_WIDE = str.maketrans(
    {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    | {
        "。": ". ", "、": ", ", "，": ", ", "；": "; ", "：": ": ", "（": " (", "）": ") ", "【": "[",
        "】": "]", "“": '"', "”": '"', "‘": "'", "’": "'", "《": '"', "》": '"', "\u3000": " ",
    }
)  # fmt: skip
_GAP_BEFORE_MARK = re.compile(r"(?<! ) {1,20}+([,.;:!?)])")
_HEAD = re.compile(r"\A[\W_]++")
_NO_GAP_BEFORE = frozenset(" \n\t,.;:!?)]}%'\"-/")
_NO_GAP_AFTER = frozenset(" \n\t([{'\"-/")


@dataclass(frozen=True)
class Piece:
    """Part of a text. ``key`` is None for what is copied: placeholders, punctuation, numbers."""

    key: str | None
    text: str


def pieces_of(key: str, text: str, scripts: tuple[str, ...]) -> list[Piece]:
    """The text cut at its placeholders, or at its sentences if it has none.

    Keys are ``<key>/0``, ``<key>/1`` ...; punctuation around a piece is not part of it.
    """
    parts = PLACEHOLDER.split(text)
    if len(parts) == 1:
        return list(_numbered(key, ((sentence, "") for sentence in sentences(text)), scripts))
    marks = [f"⟦{number}⟧" for number in parts[1::2]] + [""]
    return list(_numbered(key, zip(parts[::2], marks, strict=True), scripts))


def compose(pieces: Sequence[Piece], translated: Mapping[str, str]) -> str:
    """The text put together again, punctuation in ASCII, one space where words would run together."""
    joined: list[str] = []
    last = " "
    for piece in pieces:
        text = translated[piece.key].strip() if piece.key else _narrowed(piece.text)
        if not text:
            continue
        if last in " \n\t":
            text = text.lstrip(" ") or text[:0]
        elif last not in _NO_GAP_AFTER and text[0] not in _NO_GAP_BEFORE:
            text = f" {text}"
        if text:
            joined.append(text)
            last = text[-1]
    return "".join(joined).strip(" ")


def _narrowed(text: str) -> str:
    return _GAP_BEFORE_MARK.sub(r"\1", text.translate(_WIDE))


def _numbered(key: str, parts: Iterator[tuple[str, str]], scripts: tuple[str, ...]) -> Iterator[Piece]:
    count = 0
    for prose, mark in parts:
        if letters(prose, scripts):
            head, core, tail = _framed(prose)
            yield from (Piece(None, head), Piece(f"{key}/{count}", core), Piece(None, tail))
            count += 1
        else:
            yield Piece(None, prose)
        yield Piece(None, mark)


def _framed(prose: str) -> tuple[str, str, str]:
    """Punctuation before, the words, punctuation after. There is a letter in ``prose``."""
    head = _HEAD.match(prose)
    start = head.end() if head else 0
    end = len(prose)
    while not prose[end - 1].isalnum():
        end -= 1
    return prose[:start], prose[start:end], prose[end:]
