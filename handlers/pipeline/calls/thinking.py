"""A request is asked with room for the model's thoughts, and again with more where they took all of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from handlers.domain.call import CallRecord, ChatAnswer, ChatRequest
from handlers.domain.call_errors import RejectedError
from handlers.llm.reasoning_room import (
    CUT_WHILE_THINKING,
    ReasoningRoom,
    is_cut_while_thinking,
    is_used_up,
    thoughts,
    widened,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RoomyAsk:
    """``ports.Ask`` around ``send``, which makes one request's calls until it is answered.

    No request is sent twice with the same room. RejectedError ``cut_while_thinking`` if the room cannot grow:
    the user's cap is reached, the endpoint's own, or a model thinks without an end.
    """

    room: ReasoningRoom
    cap: int | None
    """The user's bound on ``max_tokens``."""
    send: Callable[[ChatRequest], ChatAnswer]
    give_up: Callable[[], bool] = lambda: False

    def __call__(self, request: ChatRequest) -> ChatAnswer:
        if request.kind == "embed":  # nobody thinks about it
            return self.send(request)
        least = 0
        for _ in range(100):
            self.room.wait(self.give_up)
            sent = widened(request, max(least, self.room.tokens), self.cap)
            answer = self.send(sent)
            if not is_cut_while_thinking(sent, answer):
                self._learn(answer)
                return answer
            least = sent.room
            if self._helps(sent, answer, self.room.tokens):
                continue  # found meanwhile
            with self.room.search() as mine:
                if mine:
                    return self._search(request, sent, answer)
        raise RejectedError("the room for thinking is not found", code=CUT_WHILE_THINKING)

    def _search(self, request: ChatRequest, sent: ChatRequest, answer: ChatAnswer) -> ChatAnswer:
        """With twice the room each time, and all calls of others held back meanwhile."""
        for step in range(self.room.steps):
            room = self.room.wider(sent.room)
            # An answer of nothing but thoughts that had room left is no matter of room: it has one more try.
            if not self._helps(sent, answer, room) and (step or is_used_up(sent, answer)):
                break
            sent = widened(request, room, self.cap)
            answer = self.send(sent)
            if not is_cut_while_thinking(sent, answer):
                self._learn(answer)
                return answer
        raise RejectedError(_told(sent, answer, self.cap), code=CUT_WHILE_THINKING)

    def _helps(self, sent: ChatRequest, answer: ChatAnswer, room: int) -> bool:
        """Whether a request with this room has more than the one that was cut off, and used all it had."""
        most = sent.max_tokens - sent.room + room
        most = most if self.cap is None else min(most, self.cap)
        return most > sent.max_tokens and is_used_up(sent, answer)

    def _learn(self, answer: ChatAnswer) -> None:
        before = self.room.tokens
        self.room.learn(answer)
        if self.room.tokens > before:
            logger.info(
                "the model thinks (%d tokens): room %d tokens beside the answer",
                thoughts(answer),
                self.room.tokens,
            )


def is_whole(call: CallRecord) -> bool:
    """Whether the call's answer can be given again."""
    return call.outcome == "ok" and call.code != CUT_WHILE_THINKING


def cut_off(request: ChatRequest, outcome: object) -> dict[str, object]:
    """The class of an answer whose limit was used up by thoughts, as a field of its record."""
    cut = isinstance(outcome, ChatAnswer) and is_cut_while_thinking(request, outcome)
    return {"code": CUT_WHILE_THINKING} if cut else {}


def _told(sent: ChatRequest, answer: ChatAnswer, cap: int | None) -> str:
    cure = "let it think less (--extra-body), or take another model"
    if cap is not None and sent.max_tokens >= cap:
        cure = f"raise --max-tokens, or {cure}"
    if not is_used_up(sent, answer):
        cure = (
            f"there was room left: the endpoint has a limit of its own, or nothing but thoughts came: {cure}"
        )
    return (
        f"cut off while thinking: {thoughts(answer)} tokens of thoughts"
        f" in a max_tokens of {sent.max_tokens}; {cure}"
    )
