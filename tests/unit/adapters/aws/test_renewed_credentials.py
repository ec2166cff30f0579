"""Credentials that expired while a client lived: those that are there now are read, once a request."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from moto.core.botocore_stubber import MockRawResponse

from handlers.adapters.aws import retries
from handlers.adapters.aws.clients import aws_client
from handlers.adapters.aws.outages import service_reach
from handlers.errors import UsageError
from tests.builders.local_aws import ENVIRONMENT


class Service:
    """DynamoDB, which takes one key alone."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
        self.valid, self.code, self.asked = "first", code, list[str]()
        self._environment = monkeypatch
        self.third: Callable[[], None] = lambda: None
        """Called with the third request."""
        self.log_in("first")
        self.client = aws_client("dynamodb")
        self.client.meta.events.register("before-send", self._answer)

    def log_in(self, key: str) -> None:
        for name, value in (ENVIRONMENT | {"AWS_ACCESS_KEY_ID": key}).items():
            self._environment.setenv(name, value)

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        said = request.headers["Authorization"]
        given = (
            (said.decode() if isinstance(said, bytes) else said).partition("Credential=")[2].partition("/")[0]
        )
        self.asked.append(given)
        if len(self.asked) == 3:
            self.third()
        body = b'{"TableNames": []}' if given == self.valid else b'{"__type": "x#%b"}' % self.code.encode()
        status = 200 if given == self.valid else 400
        headers = {"content-type": "application/x-amz-json-1.0", "content-length": str(len(body))}
        return AWSResponse(request.url, status, headers, MockRawResponse(body))


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    return Service(monkeypatch, "ExpiredTokenException")


def test_who_has_logged_in_again_goes_on(service: Service) -> None:
    service.client.list_tables()
    service.valid = "second"
    service.log_in("second")
    for _ in range(2):
        service.client.list_tables()
    assert service.asked == ["first", "first", "second", "second"]


@pytest.mark.parametrize("now", [lambda _service: None, lambda service: service.log_in("third")])
def test_credentials_that_are_no_better_are_refused_once(
    monkeypatch: pytest.MonkeyPatch, now: Callable[[Service], None]
) -> None:
    service = Service(monkeypatch, "UnrecognizedClientException")
    service.valid = "second"
    now(service)
    with pytest.raises(ClientError, match=service.code):
        service.client.list_tables()
    assert len(service.asked) <= 2


def test_who_logs_in_while_a_request_waits_goes_on(service: Service) -> None:
    """As a tool does that renews them in a file or a variable, now and then a moment late."""
    service.valid, service.third = "second", lambda: service.log_in("second")
    service.client.list_tables()
    assert service.asked == ["first", "first", "first", "second"]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"AWS_PROFILE": "nobody"}, "nobody.*AWS_PROFILE"),
        ({"AWS_PROFILE": "tool"}, "custom-process.*AWS_PROFILE"),
        ({"AWS_REGION": "not a region"}, "not a region"),
    ],
)
def test_what_keeps_a_client_from_being_made_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: dict[str, str], says: str
) -> None:
    monkeypatch.setattr(retries, "_AWAY", 0.0)
    monkeypatch.setattr(service_reach("sqs"), "served", False)
    (tmp_path / "config").write_text("[profile tool]\ncredential_process = false\n", encoding="utf-8")
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    for name, value in (
        {"AWS_REGION": "eu-west-1", "AWS_CONFIG_FILE": str(tmp_path / "config")} | settings
    ).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=says):
        aws_client("sqs")


def test_another_refusal_reads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(monkeypatch, "AccessDeniedException")
    service.valid = "second"
    service.log_in("second")
    with pytest.raises(ClientError, match="AccessDenied"):
        service.client.list_tables()
    assert service.asked == ["first"]
