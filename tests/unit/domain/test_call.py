"""A request as a value: what is reckoned of it once holds for it alone."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.domain.call import ChatRequest, Message


def request(content: str = "土壤") -> ChatRequest:
    return ChatRequest(messages=(Message(role="user", content=content),), max_tokens=100)


@pytest.mark.parametrize(
    "update", [{"messages": request("气温变化").messages}, {"max_tokens": 7}, {"tier": "flex"}, {}, None]
)
def test_a_copy_is_reckoned_as_if_it_were_made_anew(update: dict[str, Any] | None) -> None:
    first = request()
    before = first.digest, first.sizes, first.expected_tokens
    copy = first.model_copy(update=update)
    new = ChatRequest(**{"messages": first.messages, "max_tokens": 100, **(update or {})})
    assert (copy.digest, copy.sizes, copy.expected_tokens) == (new.digest, new.sizes, new.expected_tokens)
    assert (first.digest, first.sizes, first.expected_tokens) == before
