"""Which of a paper's words are asked for first, so that its passages, asked side by side, call a thing by
one name. Whole numbers and sorted ties alone, so that every machine finds the same."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection

from handlers.domain.writing_systems import HAN_LETTERS

MOST_TERMS = 20
_SHORTEST, _LONGEST = 3, 8
_LEAST_COUNT, _LEAST_NEIGHBOURS = 4, 3
_PART_PERCENT = 60
_FUNCTION = re.compile("[的了在是和与及或对为以从由于其这那被把而但则也都又所之此各等并就将着若且虽均仅该即]")
"""Characters that seldom stand within a term."""
_RUN = re.compile(f"[{HAN_LETTERS}]{{{_SHORTEST},}}")


def candidate_terms(text: str, known: Collection[str] = ()) -> list[str]:
    """Up to 20 runs of three to eight ideographs that occur often and between different neighbours, the
    weightiest first: by count times one less than the length, then by the text. None that is ``known``, and
    none that hardly stands but within one chosen before. Linear in the text."""
    cut = _FUNCTION.sub("\n", text)
    runs = [match.span() for match in _RUN.finditer(cut)]
    counts = _counts(text, runs)
    counts = {term: count for term, count in counts.items() if term not in known}
    free = _free(text, runs, counts)
    chosen: list[str] = []
    for term in sorted(free, key=lambda term: (-counts[term] * (len(term) - 1), term)):
        within = max((counts[longer] for longer in chosen if term in longer), default=0)
        around = any(shorter in term for shorter in chosen)
        if not around and 100 * within < _PART_PERCENT * counts[term]:
            chosen.append(term)
            if len(chosen) == MOST_TERMS:
                break
    return chosen


def _counts(text: str, runs: list[tuple[int, int]]) -> dict[str, int]:
    """How often each stretch stands, of those that stand often enough. A longer one is looked at only where
    both shorter ones that make it up do."""
    found: dict[str, int] = {}
    places = [at for start, end in runs for at in range(start, end - _SHORTEST + 1)]
    for length in range(_SHORTEST, _LONGEST + 1):
        counted = Counter(text[at : at + length] for at in places)
        often = {term: count for term, count in counted.items() if count >= _LEAST_COUNT}
        found |= often
        kept = [at for at in places if text[at : at + length] in often]
        follows = set(kept)
        places = [at for at in kept if at + 1 in follows]
    return found


def _free(text: str, runs: list[tuple[int, int]], counts: dict[str, int]) -> list[str]:
    """Those with enough different neighbours on each side: a part of a longer word has but one."""
    sides: dict[str, tuple[set[str], set[str]]] = {term: (set(), set()) for term in counts}
    for start, end in runs:
        for at in range(start, end - _SHORTEST + 1):
            for length in range(_SHORTEST, min(_LONGEST, end - at) + 1):
                found = sides.get(text[at : at + length])
                if found is None:
                    continue
                found[0].add(text[at - 1] if at else "")
                found[1].add(text[at + length : at + length + 1])
    return [term for term, both in sides.items() if min(map(len, both)) >= _LEAST_NEIGHBOURS]
