"""Calls of the real client to a scripted server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr

from handlers.domain.call import ChatRequest, Message
from handlers.domain.call_errors import ModelCallError
from handlers.llm.client import HttpChatModel
from handlers.llm.client_settings import ClientSettings
from handlers.llm.limits.rate_headers import RateHint
from tests.builders.wire import RealClock, WireServer

KEY = "sk-test-0123456789abcdef"
REQUEST = ChatRequest(
    messages=(Message(role="system", content="Translate."), Message(role="user", content="量子计算 $x^2$")),
    max_tokens=64,
)


def model(
    server: WireServer, on_headers: Callable[[RateHint], None] | None = None, **changes: Any
) -> HttpChatModel:
    ssl_context = changes.pop("ssl_context", None)
    settings = ClientSettings(**{"base_url": server.url, "model": "wire-1", **changes})
    return HttpChatModel(
        settings, SecretStr(KEY), RealClock(), on_headers=on_headers, ssl_context=ssl_context
    )


def failure(client: HttpChatModel, timeout: float = 5.0) -> ModelCallError:
    try:
        with pytest.raises(ModelCallError) as caught:
            client.complete(REQUEST, timeout=timeout)
    finally:
        client.close()
    return caught.value
