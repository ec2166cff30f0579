"""What a corpus is made of: counts and token estimates, for plans and prices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from handlers.corpus.field_names import FIELDS
from handlers.corpus.index import EMPTY, FOLLOWER, NO_DERIVATIVES
from handlers.corpus.normalise import Prepared
from handlers.domain.token_estimate import estimate_answer_tokens
from handlers.domain.value import Frozen

_TEXT = sum(1 << FIELDS.index(name) for name in ("title", "abstract"))
MAX_DISTINCT = 500
"""Languages or licences told apart; the rest counts as ``other``, so that memory is bounded."""


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
    without_text: int = 0
    """Papers with neither title nor abstract, or nothing that the task reads, which are skipped."""
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


@dataclass
class ProfileBuilder:
    """Adds papers up, at constant memory."""

    names: Sequence[str] = FIELDS
    """Of the bits of ``Prepared.filled``."""
    of_a_task: bool = False
    """Then what is read is a record's text."""
    _papers: int = 0
    _characters: int = 0
    _flags: Counter[int] = field(default_factory=Counter)
    _filled: Counter[int] = field(default_factory=Counter)
    _sizes: Counter[int] = field(default_factory=Counter)
    _licenses: Counter[str] = field(default_factory=Counter)
    _languages: dict[str, _Sums] = field(default_factory=dict)

    def add(self, paper: Prepared, *, follower: bool) -> None:
        self._papers += 1
        self._characters += paper.characters
        self._flags[paper.flags | (FOLLOWER if follower else 0)] += 1
        self._filled[paper.filled] += 1
        self._sizes[_power_of_two(paper.tokens + paper.body_tokens)] += 1
        self._licenses[_bounded(paper.license or "unknown", self._licenses)] += 1
        code = _bounded(paper.language or "unknown", self._languages)
        sums = self._languages.get(code)
        if sums is None:
            sums = self._languages[code] = _Sums()
        sums.add(paper, follower=follower)

    def build(self) -> Profile:
        languages = dict(sorted(self._languages.items()))
        return Profile(
            papers=self._papers,
            same_as=_with_bit(self._flags, FOLLOWER),
            empty=_with_bit(self._flags, EMPTY),
            without_text=self._without_text(),
            no_derivatives=_with_bit(self._flags, NO_DERIVATIVES),
            characters=self._characters,
            tokens_in=sum(sums.tokens_in for sums in languages.values()),
            tokens_out=sum(sums.tokens_out for sums in languages.values()),
            body_tokens_in=sum(sums.body_tokens_in for sums in languages.values()),
            body_tokens_out=sum(sums.body_tokens_out for sums in languages.values()),
            languages={code: sums.share() for code, sums in languages.items()},
            licenses=dict(sorted(self._licenses.items())),
            filled={name: _with_bit(self._filled, 1 << bit) for bit, name in enumerate(self.names)},
            sizes=dict(sorted(self._sizes.items())),
        )

    def _without_text(self) -> int:
        if self.of_a_task:
            return _with_bit(self._flags, EMPTY)
        return sum(count for bits, count in self._filled.items() if not bits & _TEXT)


@dataclass
class _Sums:
    """Of one language's papers."""

    papers: int = 0
    sent: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    body_tokens_in: int = 0
    body_tokens_out: int = 0

    def add(self, paper: Prepared, *, follower: bool) -> None:
        self.papers += 1
        if follower:
            return
        self.sent += 1
        self.tokens_in += paper.tokens
        self.tokens_out += estimate_answer_tokens(paper.tokens)
        if paper.body_tokens:
            self.body_tokens_in += paper.body_tokens
            self.body_tokens_out += estimate_answer_tokens(paper.body_tokens)

    def share(self) -> LanguageShare:
        return LanguageShare(
            papers=self.papers, sent=self.sent, tokens_in=self.tokens_in, tokens_out=self.tokens_out
        )


def _with_bit(counts: Counter[int], bit: int) -> int:
    return sum(count for bits, count in counts.items() if bits & bit)


def _power_of_two(tokens: int) -> int:
    return 1 << max(0, tokens - 1).bit_length()


def _bounded(key: str, known: Mapping[str, object]) -> str:
    return key if key in known or len(known) < MAX_DISTINCT else "other"
