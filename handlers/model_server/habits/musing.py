"""Thinking: counted in max_tokens and billed as completion, and where models leave their thoughts."""

from __future__ import annotations

from collections.abc import Callable

from handlers.model_server.habits.turn import Habit, Turn
from handlers.model_server.reply import encoded

_ENDLESS = 1 << 20
_UNLIMITED = 4_096
"""Tokens of thinking without an end where the request sets none."""
_MUSING = "The title first, then {the abstract}; numbers and marks stay."


def _thinks(least: int, most: int) -> Callable[[Turn], None]:
    def act(turn: Turn) -> None:
        turn.reasoning += least + int(turn.chance * (most - least))
        turn.message["reasoning_content"] = _MUSING

    return act


def _starved(turn: Turn) -> None:
    turn.reasoning = _UNLIMITED if turn.max_tokens is None else _ENDLESS
    turn.text, turn.silent = "", True
    turn.message["reasoning"] = _MUSING


def _before(lead: str) -> Callable[[Turn], None]:
    def act(turn: Turn) -> None:
        turn.text = lead + turn.text

    return act


def _draft(turn: Turn) -> str | None:
    """A first attempt without placeholders and numbers."""
    texts = turn.texts()
    if texts is None:
        return None
    return encoded(dict.fromkeys(texts, "a draft of the text"))


def _draft_in_thoughts(turn: Turn) -> None:
    if (draft := _draft(turn)) is not None:
        turn.text = f"<think>A first attempt: {draft} The numbers are missing.</think>\n{turn.text}"


def _draft_first(turn: Turn) -> None:
    if (draft := _draft(turn)) is not None:
        turn.text = f"{draft}\nOn second thought, with the numbers:\n{turn.text}"


MUSING = (
    Habit("thinks", "thinks for 300 to 1,000 tokens before the answer", "answer", _thinks(300, 1000)),
    Habit("thinks_long", "thinks for 2,000 to 3,000 tokens before the answer", "answer", _thinks(2000, 3000)),
    Habit("starved", "no content at all: cut off while thinking, max_tokens billed", "answer", _starved),
    Habit("tagged_thoughts", "thoughts in <think> tags before the answer", "answer",
          _before(f"<think>{_MUSING}</think>\n\n")),
    Habit("other_tags", "thoughts in another tag before the answer", "answer",
          _before(f"<reasoning>\n{_MUSING}\n</reasoning>\n")),
    Habit("opening_tag_lost", "thoughts whose opening tag is lost", "answer",
          _before(f"{_MUSING}\n</think>\n")),
    Habit("draft_in_thoughts", "a draft of the answer inside the thoughts", "answer", _draft_in_thoughts),
    Habit("draft_first", "a draft of the answer before the answer", "answer", _draft_first),
)  # fmt: skip
