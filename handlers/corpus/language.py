"""Language of a text by the shares of its scripts, and by function words where the script is Latin.

A small detector for records that do not say: it tells apart what a corpus of papers is made of, not
the languages of the world. Anything undecided is None, and then nothing is skipped because of it.
"""

from __future__ import annotations

import re
from collections import Counter

from handlers.domain.writing_systems import LETTERS, scripts_of
from handlers.rare_pattern import rare_pattern

SAMPLE_CHARACTERS = 4000

_HAN = rare_pattern(f"[{LETTERS['han']}]+")
_KANA = re.compile(f"[{LETTERS['kana']}]+")
_SCRIPTS = {
    language: re.compile(f"[{LETTERS[scripts_of(language)[0]]}]+")
    for language in ("ko", "ru", "ar", "he", "el", "hi", "th")
}
# One scan tells that a text has none of these, as nearly all have.
_ANY_OF_THEM = rare_pattern(f"[{''.join(letters for script, letters in LETTERS.items() if script != 'han')}]")
_LATIN_WORD = re.compile("[a-z\u00df-\u00ff]+")
_UKRAINIAN = re.compile("[іїєґІЇЄҐ]")
# Commands and formulas are Latin whatever the language around them.
_MARKUP = rare_pattern(r"\$[^$\n]{0,400}\$|\\[A-Za-z]+|<[^<>]{0,200}>|https?://\S{1,300}")
_FUNCTION_WORDS = {
    "en": "the of and in is are to for with that by this we from was were as on at which",
    "de": "der die das und ist von mit den für eine auf dem nicht werden wird zur im ein",
    "fr": "le la les des et une est dans pour sur par que nous du aux cette qui sont un",
    "es": "el los las del y una es en para con por se que como son esta un entre su",
    "pt": "os as do da dos e uma é em para com por que não são foi um no na pelo",
    "it": "il di che e una è per con della del dei nel sono le gli un alla questo da",
}
_WORD_LANGUAGES: dict[str, list[str]] = {}
for _language, _words in _FUNCTION_WORDS.items():
    for _word in _words.split():
        _WORD_LANGUAGES.setdefault(_word, []).append(_language)

_split = str.split
_ISO_639_1 = frozenset(
    _split(
        "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da "
        "de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz "
        "ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln "
        "lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi "
        "pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti "
        "tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu yue"
    )
)
_COUNTRIES = frozenset({"kr", "tw", "se", "br"})
"""Codes of a language that few papers are in, written for the country by many."""


def is_certain(tag: str) -> bool:
    """Whether a tag of ``normalise_language`` names a language for sure; if not, the text tells more."""
    return tag in _ISO_639_1 and tag not in _COUNTRIES


def detect_language(text: str) -> str | None:
    """ISO 639-1 code, or None if there is too little to go by. Reads the first 4,000 characters."""
    sample = _MARKUP.sub(" ", text[:SAMPLE_CHARACTERS])
    others = _SCRIPTS if _ANY_OF_THEM.search(sample) else {}
    counts = {code: _characters(pattern, sample) for code, pattern in others.items()}
    counts["zh"] = _characters(_HAN, sample)
    kana = _characters(_KANA, sample) if others else 0
    words = _LATIN_WORD.findall(sample.lower())
    best = max(counts, key=lambda code: (counts[code], code))
    if kana >= counts[best]:
        best = "zh"
    # A Han character or a syllable carries about what a Latin word does, letters of alphabets a fifth.
    weight = counts[best] + kana if best in ("zh", "ko") else counts[best] // 5
    if weight * 2 < max(1, len(words)):
        return _latin_language(words)
    if best in ("zh", "ko") and kana and kana * 20 >= counts[best]:
        return "ja"
    return "uk" if best == "ru" and len(_UKRAINIAN.findall(sample)) * 50 >= counts["ru"] else best


def _characters(script: re.Pattern[str], text: str) -> int:
    return sum(map(len, script.findall(text)))


def _latin_language(words: list[str]) -> str | None:
    votes: Counter[str] = Counter()
    for word in words:
        for language in _WORD_LANGUAGES.get(word, ()):
            votes[language] += 1
    ranked = votes.most_common(2)
    if not ranked or (len(ranked) == 2 and ranked[0][1] == ranked[1][1]):
        return None
    return ranked[0][0]
