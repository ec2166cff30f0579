"""What a corpus is made of: counts and token estimates, for plans and prices."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from handlers.corpus.index import EMPTY, FOLLOWER, NO_DERIVATIVES
from handlers.corpus.records import FIELDS, Draft
from handlers.models import Frozen

ANSWER_PERCENT = 110
"""Tokens of a translation for each hundred of its source, Chinese to English."""
ANSWER_FRAME = 30
"""Tokens of the JSON around an answer."""
MAX_DISTINCT = 500
"""Languages or licences told apart; the rest counts as ``other``, so that memory is bounded."""
_FIELDS = frozenset(FIELDS)


def estimate_tokens(text: str) -> int:
    """Tokens of a text, roughly: 0.75 for a Han character, 1 for every 4 others.

    Han is taken as what needs three bytes of UTF-8 (Chinese punctuation, kana and hangul too; two bytes
    count half), because that is a subtraction and no scan. Real tokenizers differ by about 30%.
    """
    wide = (len(text.encode("utf-8", "surrogatepass")) - len(text)) / 2
    return math.ceil(0.75 * wide + 0.25 * max(0.0, len(text) - wide))


def estimate_answer_tokens(tokens: int) -> int:
    """Tokens of the answer to a text of so many tokens."""
    return -(-tokens * ANSWER_PERCENT // 100) + ANSWER_FRAME if tokens else 0


class LanguageShare(Frozen):
    """Papers of one language. Tokens leave out followers: they are never sent."""

    papers: int
    sent: int
    tokens_in: int
    tokens_out: int


class Profile(Frozen):
    """Sums over a corpus. ``tokens_*`` are estimates over the papers that are sent (``papers - same_as``),
    for title, abstract and keywords; bodies count apart; prompts' fixed text is not in them."""

    papers: int
    same_as: int
    empty: int
    no_derivatives: int
    characters: int
    """Of all texts, followers' too."""
    tokens_in: int
    tokens_out: int
    body_tokens_in: int
    body_tokens_out: int
    languages: dict[str, LanguageShare]
    """By ISO 639 code; ``unknown`` where it was neither given nor found out."""
    licenses: dict[str, int]
    filled: dict[str, int]
    """Papers that have the field."""
    sizes: dict[int, int]
    """Histogram of text and body tokens: upper bound (a power of two) → papers, all of them."""


@dataclass(frozen=True)
class Measure:
    """Sizes of one paper."""

    characters: int
    tokens: int
    body_tokens: int

    @classmethod
    def of(cls, draft: Draft) -> Measure:
        parts = (draft.text("title"), draft.text("abstract"), *draft.keywords())
        body = draft.text("body")
        characters = sum(map(len, parts)) + len(body)
        return cls(characters, estimate_tokens("".join(parts)), estimate_tokens(body))


@dataclass
class ProfileBuilder:
    """Adds papers up, at constant memory."""

    _sums: Counter[str] = field(default_factory=Counter)
    _filled: Counter[str] = field(default_factory=Counter)
    _sizes: Counter[int] = field(default_factory=Counter)
    _licenses: Counter[str] = field(default_factory=Counter)
    _languages: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, draft: Draft, measure: Measure, flags: int) -> None:
        sums = self._sums
        sums["papers"] += 1
        sums["characters"] += measure.characters
        sums["same_as"] += bool(flags & FOLLOWER)
        sums["empty"] += bool(flags & EMPTY)
        sums["no_derivatives"] += bool(flags & NO_DERIVATIVES)
        for name, value in draft.fields.items():
            if value and name in _FIELDS:
                self._filled[name] += 1
        self._sizes[_power_of_two(measure.tokens + measure.body_tokens)] += 1
        self._licenses[_bounded(draft.text("license") or "unknown", self._licenses)] += 1
        self._add_tokens(draft, measure, follower=bool(flags & FOLLOWER))

    def _add_tokens(self, draft: Draft, measure: Measure, *, follower: bool) -> None:
        code = _bounded(draft.text("language") or "unknown", self._languages)
        share = self._languages.setdefault(code, Counter())
        share["papers"] += 1
        if follower:
            return
        tokens_out = estimate_answer_tokens(measure.tokens)
        share["sent"] += 1
        share["tokens_in"] += measure.tokens
        share["tokens_out"] += tokens_out
        self._sums["tokens_in"] += measure.tokens
        self._sums["tokens_out"] += tokens_out
        self._sums["body_tokens_in"] += measure.body_tokens
        self._sums["body_tokens_out"] += estimate_answer_tokens(measure.body_tokens)

    def build(self) -> Profile:
        names = ("papers", "same_as", "empty", "no_derivatives", "characters")
        tokens = ("tokens_in", "tokens_out", "body_tokens_in", "body_tokens_out")
        shares = {
            code: LanguageShare(**{name: share[name] for name in LanguageShare.model_fields})
            for code, share in sorted(self._languages.items())
        }
        return Profile(
            **{name: self._sums[name] for name in (*names, *tokens)},
            languages=shares,
            licenses=dict(sorted(self._licenses.items())),
            filled={name: self._filled[name] for name in FIELDS},
            sizes=dict(sorted(self._sizes.items())),
        )


def _power_of_two(tokens: int) -> int:
    return 1 << max(0, tokens - 1).bit_length()


def _bounded(key: str, known: Counter[str] | dict[str, Counter[str]]) -> str:
    return key if key in known or len(known) < MAX_DISTINCT else "other"
