"""Values that English words may stand for: numerals, and words that imply a number.

Generous on purpose, for they only explain a number of the other text: ``two hundred five`` gives 2, 200,
205 and 5, ``two thirds`` gives 2, 3, 2/3, 0.67 and 66.7.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from handlers.tasks.translation.gate.numerals import canonical, fraction

_split = str.split
_SMALL = _split(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
)
_TENS = _split("twenty thirty forty fifty sixty seventy eighty ninety")
_ORDINALS = _split(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
)
_MONTHS = _split(
    "january february march april may june july august september october november december "
    "jan feb mar apr may jun jul aug sep oct nov dec"
)
_ROMAN = _split(
    "i ii iii iv v vi vii viii ix x xi xii xiii xiv xv xvi xvii xviii xix xx xxi xxii xxiii xxiv xxv"
)
_SCALES = {
    "dozen": 12,
    "dozens": 12,
    "score": 20,
    "hundred": 100,
    "hundreds": 100,
    "thousand": 1000,
    "thousands": 1000,
    "million": 10**6,
    "millions": 10**6,
    "billion": 10**9,
    "billions": 10**9,
    "trillion": 10**12,
    "trillions": 10**12,
    "hundredth": 100,
    "thousandth": 1000,
    "millionth": 10**6,
    "decade": 10,
    "decades": 10,
    "century": 100,
    "centuries": 100,
    "millennium": 1000,
    "millennia": 1000,
    "lakh": 10**5,
    "lakhs": 10**5,
    "crore": 10**7,
    "crores": 10**7,
}
_CARDINALS = {word: value for value, word in enumerate(_SMALL)} | {
    word: 20 + 10 * place for place, word in enumerate(_TENS)
}
_CARDINALS |= {word[:-1] + "ies": 20 + 10 * place for place, word in enumerate(_TENS)}
_PARTS = {word: place + 1 for place, word in enumerate(_ORDINALS)} | {
    word[:-1] + "ieth": 20 + 10 * place for place, word in enumerate(_TENS)
}
_PARTS |= {word + "s": value for word, value in _PARTS.items()}
_PARTS |= {"quarter": 4, "quarters": 4, "half": 2, "halves": 2}
_ARTICLES = _split(
    "a an per each every one single sole once daily hourly weekly monthly yearly annual annually"
)
_COUNTS: dict[str, tuple[int, ...]] = {
    "once": (1,),
    "single": (1,),
    "sole": (1,),
    "only": (1,),
    "unary": (1,),
    "univariate": (1,),
    "firstly": (1,),
    "mono": (1,),
    "monoxide": (1,),
    "both": (2,),
    "pair": (2,),
    "pairs": (2,),
    "twice": (2,),
    "double": (2, 100, 200),
    "doubled": (2, 100, 200, 1),
    "doubles": (2, 100, 200, 1),
    "doubling": (2, 100, 200, 1),
    "dual": (2,),
    "binary": (2,),
    "bivariate": (2,),
    "bilateral": (2,),
    "secondly": (2,),
    "dioxide": (2,),
    "square": (2,),
    "squared": (2,),
    "hectare": (2,),
    "hectares": (2,),
    "ha": (2,),
    "duplicate": (2,),
    "biennial": (2,),
    "biennially": (2,),
    "biweekly": (2,),
    "fortnightly": (14, 2),
    "semiannual": (6, 2),
    "semiannually": (6, 2),
    "bimonthly": (2,),
    "quarterly": (3, 4),
    "thrice": (3,),
    "triplicate": (3,),
    "triplicates": (3,),
    "quadruplicate": (4,),
    "trio": (3,),
    "quartet": (4,),
    "daily": (1,),
    "hourly": (1,),
    "weekly": (1, 7),
    "monthly": (1,),
    "yearly": (1,),
    "annual": (1,),
    "annually": (1,),
    "tertiary": (3,),
    "secondary": (2,),
    "primary": (1,),
    "triple": (3, 2, 200, 300),
    "tripled": (3, 2, 200, 300),
    "triples": (3, 2, 200, 300),
    "tripling": (3, 2, 200, 300),
    "ternary": (3,),
    "thirdly": (3,),
    "trioxide": (3,),
    "cubic": (3,),
    "cubed": (3,),
    "quadruple": (4, 3),
    "quadrupled": (4, 3),
    "quaternary": (4,),
    "fortnight": (14,),
    "halved": (50, 2),
    "halves": (50, 2),
    "halving": (50, 2),
    "midnight": (0, 24),
    "noon": (12,),
    "all": (100,),
}
_COUNTS |= {word: (*_COUNTS.get(word, ()), place % 12 + 1) for place, word in enumerate(_MONTHS)}
_COUNTS |= {word: (place + 1,) for place, word in enumerate(_ROMAN)}
_COUNTS |= {f"{word}fold": (value,) for word, value in _CARDINALS.items()}
_IMPLIED = {word: tuple(map(str, values)) for word, values in _COUNTS.items()}
_IMPLIED |= {word: (*_IMPLIED.get(word, ()), "a") for word in _ARTICLES}
_NUMERAL_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6}
_IN_RUNS = frozenset({*_CARDINALS, *_SCALES, *_PARTS})
_KNOWN = frozenset({*_IN_RUNS, *_IMPLIED, "and", "of"})

_LONGEST_RUN = 64
_WORD = re.compile(r"[a-z]+")


def in_english(text: str) -> set[str]:
    """Of a lower-case text."""
    words = _WORD.findall(text)
    places = [place for place, word in enumerate(words) if word in _KNOWN]
    values: set[str] = set()
    run: list[str] = []
    reached = 0
    for place in places:
        word = words[place]
        if place > reached and run:
            values.update(_of_run(tuple(run)))
            run = []
        reached = place + 1
        values.update(_IMPLIED.get(word, ()))
        if word in _IN_RUNS:
            run.append(word)
    values.update(_of_run(tuple(run)))
    return values


def numeral(word: str) -> int | None:
    """The value of a numeral of one word or of digits."""
    if word.isascii() and word.isdigit():
        return int(word)
    return _CARDINALS.get(word) or _NUMERAL_SCALES.get(word)


@lru_cache(maxsize=1024)
def _of_run(run: tuple[str, ...]) -> frozenset[str]:
    return frozenset(_values(run[:_LONGEST_RUN]))


def _values(run: tuple[str, ...]) -> Iterator[str]:
    """The run's sum (``two hundred five``), each word's value, and fractions (``two thirds``)."""
    total = current = 0
    years: list[int] = []
    before = ""
    for word in run:
        value = _CARDINALS.get(word, _PARTS.get(word, 0))
        if word in _SCALES:
            scale = _SCALES[word]
            if before in _PARTS:
                yield from (
                    canonical(f"{scale * part / _PARTS[before]:.3f}") for part in (1, max(current, 1))
                )
            current = max(current, 1) * scale
            yield from (str(scale), str(current))
            if scale >= 1000:
                total, current = total + current, 0
        elif word in _PARTS:
            yield from fraction(max(current, 1), value)
            yield from (str(value), str(total + current + value))
            yield f"{total + current}.5" if value == 2 else str(current)
        else:
            years = [*years[-2:], value]
            current = min(current + value, 10**15)
            yield from (str(value), str(total + current), str(current))
        before = word
    if len(years) >= 2 and years[0] > 9:
        yield str(years[0] * 100 + sum(years[1:]))
