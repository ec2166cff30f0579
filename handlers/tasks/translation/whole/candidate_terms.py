"""Which of a paper's words are asked for first, so that its passages, asked side by side, call a thing by
one name. Whole numbers and sorted ties alone, so that every machine finds the same."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping

from handlers.domain.writing_systems import HAN_LETTERS

MOST_TERMS = 20
_SHORTEST, _LONGEST = 3, 8
_LEAST_COUNT, _LEAST_NEIGHBOURS = 4, 3
_PART_PERCENT = 60
_MOST_SOUGHT = 1_000
"""Stretches whose neighbours are looked at: three times as many as any known paper has."""
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
    counts = _often(text, [match.span() for match in _RUN.finditer(cut)])
    chosen: list[str] = []
    sought = 0
    for _, term in sorted([(-count * (len(term) - 1), term) for term, count in counts.items()]):
        if term in known or term[0] in _NEVER_FIRST or term[-1] in _NEVER_LAST:
            continue
        if any(map(term.__contains__, chosen)):
            continue
        within = max([counts[longer] for longer in chosen if term in longer], default=0)
        if 100 * within >= _PART_PERCENT * counts[term]:
            continue
        if _is_free(term, text, cut, counts):
            chosen.append(term)
        sought += 1
        if len(chosen) == MOST_TERMS or sought == _MOST_SOUGHT:
            break
    return chosen


def _often(text: str, runs: list[tuple[int, int]]) -> dict[str, int]:
    """Counts of the stretches that stand often enough. A longer one is looked at only where both shorter ones
    that make it up are such."""
    counts: dict[str, int] = {}
    places = [at for start, end in runs for at in range(start, end - _SHORTEST + 1)]
    for length in range(_SHORTEST, _LONGEST + 1):
        terms = [text[at : at + length] for at in places]
        often = {term: count for term, count in Counter(terms).items() if count >= _LEAST_COUNT}
        counts |= often
        found = [at for at, term in zip(places, terms, strict=True) if term in often]
        follows = set(found)
        places = [at for at in found if at + 1 in follows]
    return counts


def _is_free(term: str, text: str, cut: str, counts: Mapping[str, int]) -> bool:
    """Whether it has enough different neighbours on each side: a part of a longer word has but one. ``cut``:
    the text without the characters that seldom stand within a term, place by place."""
    before: set[str] = set()
    after: set[str] = set()
    at = cut.find(term)
    left, right = text[at - 1 : at] or " ", text[at + len(term) : at + len(term) + 1] or " "
    if max(counts.get(left + term, 0), counts.get(term + right, 0)) > counts[term] - _LEAST_NEIGHBOURS + 1:
        return False  # mostly of one longer word, which the first place shows
    while at >= 0:
        end = at + len(term)
        before.add(text[at - 1 : at])
        after.add(text[end : end + 1])
        if min(len(before), len(after)) >= _LEAST_NEIGHBOURS:
            return True
        at = cut.find(term, at + 1)
    return False
