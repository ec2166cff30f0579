"""https with a certificate of one's own: the model server's, and the client that is told to trust it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from handlers.bootstrap.state import SystemClock
from handlers.domain.call import ChatRequest, Message
from handlers.domain.call_errors import FatalError
from handlers.errors import UsageError
from handlers.llm.client import HttpChatModel
from handlers.llm.client_settings import ClientSettings
from handlers.model_server import ServerSettings
from tests.benchmarks.extreme import certificate
from tests.builders.warm import start

_REQUEST = ChatRequest(messages=(Message(role="user", content="题目"),), max_tokens=100)


def model(base_url: str, ca_file: Path | None) -> HttpChatModel:
    settings = ClientSettings(base_url=base_url, model="m", ca_file=ca_file)
    return HttpChatModel(settings, SecretStr("key"), SystemClock())


def test_a_certificate_of_ones_own_is_trusted_only_when_it_is_named(tmp_path: Path) -> None:
    signed, key = certificate(tmp_path)
    with start(ServerSettings(mode="canned", tls_certificate=signed, tls_key=key)) as server:
        assert server.base_url.startswith("https://")
        client = model(server.base_url, signed)
        assert client.complete(_REQUEST, timeout=20).content
        client.close()
        assert server.stats()["delivered"] == 1
        stranger = model(server.base_url, None)
        with pytest.raises(FatalError, match="CERTIFICATE_VERIFY_FAILED"):
            stranger.complete(_REQUEST, timeout=20)
        stranger.close()


def test_a_file_without_certificates_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    with pytest.raises(UsageError, match=r"empty\.pem"):
        model("https://127.0.0.1:1/v1", tmp_path / "empty.pem")


def test_a_certificate_without_its_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="needs both"):
        ServerSettings(tls_certificate=tmp_path / "certificate.pem")
