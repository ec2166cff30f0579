"""What the SDK takes for an answer."""

from __future__ import annotations

import socket
import threading

import pytest
from botocore.exceptions import ConnectionClosedError

from handlers.adapters.aws.clients import aws_client

KEY = {"pk": {"S": "a"}, "sk": {"S": "b"}}


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nServer: x\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nConte",
        b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n",
    ],
)
def test_an_answer_that_is_cut_within_its_headers_is_none(
    monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_cut, args=(server, answer), daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{server.getsockname()[1]}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        with pytest.raises(ConnectionClosedError):
            aws_client("dynamodb").get_item(TableName="t", Key=KEY)


def _cut(server: socket.socket, answer: bytes) -> None:
    """Each request is read, and its answer broken off."""
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            connection.recv(65536)
            connection.sendall(answer)
