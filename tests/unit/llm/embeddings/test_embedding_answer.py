"""Bodies of embeddings APIs: vectors in their order, or why there are none."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.domain.call import ChatAnswer, Usage
from handlers.domain.call_errors import ModelCallError, RejectedError, TransientError
from handlers.domain.tasks.vectors import floats_of, numbers_of, shown_vector
from handlers.llm.answers import Expected
from handlers.llm.classify import Refusal
from handlers.llm.embeddings.embedding_answer import read_vectors

EXPECTED = Expected(request_bytes=200, max_tokens=1)
USAGE = {"prompt_tokens": 8, "total_tokens": 8}


def packed(*numbers: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def body(*rows: object, **more: Any) -> bytes:
    return json.dumps({"object": "list", "data": list(rows), "usage": USAGE, **more}).encode()


def row(vector: object, index: object = 0) -> dict[str, object]:
    return {"object": "embedding", "index": index, "embedding": vector}


def read(data: bytes, texts: int = 1) -> ChatAnswer:
    answer = read_vectors(data, texts, EXPECTED)
    assert isinstance(answer, ChatAnswer)
    return answer


@pytest.mark.parametrize("vector", [[0.5, -1, 2], packed(0.5, -1, 2)])
def test_numbers_and_base64_are_the_same_vector(vector: object) -> None:
    answer = read(body(row(vector), model="text-embedding-3-small"))
    assert answer.content == packed(0.5, -1, 2)
    assert (answer.usage, answer.model) == (
        Usage(prompt_tokens=8, completion_tokens=0),
        "text-embedding-3-small",
    )


def test_several_texts_have_their_vectors_in_their_order() -> None:
    answer = read(body(row([2.0], 1), row([3.0], 2), row([1.0], 0)), texts=3)
    assert answer.content.split("\n") == [packed(1), packed(2), packed(3)]
    assert read(body({"embedding": [4.0]}, {"embedding": [5.0]}), texts=2).content.split("\n")[1] == packed(5)


@pytest.mark.parametrize(
    "usage",
    [{"prompt_tokens": 8, "completion_tokens": 5, "total_tokens": 13},
     {"prompt_tokens": 8, "total_tokens": 8}, {"prompt_tokens": 8, "completion_tokens": 0}],
)  # fmt: skip
def test_the_prompt_alone_is_priced(usage: dict[str, int]) -> None:
    assert read(body(row([1.0]), usage=usage)).usage == Usage(prompt_tokens=8, completion_tokens=0)


def test_a_usage_that_cannot_be_true_or_is_missing_is_none() -> None:
    assert read(body(row([1.0]), usage={"prompt_tokens": 10**9, "total_tokens": 10**9})).usage is None
    assert read(json.dumps({"data": [row([1.0])]}).encode()).usage is None


BAD = [
    (),
    (row([1.0], 0), row([2.0], 1)),
    (row([]),),
    (row(None),),
    (row("not base64!"),),
    (row(base64.b64encode(b"12345").decode()),),
    (row(""),),
    (row([1.0, "2"]),),
    (row([True, False]),),
    (row([[1.0, 2.0]]),),
    (row({"0": 1.0}),),
    (row([1.0], 1),),
    (row([1.0], "0"),),
    (row([1.0], True),),
    ([1.0, 2.0],),
    (row([0.1] * 65_537),),
    (row([10**400]),),
]


@pytest.mark.parametrize("rows", BAD)
def test_what_is_paid_for_and_has_no_vector_for_each_text_is_refused(rows: tuple[object, ...]) -> None:
    with pytest.raises(RejectedError) as caught:
        read_vectors(body(*rows), 1, EXPECTED)
    assert (caught.value.code, caught.value.usage) == (
        "bad_vectors",
        Usage(prompt_tokens=8, completion_tokens=0),
    )


def test_doubled_indices_are_refused() -> None:
    with pytest.raises(RejectedError, match="indices"):
        read_vectors(body(row([1.0], 0), row([2.0], 0)), 2, EXPECTED)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "bad_body"),
        (b"<html><body>502</body></html>", "web_page"),
        (b'{"choices": [{"message": {"content": "Hello"}}]}', "bad_body"),
        (b'{"data": "text"}', "bad_body"),
        (b"[1, 2]", "bad_body"),
        (body(row([1.0, 2.0]))[:-20], None),
    ],
)
def test_what_is_no_such_answer_is_asked_for_again(data: bytes, code: str | None) -> None:
    with pytest.raises(TransientError) as caught:
        read_vectors(data, 1, EXPECTED)
    assert code is None or caught.value.code == code


def test_an_error_inside_a_200_is_one() -> None:
    said = json.dumps({"error": {"message": "Rate limit reached", "code": "rate_limit_exceeded"}}).encode()
    assert isinstance(read_vectors(said, 1, EXPECTED), Refusal)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["data", "embedding", "index", "usage", "error"]), inner, max_size=4),
    max_leaves=12,
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_whatever_comes_ends_in_an_answer_or_in_a_class(data: bytes) -> None:
    try:
        outcome = read_vectors(data, 1, EXPECTED)
    except ModelCallError:
        return
    assert isinstance(outcome, ChatAnswer | Refusal)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_exported_digits_are_read_back_as_the_same_float32(numbers: list[float]) -> None:
    stored = packed(*numbers)
    exported = numbers_of(stored, normalise=False)
    assert packed(*exported) == stored
    assert list(floats_of(stored)) == numbers


def test_vectors_get_length_1_where_it_is_asked_for() -> None:
    assert numbers_of(packed(3, 4), normalise=True) == pytest.approx([0.6, 0.8])
    assert numbers_of(packed(0, 0), normalise=True) == [0.0, 0.0]
    assert shown_vector(packed(*range(9))).startswith("9 numbers: 0, 1, 2")
