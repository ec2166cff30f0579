"""Tokens of texts, roughly: enough to plan and to cut batches by."""

from __future__ import annotations

ANSWER_PERCENT = 110
"""Tokens of a translation for each hundred of its source, Chinese to English."""
ANSWER_FRAME = 30
"""Tokens of the JSON around an answer."""


def tokens_of_size(characters: int, size: int) -> int:
    """Tokens of a text of so many characters in so many bytes of UTF-8, roughly: 0.75 for a Han character, 1
    for every 4 others.

    Han is taken as what needs three bytes of UTF-8 (Chinese punctuation, kana and hangul too; two bytes
    count half), because that is a subtraction and no scan. Real tokenizers differ by about 30%.
    """
    # With (size - characters) / 2 for Han, 0.75 and 0.25 come down to this, and to the second case where most
    # characters take four bytes. Rounded up.
    return -(-size // 4) if size <= 3 * characters else -(-3 * (size - characters) // 8)


def estimate_answer_tokens(tokens: int) -> int:
    """Tokens of the answer to a text of so many tokens."""
    return -(-tokens * ANSWER_PERCENT // 100) + ANSWER_FRAME if tokens else 0
