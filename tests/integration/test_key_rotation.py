"""The API's key is rotated under a running job: it is read anew, and nothing parks for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import SecretStr

from handlers.domain.call_errors import FatalError, ModelCallError
from handlers.llm.client import HttpChatModel
from handlers.llm.client_settings import ClientSettings
from tests.builders.fakes import FakeClock
from tests.builders.llm_calls import REQUEST
from tests.builders.wire import Conversation, WireRequest, WireServer, completion, error, response


class Provider:
    """Takes one key; every other it refuses with ``status``."""

    def __init__(self, status: int = 401) -> None:
        self.status, self.valid = status, "old-key-0123456789"
        self.secret, self.asked, self.refused = self.valid, 0, 0
        self._lock = threading.Lock()

    def __call__(self, request: WireRequest, conversation: Conversation) -> None:
        if request.headers["authorization"] == f"Bearer {self.valid}":
            conversation.send(response(200, completion()))
            return
        with self._lock:
            self.refused += 1
        conversation.send(response(self.status, error("Incorrect API key provided", code="invalid_api_key")))

    def source(self) -> SecretStr:
        self.asked += 1
        return SecretStr(self.secret)

    def rotate(self, key: str) -> None:
        self.valid = self.secret = key


@pytest.fixture(params=[401, 403])
def provider(request: pytest.FixtureRequest) -> Provider:
    return Provider(request.param)


@pytest.fixture
def server(provider: Provider) -> Iterator[WireServer]:
    with WireServer(provider) as server:
        yield server


def client(server: WireServer, provider: Provider, clock: FakeClock, **changes: Any) -> HttpChatModel:
    settings = ClientSettings(base_url=server.url, model="wire-1")
    source = changes.get("source", provider.source)
    return HttpChatModel(settings, SecretStr(provider.secret), clock, key_source=source)


def asks(model: HttpChatModel) -> str | None:
    """The answer, or the code of what is wrong."""
    try:
        return model.complete(REQUEST, timeout=60).content
    except ModelCallError as problem:
        return problem.code


def test_a_rotated_key_fails_no_call(server: WireServer, provider: Provider) -> None:
    model = client(server, provider, FakeClock())
    assert asks(model) == "你好"
    provider.rotate("new-key-0123456789")
    assert [asks(model) for _ in range(3)] == ["你好"] * 3
    assert (provider.asked, provider.refused) == (1, 1)
    model.close()


def test_of_many_threads_that_are_refused_one_asks_and_all_are_answered(
    server: WireServer, provider: Provider
) -> None:
    model = client(server, provider, FakeClock())
    asks(model)
    provider.rotate("new-key-0123456789")
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: asks(model), range(16))) == {"你好"}
    assert provider.asked == 1
    model.close()


def test_a_key_that_is_no_other_is_refused_for_good_and_asked_after_each_half_minute(
    server: WireServer, provider: Provider
) -> None:
    clock = FakeClock()
    model = client(server, provider, clock)
    provider.valid = "another-key"
    for _ in range(5):
        with pytest.raises(FatalError):
            model.complete(REQUEST, timeout=60)
    assert provider.asked == 1
    provider.secret = provider.valid
    clock.advance(30)
    assert asks(model) == "你好"
    assert provider.asked == 2
    model.close()


def test_who_resumes_a_run_need_not_wait(server: WireServer, provider: Provider) -> None:
    model = client(server, provider, FakeClock())
    provider.valid = "another-key"
    assert asks(model) in ("unauthorized", "forbidden")
    provider.secret = provider.valid
    model.renew_key()
    assert asks(model) == "你好"
    model.close()


@pytest.mark.parametrize("given", ["", "bad\nkey", "schlüssel"])
def test_what_cannot_be_a_key_takes_no_ones_place(server: WireServer, provider: Provider, given: str) -> None:
    model = client(server, provider, FakeClock())
    asks(model)
    provider.valid, provider.secret = "another-key", given
    assert asks(model) in ("unauthorized", "forbidden")
    provider.valid = "old-key-0123456789"
    assert asks(model) == "你好"
    model.close()


def test_a_source_that_fails_leaves_the_refusal_as_it_is(server: WireServer, provider: Provider) -> None:
    def broken() -> SecretStr:
        raise OSError("no secrets today")

    model = client(server, provider, FakeClock(), source=broken)
    provider.valid = "another-key"
    assert asks(model) in ("unauthorized", "forbidden")
    model.renew_key()
    model.close()
