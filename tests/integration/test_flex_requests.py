"""Requests for the flex tier on the wire, and what refusals of it are taken for."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.domain.call import ChatRequest
from handlers.domain.call_errors import ModelCallError
from handlers.llm.client import HttpChatModel
from handlers.settings import FLEX_SECONDS, load_settings
from tests.builders.llm_calls import REQUEST, model
from tests.builders.wire import Conversation, WireRequest, WireServer, always, completion, error, response

FLEX = REQUEST.model_copy(update={"tier": "flex"})
FALLEN_BACK = REQUEST.model_copy(update={"tier": "standard"})


def test_the_tier_is_all_that_a_flex_request_adds_and_no_part_of_what_is_asked() -> None:
    with WireServer(always(response(200, completion("ok", service_tier="flex")))) as server:
        client = model(server)
        plain, fallen, flex = (client.body(each) for each in (REQUEST, FALLEN_BACK, FLEX))
        assert client.complete(FLEX, timeout=60).tier == "flex"
        client.close()
    assert plain == fallen == flex.replace(b',"service_tier":"flex"', b"")
    assert b"service_tier" not in plain
    assert REQUEST.digest == FLEX.digest


def refusal(client: HttpChatModel, request: ChatRequest) -> str | None:
    """The class of a call that is refused, the client's last."""
    with pytest.raises(ModelCallError) as caught:
        client.complete(request, timeout=60)
    client.close()
    return caught.value.code


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, error("Unknown parameter: 'service_tier'."), "flex_unsupported"),
        (400, error("The model does not support flex processing"), "flex_unsupported"),
        (403, error("Your plan has no access to the flex tier"), "flex_unsupported"),
        (404, error("No endpoints found that support service tier flex"), "flex_unsupported"),
        (422, {"detail": [{"loc": ["body"], "msg": "service_tier: extra fields"}]}, "flex_unsupported"),
        (429, error("Resource Unavailable", code="resource_unavailable"), "no_capacity"),
        (429, error("Resource Unavailable"), "no_capacity"),
        (429, error("Flex capacity is temporarily unavailable"), "no_capacity"),
        (498, error("busy", code="capacity_exceeded"), "no_capacity"),
        (503, error("service_tier flex is full", code="capacity_exceeded"), "no_capacity"),
        (400, error("service_tier flex is full", code="capacity_exceeded"), "no_capacity"),
        (429, error("Rate limit reached for requests"), "throttled"),
    ],
)
def test_a_refusal_of_the_tier_is_told_from_a_full_one(status: int, body: dict[str, Any], code: str) -> None:
    with WireServer(always(response(status, body))) as server:
        assert refusal(model(server), FLEX) == code
    assert len(server.requests) == 1


OF_ONE_REQUEST = [
    (500, error("error while processing your flex request. Please retry."), "http_500"),
    (400, error("blocked: 'Printed flex sensors'", code="content_filter"), "content_filter"),
    (400, error("too long for the flex tier", code="context_length_exceeded"), "too_long"),
    (400, error("invalid utf-8 near 'flex sensors'"), "http_400"),
    (400, error("the flex tier could not read the request"), "http_400"),
]


@pytest.mark.parametrize(("status", "body", "code"), OF_ONE_REQUEST)
def test_what_is_about_one_request_is_not_about_the_tier(
    status: int, body: dict[str, Any], code: str
) -> None:
    """Where flex was served before: whatever the text, which may be a paper's."""

    def then_refused(request: WireRequest, conversation: Conversation) -> None:
        first = len(server.requests) == 1
        served = completion("ok", service_tier="flex")
        conversation.send(response(200, served) if first else response(status, body))

    with WireServer(then_refused) as server:
        client = model(server)
        client.complete(FLEX, timeout=60)
        assert refusal(client, FLEX) == code


@pytest.mark.parametrize(("status", "body", "code"), OF_ONE_REQUEST[:4])
def test_a_word_of_the_paper_is_no_refusal_of_the_tier(status: int, body: dict[str, Any], code: str) -> None:
    with WireServer(always(response(status, body))) as server:
        assert refusal(model(server), FLEX) == code


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (503, error("[Errno 11] Resource temporarily unavailable"), "http_503"),
        (529, error("resource unavailable"), "http_529"),
        (400, error("busy", code="capacity_exceeded"), "http_400"),
        (429, error("Resource Unavailable"), "no_capacity"),
    ],
)
def test_only_the_flex_tier_is_full_in_so_many_words(status: int, body: dict[str, Any], code: str) -> None:
    """An outage of the standard tier has its number of tries."""
    with WireServer(always(response(status, body))) as server:
        client = model(server)
        client._dialect.probed = True
        assert refusal(client, REQUEST) == code


def test_a_refusal_that_names_nothing_is_found_to_be_about_the_tier() -> None:
    def strict(request: WireRequest, conversation: Conversation) -> None:
        bad = "service_tier" in request.json
        conversation.send(response(400, error("bad request")) if bad else response(200, completion("ok")))

    with WireServer(strict) as server:
        client = model(server)
        assert client.complete(FLEX, timeout=60).content == "ok"
        with pytest.raises(ModelCallError, match="run without --flex"):
            client.complete(FLEX, timeout=60)
        client.close()


def test_flex_gives_calls_fifteen_minutes_unless_told_otherwise() -> None:
    flex = load_settings(flex=True)
    assert (flex.call_timeout, flex.read_timeout) == (FLEX_SECONDS, FLEX_SECONDS)
    assert load_settings(flex=True, call_timeout=60.0).call_timeout == 60.0
    assert load_settings().call_timeout == 180.0
