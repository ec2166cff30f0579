"""Which of a paper's words are asked for first, so that its passages, asked side by side, call a thing by
one name. Whole numbers and sorted ties alone, so that every machine finds the same."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection

from handlers.domain.writing_systems import HAN_LETTERS

MOST_TERMS = 20
_SHORTEST, _LONGEST = 3, 8
_LEAST_COUNT, _LEAST_NEIGHBOURS = 4, 3
_PART_PERCENT = 60
_FUNCTION = re.compile(
    "植被|饱和|均[值匀衡一]|平均|自由|等离子|等[温压位]|行为|规则|对[流数称比照]|[存潜]在|合并|并[行联]|都市|研究所|参与|各向"
    "|[的了在是和与及或对为以从由于其这那被把而但则也都又所之此各等并就将着若且虽均仅该即]"
)
"""Characters that seldom stand within a term, and words that have one of them."""
_NEVER_FIRST, _NEVER_LAST = frozenset("个本当"), frozenset("中下上得")
_RUN = re.compile(f"[{HAN_LETTERS}]{{{_SHORTEST},}}")


def candidate_terms(text: str, known: Collection[str] = ()) -> list[str]:
    """Up to 20 runs of three to eight ideographs that occur often and between different neighbours, the
    weightiest first: by count times one less than the length, then by the text. None that is ``known``, and
    none that hardly stands but within one chosen before. Linear in the text."""
    cut = _FUNCTION.sub(lambda found: found[0] if len(found[0]) > 1 else "\n", text)
    places, counts = _often(text, [match.span() for match in _RUN.finditer(cut)])
    free = _free(text, places)
    chosen: list[str] = []
    for term in sorted(free.difference(known), key=lambda term: (-counts[term] * (len(term) - 1), term)):
        within = max((counts[longer] for longer in chosen if term in longer), default=0)
        around = any(shorter in term for shorter in chosen)
        if not around and 100 * within < _PART_PERCENT * counts[term]:
            chosen.append(term)
            if len(chosen) == MOST_TERMS:
                break
    return chosen


def _often(text: str, runs: list[tuple[int, int]]) -> tuple[dict[int, list[int]], dict[str, int]]:
    """Where stretches begin that stand often enough, by length, and their counts. A longer one is looked at
    only where both shorter ones that make it up are such."""
    found: dict[int, list[int]] = {}
    counts: dict[str, int] = {}
    places = [at for start, end in runs for at in range(start, end - _SHORTEST + 1)]
    for length in range(_SHORTEST, _LONGEST + 1):
        counted = Counter([text[at : at + length] for at in places])
        often = {term: count for term, count in counted.items() if count >= _LEAST_COUNT}
        counts |= often
        found[length] = [at for at in places if text[at : at + length] in often]
        follows = set(found[length])
        places = [at for at in found[length] if at + 1 in follows]
    return found, counts


def _free(text: str, places: dict[int, list[int]]) -> set[str]:
    """Stretches with enough different neighbours on each side: a part of a longer word has but one."""
    before: defaultdict[str, set[str]] = defaultdict(set)
    after: defaultdict[str, set[str]] = defaultdict(set)
    for length, found in places.items():
        for at in found:
            end = at + length
            if text[at] not in _NEVER_FIRST and text[end - 1] not in _NEVER_LAST:
                term = text[at:end]
                before[term].add(text[at - 1 : at])
                after[term].add(text[end : end + 1])
    sides = ((term, len(left), len(after[term])) for term, left in before.items())
    return {term for term, left, right in sides if min(left, right) >= _LEAST_NEIGHBOURS}
