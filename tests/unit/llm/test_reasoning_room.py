"""The room for thinking: what counts as a cut, how wide the room becomes, who searches for it."""

from __future__ import annotations

import random
import threading

import pytest

from handlers.domain.call import ChatAnswer, ChatRequest, Message, Usage
from handlers.errors import StoppedError
from handlers.llm.reasoning_room import ReasoningRoom, is_cut_while_thinking, thoughts, widened

REQUEST = ChatRequest(messages=(Message(role="user", content="text"),), max_tokens=480)


def answer(
    content: str, completion: int | None = None, reasoning: int = 0, finish: str | None = "stop"
) -> ChatAnswer:
    usage = (
        None
        if completion is None
        else Usage(prompt_tokens=9, completion_tokens=completion, reasoning_tokens=reasoning)
    )
    return ChatAnswer(content=content, finish_reason=finish, usage=usage)


@pytest.mark.parametrize(
    ("given", "cut"),
    [
        (answer("", 480, 480, "length"), True),
        (answer("", 480, 0, "length"), True),  # thoughts that nobody counts
        (answer("", None, 0, "length"), True),  # without usage
        (answer("", 480, 0, None), True),  # without a reason
        (answer("", 480, 480, "MAX_TOKENS"), True),
        (answer("", 200, 200, "length"), True),  # the endpoint's own limit
        (answer("<think>Let me see, the title", 480, 0, "length"), True),
        (answer("\n<THINKING>\nThe user", None, 0, "length"), True),
        (answer('{"title": "Relat', 480, 450, "length"), True),
        (answer('{"title": "' + "word " * 470, 480, 0, "length"), False),  # the answer itself is too long
        (answer(" \n" * 600, 480, 0, "length"), False),  # blanks without an end
        (answer("", 3, 0, "stop"), False),  # an empty answer
        (answer("", 0, 0, "content_filter"), False),
        (answer('{"title": "Thin films"}', 480, 470, "stop"), False),
        (answer('{"title": "Thin films"}', 20, 0, None), False),
    ],
)
def test_a_cut_while_thinking_is_told_from_other_ends(given: ChatAnswer, cut: bool) -> None:
    assert is_cut_while_thinking(REQUEST, given) is cut


def test_thoughts_that_fit_into_their_room_are_not_what_cut_an_answer_off() -> None:
    roomy = widened(REQUEST, 2_048, None)
    assert not is_cut_while_thinking(roomy, answer("word " * 500, 2_528, 1_900, "length"))
    assert is_cut_while_thinking(roomy, answer("word " * 10, 2_528, 2_500, "length"))


@pytest.mark.parametrize(
    ("given", "tokens"),
    [
        (answer('{"a": "b"}', 500, 450), 490),
        (answer('{"a": "b"}', 5), 0),
        (answer('{"a": "b"}'), 0),
        (answer("<think>" + "x" * 893 + "</think>{" + "y" * 91, 300), 272),
        (answer("x" * 892 + "</thought>{" + "y" * 97, 300), 270),  # its opening tag is lost
        (answer('{"a": "<think>' + "x" * 900 + '</think>"}', 300), 0),  # a paper's own
    ],
)
def test_thoughts_are_counted_at_least(given: ChatAnswer, tokens: int) -> None:
    assert thoughts(given) == tokens


def test_a_cap_of_the_users_bounds_room_and_answer_together() -> None:
    assert (widened(REQUEST, 2_048, None).max_tokens, widened(REQUEST, 2_048, None).room) == (2_528, 2_048)
    assert widened(REQUEST, 2_048, 1_000).max_tokens == 1_000
    assert widened(REQUEST, 0, None) is widened(REQUEST, 2_048, 480) is REQUEST
    assert widened(REQUEST, 2_048, None).digest == REQUEST.digest


def test_an_endpoint_that_never_thinks_has_no_room() -> None:
    room = ReasoningRoom()
    for tokens in range(1, 1_000):
        room.learn(answer("x" * 4 * tokens, tokens))
    assert room.tokens == 0


@pytest.mark.parametrize("seed", range(5))
def test_the_room_holds_nearly_all_thoughts_and_is_not_moved_by_a_few_endless_ones(seed: int) -> None:
    chance = random.Random(seed)
    room, cut = ReasoningRoom(), 0
    for n in range(2_000):
        thinking = 30_000 if n % 200 == 199 else chance.randint(300, 1_000)
        cut += thinking > room.tokens and n >= 1
        room.learn(answer("", thinking + 1, thinking))
    assert cut <= 2_000 // 200 + 3
    assert 1_000 <= room.tokens <= 1_500 + 256


def test_a_floor_holds_and_what_others_found_counts_until_a_job_knows_better() -> None:
    room = ReasoningRoom(500)
    assert room.tokens == 500
    room.hear(4_096)
    room.hear(100)
    assert room.tokens == 4_096
    for _ in range(60):
        room.learn(answer("", 1_001, 1_000))
    assert room.tokens == 1_536


def test_one_searches_while_the_others_wait() -> None:
    room = ReasoningRoom()
    passed = threading.Event()

    def wait() -> None:
        room.wait(lambda: False)
        passed.set()

    with room.search() as mine:
        assert mine
        with room.search() as another:
            assert not another
        waiting = threading.Thread(target=wait, daemon=True)
        waiting.start()
        with pytest.raises(StoppedError):
            room.wait(lambda: True)
        assert not passed.wait(0.05)
        room.learn(answer("", 3_001, 3_000))
    assert passed.wait(60)
    waiting.join()
    with room.search() as mine, room.search() as another:
        assert mine
        assert another  # it is known what to expect: nobody has to wait


def test_searches_in_vain_end() -> None:
    room = ReasoningRoom()
    for _ in range(2):
        assert room.steps >= 5
        with room.search():
            pass
    assert room.steps == 0
    room.learn(answer("", 3_001, 3_000))
    assert room.steps > 0
