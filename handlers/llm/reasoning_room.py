"""The room for thinking: the part of ``max_tokens`` that a model uses up before its answer begins.

A task's request says what the *answer* may take. A model that thinks takes its thoughts out of the same
limit, so that all of it is gone, and paid for, before the first word of the answer. How long a model thinks
is learned from its answers: nothing is added for an endpoint that never thinks.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from handlers.domain.call import ChatAnswer, ChatRequest
from handlers.domain.call_errors import RejectedError
from handlers.errors import StoppedError
from handlers.rare_pattern import rare_pattern

CUT_WHILE_THINKING = "cut_while_thinking"
"""Class of such an answer in reports."""
_FIRST = 2_048
"""Tokens of the room once a model is seen to think: too large a step costs a larger reservation, too small a
one a paid call."""
_MOST = 32_768
"""Tokens to which doubling goes."""
_MARGIN = 1.5
"""Times the thoughts seen; they are never as long twice."""
_QUANTILE = 0.98
"""Share of the thoughts that fit: the few that do not are asked again."""
_FEW, _KEPT = 20, 500
"""Thoughts below which ``_FIRST`` is the least; thoughts remembered."""
_OWN = 50
"""Thoughts after which a job goes by what it saw itself."""
_SELDOM = 16
"""Answers between two looks at what is remembered."""
_VAIN = 2
"""Searches that told nothing of the room after which nobody waits for one, and none is begun unless answers
come all the same: the model does not stop thinking, or loses its way now and then."""
_TAIL = 2
"""Doublings for a request where it is known what others take: more than four times that is a loop."""
_STEP = 256
_POLL = 0.25
_NEARLY = 0.9
_NOISE = 32
"""Tokens by which providers count differently."""
_CUT = frozenset({"length", "max_tokens", "model_length", "max_output_tokens", "truncated", "incomplete"})
_TAG = r"(?:seed:|ant)?(?:think(?:ing)?|thoughts?|reason(?:ing)?)"
_OPEN = re.compile(rf"\s{{0,100}}<{_TAG}>", re.IGNORECASE)
_CLOSE = rare_pattern(rf"</{_TAG}>", re.IGNORECASE)


def thoughts(answer: ChatAnswer) -> int:
    """Tokens of the answer that are not its text, at least: as the API states them, those that the text
    cannot have (no token is shorter than a byte), or a part as large as that of thoughts in tags."""
    if (usage := answer.usage) is None:
        return 0
    size = len(answer.content.encode("utf-8", "surrogatepass"))
    tagged = 0.0
    if "</" in answer.content and (end := _end_of_thoughts(answer.content)):
        tagged = usage.completion_tokens * end / len(answer.content)
    return max(usage.reasoning_tokens, usage.completion_tokens - size, int(tagged))


def is_cut_while_thinking(request: ChatRequest, answer: ChatAnswer) -> bool:
    """Whether the limit was reached before the answer had the part that is its own. Blanks without an end
    (JSON mode of small models) are no thoughts: more room would be filled with more of them."""
    silent = not answer.content or _is_open(answer.content)
    if (answer.finish_reason or "").lower() not in _CUT:
        return silent and answer.usage is not None and answer.usage.completion_tokens >= request.max_tokens
    return silent or (thoughts(answer) > request.room and is_used_up(request, answer))


def is_used_up(request: ChatRequest, answer: ChatAnswer) -> bool:
    """False if an answer that was cut off is well below the limit that was sent: the endpoint has one of its
    own, and no room helps."""
    return answer.usage is None or answer.usage.completion_tokens >= _NEARLY * request.max_tokens


def widened(request: ChatRequest, room: int, cap: int | None) -> ChatRequest:
    """The request with ``room`` tokens more; all in all not above ``cap``, the user's."""
    most = request.max_tokens + room
    most = most if cap is None else max(request.max_tokens, min(most, cap))
    if most == request.max_tokens:
        return request
    return request.model_copy(update={"max_tokens": most, "room": most - request.max_tokens})


class ReasoningRoom:
    """The room of one run in a job. Thread-safe.

    It is a high quantile of the thoughts seen, with a margin. Until the first are seen in full, one request
    at a time searches for it by doubling, and all others wait: each would pay for the same search.
    """

    def __init__(self, floor: int = 0) -> None:
        self._floor = floor
        self._heard = 0
        self._seen: deque[int] = deque(maxlen=_KEPT)
        self._changed = threading.Condition()
        self._count = 0
        self._searching = False
        self._vain = 0
        self._whole = False
        """True if an answer came whole since a search failed."""
        self._tokens = floor

    @property
    def tokens(self) -> int:
        """What to add to the tokens that an answer may take."""
        return self._tokens

    @property
    def steps(self) -> int:
        """How often a request may be asked again with twice the room; 0 where that was in vain."""
        if self._seen or self._heard:
            return _TAIL
        if self._vain >= _VAIN:
            return _TAIL if self._whole else 0
        return max(1, (_MOST // _FIRST).bit_length())

    def hear(self, tokens: int) -> None:
        """What other jobs of the run have found."""
        if tokens > self._heard:
            with self._changed:
                self._heard = tokens
                self._settle()

    def learn(self, answer: ChatAnswer) -> None:
        """From an answer that is whole."""
        self._whole = True
        found = thoughts(answer)
        if found <= _NOISE:
            return
        with self._changed:
            self._seen.append(found)
            self._vain = 0
            self._count += 1
            if self._count <= _OWN or self._count % _SELDOM == 0 or found * _MARGIN > self._tokens:
                self._settle()

    def wait(self, give_up: Callable[[], bool]) -> None:
        """Until nobody searches. StoppedError if ``give_up`` says so first."""
        if not self._searching:
            return
        with self._changed:
            while self._searching:
                if give_up():
                    raise StoppedError("stopped while the room for thinking is searched for")
                self._changed.wait(_POLL)

    @contextmanager
    def search(self) -> Iterator[bool]:
        """For one request at a time while nothing is known; then for all, as where two were in vain. False:
        somebody else searches."""
        with self._changed:
            known = bool(self._seen or self._heard) or self._vain >= _VAIN
            mine = known or not self._searching
            self._searching = self._searching or not known
        try:
            yield mine
        except RejectedError:
            self._whole = False
            raise
        finally:
            if mine and not known:
                with self._changed:
                    self._searching = False
                    self._vain += not self._seen
                    self._changed.notify_all()

    def wider(self, room: int) -> int:
        """The next room for a request that was cut off with this one."""
        return max(self._tokens, min(max(_MOST, self._floor), max(_FIRST, 2 * room)))

    def _settle(self) -> None:
        own = 0
        if self._seen:
            ranked = sorted(self._seen)
            own = round(_MARGIN * ranked[min(len(ranked) - 1, int(_QUANTILE * len(ranked)))])
            own = -(-own // _STEP) * _STEP
            own = own if len(ranked) >= _FEW else max(own, _FIRST)
        self._tokens = max(self._floor, own if len(self._seen) >= _OWN else max(own, self._heard))


def _is_open(text: str) -> bool:
    return _OPEN.match(text) is not None and _CLOSE.search(text) is None


def _end_of_thoughts(text: str) -> int:
    """Characters up to the end of thoughts in tags before the answer; the opening tag may be lost."""
    begin = text.find("{")
    found = _CLOSE.search(text)
    if found is None or (0 <= begin < found.start() and _OPEN.match(text) is None):
        return 0
    return found.end()
