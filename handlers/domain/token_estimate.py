"""Tokens of texts, estimated by counting characters. Real tokenizers differ by about 30%.

Each use has constants of its own, for none may move: batches are cut by the first, money is reserved by the
second, requests carry the third. A character counts as wide by what it takes in UTF-8, which is a subtraction
and no scan: Han takes three bytes (Chinese punctuation, kana and hangul too; two bytes count half).

The simulated API counts tokens by itself (``handlers.model_server``), for it plays a provider.
"""

from __future__ import annotations

ANSWER_PERCENT = 110
"""Tokens of a translation for each hundred of its source, Chinese to English."""
ANSWER_FRAME = 30
"""Tokens of the JSON around an answer."""

PER_WIDE, PER_NARROW = 0.75, 0.28
"""Tokens of a character, where money and time are reckoned: Chinese in today's vocabularies, English."""
PER_MESSAGE = 4.0
"""Tokens of a message beside its text."""

LIMIT_PER_LATIN_LETTER, LIMIT_PER_LETTER, LIMIT_PER_OTHER = 0.5, 1.1, 0.5
"""English tokens of a source's letter and of another character, at most: a Han character makes about 0.8, a
Latin one 0.3; rarer scripts cost more."""
LIMIT_PER_PLACEHOLDER, LIMIT_PER_KEY, LIMIT_SPARE = 6, 10, 200


def tokens_of_size(characters: int, size: int) -> int:
    """For cutting batches: tokens of a text with so many characters in so many bytes of UTF-8, 0.75 for a
    wide character and 1 for every 4 others, rounded up."""
    # With (size - characters) / 2 wide ones it comes down to this, and to the second case where most
    # characters take four bytes.
    return -(-size // 4) if size <= 3 * characters else -(-3 * (size - characters) // 8)


def estimate_answer_tokens(tokens: int) -> int:
    """For a corpus's profile: tokens of the answer to a text of so many tokens."""
    return -(-tokens * ANSWER_PERCENT // 100) + ANSWER_FRAME if tokens else 0


def expected_tokens(characters: int, size: int) -> float:
    """For money and time: tokens of a text with so many characters in so many bytes of UTF-8."""
    wide = (size - characters) / 2
    return wide * PER_WIDE + max(0.0, characters - wide) * PER_NARROW


def answer_limit(letters: int, others: int, *, latin: bool) -> int:
    """For ``max_tokens``: English tokens of a text with so many letters of its source's script, which may be
    ``latin``, and so many other characters, at most."""
    return int(letters * (LIMIT_PER_LATIN_LETTER if latin else LIMIT_PER_LETTER) + others * LIMIT_PER_OTHER)
