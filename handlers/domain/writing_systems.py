"""Writing systems: the characters of each, and the languages that are written in them.

Characters stand as they do inside of a regular expression's character class.
"""

from __future__ import annotations

from functools import lru_cache

from handlers.domain.language_names import primary_subtag

HAN_LETTERS = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Ideographs of the first plane, which is nearly all of them."""
HAN_AND_MARKS = f"\u3005\u3007{HAN_LETTERS}\U00020000-\U0003ffff"
"""With the iteration mark, the ideographic zero and all that may yet be assigned."""
CJK = f"\u3005-\u3007\u3040-\u30ff{HAN_LETTERS}\uac00-\ud7af\U00020000-\U0003ffff"
"""Scripts without spaces between words, as a search takes them."""

CHARACTERS = {
    "han": f"\u2e80-\u2fdf{HAN_LETTERS}\U00020000-\U0003ffff",
    "kana": "\u3041-\u30ff\uff66-\uff9f",
    "hangul": "\uac00-\ud7af\u1100-\u11ff\u3130-\u318f",
    "cyrillic": "\u0400-\u052f",
    "greek": "\u0370-\u03ff",
    "arabic": "\u0600-\u06ff\u0750-\u077f",
    "hebrew": "\u0590-\u05ff",
    "devanagari": "\u0900-\u097f",
    "thai": "\u0e00-\u0e7f",
    "latin": "A-Za-z\u00c0-\u024f",
}
"""All characters of a script, marks and rare letters too: what may or may not be left in a translation."""
LETTERS = {
    "han": HAN_LETTERS,
    "kana": "\u3041-\u3096\u30a1-\u30fa\uff66-\uff9d",
    "hangul": "\uac00-\ud7a3\u1100-\u11ff",
    "cyrillic": "\u0400-\u04ff",
    "greek": "\u0370-\u03ff",
    "arabic": "\u0620-\u06ff",
    "hebrew": "\u05d0-\u05ea",
    "devanagari": "\u0904-\u0939",
    "thai": "\u0e01-\u0e3a",
}
"""Letters of the modern language alone, which tell it apart; marks that other scripts borrow do not."""

_LANGUAGES: dict[str, tuple[str, ...]] = {
    "zh": ("han",),
    "yue": ("han",),
    "ja": ("kana", "han"),
    "ko": ("hangul", "han"),
    "ru": ("cyrillic",),
    "uk": ("cyrillic",),
    "be": ("cyrillic",),
    "bg": ("cyrillic",),
    "sr": ("cyrillic", "latin"),
    "kk": ("cyrillic",),
    "el": ("greek",),
    "ar": ("arabic",),
    "fa": ("arabic",),
    "ur": ("arabic",),
    "he": ("hebrew",),
    "hi": ("devanagari",),
    "th": ("thai",),
}

_OTHERS = {
    "am", "as", "bn", "bo", "ckb", "dv", "dz", "gu", "hy", "ka", "km", "kn", "ky", "lo", "mk", "ml",
    "mn", "mr", "my", "ne", "or", "pa", "ps", "sa", "sd", "si", "ta", "te", "tg", "ti", "ug", "yi",
}  # fmt: skip
"""Languages of scripts that nothing here tells apart, or of one above that is not noted for them."""


def is_script_known(language: str) -> bool:
    """False of a language that is written otherwise than ``scripts_of`` says."""
    return primary_subtag(language) not in _OTHERS


@lru_cache(maxsize=256)
def scripts_of(language: str) -> tuple[str, ...]:
    """Scripts of a BCP 47 tag or a language's name; Latin when nothing else is known."""
    return _LANGUAGES.get(primary_subtag(language), ("latin",))
