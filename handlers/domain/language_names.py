"""Names and codes of languages, as people and catalogues write them."""

from __future__ import annotations

import re
from functools import lru_cache

_split = str.split
_NAMES = {
    name: language
    for language, names in {
        "zh": "chi zho cmn chn chs cht cn hans hant chinese mandarin putonghua chinois chinesisch "
        "中文 汉语 漢語 华语 華語 国语 國語 普通话 简体 简体中文 簡體中文 繁体 繁体中文 繁體中文 中国語",
        "en": "eng english 英文 英语 英語 anglais englisch inglés",
        "ja": "jpn jp jap japanese 日文 日语 日語 日本語",
        "ko": "kor korean 韩文 韩语 韓文 한국어",
        "ru": "rus russian 俄文 俄语 русский",
        "uk": "ukr ua ukrainian",
        "de": "ger deu german deutsch 德文 德语",
        "fr": "fre fra french français 法文 法语",
        "es": "spa spanish español castellano 西班牙语",
        "pt": "por portuguese português 葡萄牙语",
        "it": "ita italian italiano",
        "ar": "ara arabic",
        "el": "gre ell gr greek",
        "he": "heb iw hebrew",
        "cs": "cze ces cz czech",
        "pl": "pol polish",
        "nl": "dut nld dutch",
        "tr": "tur turkish",
        "fa": "per fas persian",
        "vi": "vie vietnamese",
        "sv": "swe swedish",
        "da": "dan dk danish",
    }.items()
    for name in _split(names)
}
_CODE = re.compile(r"([a-z]{2,3})(?:[-_][a-z0-9]{1,8}){0,3}")


def normalise_language(given: str) -> str | None:
    """Primary subtag of a BCP 47 tag (``zh-Hans-CN`` → ``zh``), also from names and ISO 639-2 codes.

    None if it is no language tag.
    """
    word = given.strip().lower()[:64]
    if word in _NAMES:
        return _NAMES[word]
    match = _CODE.fullmatch(word)
    if match is None or match[1] == "und":
        return None
    return _NAMES.get(match[1], match[1])


def has_name(subtag: str) -> bool:
    """True of a primary subtag that a language's names stand for."""
    return subtag in _NAMES.values()


@lru_cache(maxsize=256)
def primary_subtag(language: str) -> str:
    """``zh`` of ``zh-Hans-CN``, of ``chi`` and of ``中文``: two that are equal are one language."""
    first = re.split("[-_]", language.lower())[0]
    return _NAMES.get(language.strip().lower()) or _NAMES.get(first, first)
