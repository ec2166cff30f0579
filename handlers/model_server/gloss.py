"""A text word by word in English. It is a gloss, and good for trying the machinery, not for reading."""

from __future__ import annotations

import re
from collections.abc import Mapping

from handlers.domain.writing_systems import HAN_AND_MARKS
from handlers.model_server.dictionary import Dictionary
from handlers.model_server.number_words import to_english

_MARKS = {"。": ". ", "、": ", ", "（": " (", "）": ") ", "【": " [", "】": "] ", "〔": " [", "〕": "] "}
_INSTEAD = dict.fromkeys("“”《》〈〉「」『』", '"') | dict.fromkeys("‘’", "'") | dict.fromkeys("—–～", "-")
_SPACED = {wide: f"{chr(ord(wide) - 0xFEE0)} " for wide in "，；：？！"} | dict.fromkeys("·・\u3000", " ")
_FULL_WIDTH = {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_NARROW = _FULL_WIDTH | _MARKS | _INSTEAD | _SPACED | {"…": "..."}
_WIDE = re.compile("[\uff01-\uff5e" + "".join(_NARROW.keys() - _FULL_WIDTH.keys()) + "]")

_RUN = re.compile(f"[{HAN_AND_MARKS}]+")
_OPENING = frozenset(" ([{\"'/-\n\t")
_NO_GAP = frozenset(" )]},.;:!?%\"'/-\n\t")


class Glossator:
    """Glosses texts with a dictionary. Placeholders, digits and Latin stay as and where they are."""

    def __init__(self, dictionary: Dictionary) -> None:
        self._dictionary = dictionary
        self._runs: dict[str, str] = {}

    def translate(self, text: str, glossary: Mapping[str, str]) -> str:
        """The gloss; terms of the glossary come first, the longest ahead."""
        if not glossary:
            return self._plain(text)
        terms = sorted((term for term in glossary if term), key=len, reverse=True)
        if not terms:
            return self._plain(text)
        out: list[str] = []
        for position, piece in enumerate(re.split(f"({'|'.join(map(re.escape, terms))})", text)):
            out.append(f" {glossary[piece]} " if position % 2 else self._plain(piece))
        return "".join(out).strip()

    def _plain(self, text: str) -> str:
        text = to_english(narrowed(text))
        out: list[str] = []
        last = 0
        for match in _RUN.finditer(text):
            out.append(text[last : match.start()])
            out.append(self._run(match.group()))
            last = match.end()
        out.append(text[last:])
        return spaced(out)

    def _run(self, run: str) -> str:
        known = self._runs.get(run)
        if known is None:
            known = " ".join(filter(None, self._words(run)))
            if len(run) <= 12 and len(self._runs) < 200_000:
                self._runs[run] = known
        return known

    def _words(self, run: str) -> list[str]:
        words: list[str] = []
        at = 0
        while at < len(run):
            word = self._dictionary.longest_at(run, at)
            words.append(self._dictionary.gloss(word))
            at += len(word)
        return words


def narrowed(text: str) -> str:
    """Full-width forms and Chinese punctuation as ASCII."""
    return _WIDE.sub(lambda mark: _NARROW[mark.group()], text)


def spaced(pieces: list[str]) -> str:
    """The pieces joined, with one space where two words would run together."""
    out: list[str] = []
    end = " "
    for piece in pieces:
        if not piece:
            continue
        if end not in _OPENING and piece[0] not in _NO_GAP:
            out.append(" ")
        elif end == " " and piece[0] == " ":
            piece = piece.lstrip(" ")
        if piece:
            out.append(piece)
            end = piece[-1]
    return "".join(out).strip()
