"""Keywords as sources have them: lists, lists as text, and texts with all kinds of separators."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from handlers.corpus.fields.field_text import RecordError, chosen, is_nothing, plain_text
from handlers.corpus.fields.html_text import html_as_text
from handlers.corpus.fields.listed_text import in_brackets, objects_in, quoted_items
from handlers.corpus.text import clean_prose
from handlers.rare_pattern import rare_pattern

_NAMES = (
    "display_name",
    "name",
    "keyword",
    "term",
    "subject",
    "value",
    "text",
    "#text",
    "_",
    "label",
    "title",
)
"""Where an object that is a keyword has its words."""
_HEADING = rare_pattern(
    r"(?:关键[词字]|關鍵[詞字]|主题词|主題詞|key\s?words?|index\s?terms)\s*[:：—]\s*", re.IGNORECASE
)
_BULLET = re.compile(r"\A[-*•·▪]\s+")
_LOCANT = r"(?:\d{1,3}[a-z]?|[NOSPCHDLREZα-ω])['′’]{0,3}"
_KEPT = rare_pattern(
    r"\$[^$\n]{1,400}\$|[(（][^()（）\n]{0,400}[)）]|\[[^\[\]\n]{0,400}\]|\{[^{}\n]{0,400}\}"
    rf"|(?<![A-Za-z0-9_.-]){_LOCANT}(?:[,，]{_LOCANT}){{1,9}}(?=[-‐‑–—])"
    r"|(?<![A-Za-z0-9_.])\d{1,3}(?:[,，]\d{3}){1,5}(?![\d,，])"
)
"""What no separator is looked for in: formulas, brackets, ``2,4-D``, ``N,N-dimethyl``, ``10,000``."""
_PACKED = re.compile("[;；|\"'\n]")
"""In the one text of a list that holds several keywords."""
_HAN = "\u3400-\u9fff"
_LEVELS = (
    ("[;；|｜]", rf"[;；，、]|[|｜]{{1,2}}|(?<=[{_HAN}])\s{{0,9}},|,\s{{0,9}}(?=[{_HAN}])"),
    ("[,，、]", "[,，、]"),
    ("[\n\t•]", "[\n\t•]"),
    (r"\s[·∙/]\s", r"\s[·∙/]\s"),
    ("\u3000", "\u3000"),
)
"""From the strongest on: by what a list of it is known, and what separates there. A comma beside semicolons
does between Chinese words, and not in ``Rats, Wistar; liver``."""
_KNOWN = [(rare_pattern(sign), rare_pattern(separator)) for sign, separator in _LEVELS]
_WRAPPED = rare_pattern(rf"(?<=[{_HAN}])\s{{0,9}}\n\s{{0,9}}(?=[{_HAN}])")
_HIDDEN = "\ufdd0"
"""Never a character of a text."""
_DEEPEST = 6


def keywords_of(value: object, language: str | None) -> tuple[str, ...]:
    """RecordError for what is no keyword."""
    return tuple(filter(None, _words(value, language, 0)))


def _words(value: object, language: str | None, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        objects = objects_in(value.strip()) if "{" in value else None
        yield from _separated(value) if objects is None else _words(objects, language, depth + 1)
    elif isinstance(value, list) and depth < _DEEPEST:
        for each in value:
            whole = isinstance(each, str) and (len(value) > 1 or not _PACKED.search(each))
            yield from [_clean(each)] if whole else _words(each, language, depth + 1)
    elif isinstance(value, dict) and depth < _DEEPEST:
        yield from _words_of_object(value, language, depth)
    else:
        yield plain_text("keywords", value)


def _words_of_object(value: dict[str, Any], language: str | None, depth: int) -> Iterator[str]:
    names = [name for name in _NAMES if name in value]
    if not names and value:
        held = chosen(value, language)
        if held is value:
            raise RecordError("keywords is an object that has no words")
        yield from _words(held, language, depth + 1)
    for name in names[:1]:  # a keyword's own name comes apart nowhere
        held = value[name]
        yield from [_clean(held)] if isinstance(held, str) else _words(held, language, depth + 1)


def _separated(text: str) -> Iterator[str]:
    text = text.strip()
    if is_nothing(text):
        return
    if ('"' in text or "'" in text) and (items := quoted_items(text)) is not None:
        yield from map(_clean, items)
    else:
        yield from _split(_HEADING.sub("", _clean(in_brackets(text)), count=1))


def _clean(text: str) -> str:
    return clean_prose(html_as_text(text))


def _split(text: str) -> Iterator[str]:
    """By the strongest separator that is there."""
    text = text.replace(_HIDDEN, "")
    kept = iter(_KEPT.findall(text))
    text = _KEPT.sub(_HIDDEN, text)
    separator = next((separator for sign, separator in _KNOWN if sign.search(text)), None)
    for word in [text] if separator is None else separator.split(text):
        word = _BULLET.sub("", word.strip(), count=1)
        if "\n" in word:
            word = " ".join(_WRAPPED.sub("", word).split())
        yield (
            "".join(next(kept, "") if char == _HIDDEN else char for char in word) if _HIDDEN in word else word
        )
