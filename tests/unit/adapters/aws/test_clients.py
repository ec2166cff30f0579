"""What the SDK takes for an answer."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from handlers.adapters.aws import retries
from handlers.adapters.aws.clients import aws_client
from handlers.adapters.aws.outages import service_reach

KEY = {"pk": {"S": "a"}, "sk": {"S": "b"}}


BODY = b'{"Item": {"a": {"N": "12"}}}'
WHOLE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 28\r\nServer: x\r\n\r\n"
    + BODY
)


CUT = [
    b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n",
    *(WHOLE[:end] for end in range(len(b"HTTP/1.1 200"), len(WHOLE), 4)),
    WHOLE[:-1],
]


def test_an_answer_that_is_cut_anywhere_is_none_and_a_whole_one_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retries, "PATIENCE", 0.0)
    said = [WHOLE]
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_cut, args=(server, said), daemon=True).start()
        client = _client_of(server, monkeypatch)
        assert client.get_item(TableName="t", Key=KEY)["Item"] == {"a": {"N": "12"}}
        for said[0] in CUT:
            with pytest.raises(ConnectionClosedError):
                client.get_item(TableName="t", Key=KEY)


def _client_of(server: socket.socket, monkeypatch: pytest.MonkeyPatch) -> Any:
    own = {"AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{server.getsockname()[1]}",
           "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing",
           "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}  # fmt: skip
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    return aws_client("dynamodb")


def _cut(server: socket.socket, said: list[bytes]) -> None:
    """Each request is read, and its answer broken off."""
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            connection.recv(65536)
            connection.sendall(said[0])


def test_a_silent_endpoint_is_not_waited_for_beyond_the_end_of_an_invocation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retries, "_SHORTEST_READ", 0.05)
    monkeypatch.setattr(service_reach("dynamodb"), "time_left", lambda: -1.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        client, began = _client_of(server, monkeypatch), time.monotonic()
        with pytest.raises(ReadTimeoutError):
            client.get_item(TableName="t", Key=KEY)
        assert time.monotonic() - began < 25, "where there is time it is 30"
