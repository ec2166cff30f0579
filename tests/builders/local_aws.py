"""AWS on this machine: moto's server, and what a fleet needs in it."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from moto.core.botocore_stubber import MockRawResponse
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
from werkzeug.test import EnvironBuilder, run_wsgi_app

from tests.builders.ended_process import ending
from tests.builders.moto_memory import answered_directly, remember
from tests.e2e.environments import node_package

REGION = "us-east-1"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",  # what moto wants to see
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}


_DYNALITE = "dynalite@4.0.0"
_SERVE = (
    "const server = require(process.argv[1])({createTableMs: 0, deleteTableMs: 0});"
    "server.listen(0, '127.0.0.1', () => console.log(server.address().port))"
)


_THROTTLED = "ProvisionedThroughputExceededException"

Forward = Callable[[bytes], bytes]
"""Does the work of a request's body and returns the answer's."""


@dataclass(frozen=True)
class Stack:
    """Names of one fleet's table, queue, dead-letter queue and bucket."""

    table: str
    queue_url: str
    dead_letter_url: str
    bucket: str

    def settings(self) -> dict[str, str]:
        """The environment of a command that works on it."""
        return {
            "PAPERFLEET_BACKEND": "aws",
            "PAPERFLEET_TABLE": self.table,
            "PAPERFLEET_QUEUE_URL": self.queue_url,
            "PAPERFLEET_DEAD_LETTER_URL": self.dead_letter_url,
            "PAPERFLEET_BUCKET": self.bucket,
        }


class LocalAws:
    """Whatever speaks AWS at an endpoint."""

    def __init__(self, endpoint: str, wire: Wire | None = None) -> None:
        self.endpoint = endpoint
        self._wire = wire
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._made: dict[tuple[str, str], tuple[str, ...]] = {}
        self.environment = ENVIRONMENT | {"AWS_ENDPOINT_URL": endpoint}

    @property
    def wire(self) -> Wire:
        """Of moto's server alone."""
        assert self._wire is not None
        return self._wire

    def client(self, service: str) -> Any:
        """Clients are made to be shared, and take long to make."""
        if service not in self._clients:
            client = boto3.client(
                service,
                endpoint_url=self.endpoint,
                region_name=REGION,
                aws_access_key_id="testing",
                aws_secret_access_key="testing",
                config=Config(retries={"total_max_attempts": 1}),
            )
            self._clients[service] = client if self._wire is None else answered_here(client, self._wire)
        return self._clients[service]

    def stack(self, name: str, *, max_receives: int = 5) -> Stack:
        """As the template makes them. Asked for twice, they are the same."""
        queue_url, dead_url = self.queues(name, max_receives=max_receives)
        return Stack(self.table(name), queue_url, dead_url, self.bucket(name))

    def table(self, name: str) -> str:
        return self._once("table", name, lambda: self._make_table(name))[0]

    def _make_table(self, name: str) -> tuple[str, ...]:
        keys = [{"AttributeName": key, "KeyType": kind} for key, kind in (("pk", "HASH"), ("sk", "RANGE"))]
        self.client("dynamodb").create_table(
            TableName=name,
            KeySchema=keys,
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
        # As a real DynamoDB does, some emulators make a table a while after they have said so.
        often = {"Delay": 0.02, "MaxAttempts": 500}
        self.client("dynamodb").get_waiter("table_exists").wait(TableName=name, WaiterConfig=often)
        return (name,)

    def queues(self, name: str, *, max_receives: int) -> tuple[str, str]:
        """URLs of a queue and of its dead-letter queue."""
        url, dead_url = self._once("queue", name, lambda: self._make_queues(name, max_receives))
        return url, dead_url

    def _make_queues(self, name: str, max_receives: int) -> tuple[str, str]:
        sqs = self.client("sqs")
        dead_url = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=dead_url, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": max_receives})
        made = sqs.create_queue(
            QueueName=name, Attributes={"RedrivePolicy": redrive, "VisibilityTimeout": "900"}
        )
        return made["QueueUrl"], dead_url

    def bucket(self, name: str) -> str:
        def make() -> tuple[str, ...]:
            self.client("s3").create_bucket(Bucket=name)
            return (name,)

        return self._once("bucket", name, make)[0]

    def _once(self, kind: str, name: str, make: Callable[[], tuple[str, ...]]) -> tuple[str, ...]:
        with self._lock:
            if (kind, name) not in self._made:
                self._made[kind, name] = make()
            return self._made[kind, name]


def name_of(folder: Path) -> str:
    """A name that AWS allows for a bucket, a table and a queue, one for each test's folder."""
    return f"t{hashlib.sha256(str(folder).encode()).hexdigest()[:20]}"


class Wire:
    """Counts what comes over the wire; can refuse a request, lose an answer after the work is done, or
    change it."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._lock = threading.Lock()
        self.operations: Counter[str] = Counter()
        self.refuses: Callable[[str], bool] = lambda _operation: False
        self.loses: Callable[[str, bytes], bool] = lambda _operation, _body: False
        self.changes: Callable[[str, bytes, Forward], bytes] = lambda _operation, body, forward: forward(body)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        operation = _operation(environ)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        if len(body) < length:  # cut off on its way: AWS does nothing then, the emulator would keep the piece
            start_response("400 Bad Request", [("Content-Type", "text/plain")])
            return [b"the request is not whole"]
        head: list[Any] = []

        def forward(content: bytes) -> bytes:
            environ.update({"wsgi.input": io.BytesIO(content), "CONTENT_LENGTH": str(len(content))})
            app = answered_directly if _is_dynamodb(environ) else self._app
            return b"".join(app(environ, lambda *given: head.append(given)))

        if self.refuses(operation):
            start_response("400 Bad Request", [("Content-Type", "application/x-amz-json-1.0")])
            return [json.dumps({"__type": f"com.amazonaws#{_THROTTLED}", "message": "too fast"}).encode()]
        # One at a time: moto is not thread-safe, and two conditional writes at once can both succeed.
        with self._lock:
            answer = self.changes(operation, body, forward)
            self.operations[operation] += 1
            lost = self.loses(operation, body)
        if not lost:
            status, headers = head[-1][:2]
            kept = [each for each in headers if each[0].lower() not in ("content-length", "x-amz-crc32")]
            start_response(status, [*kept, ("Content-Length", _length(headers, answer))])
            return [answer]
        start_response("500 Internal Server Error", [("Content-Type", "application/x-amz-json-1.0")])
        return [b'{"__type": "InternalServerError", "message": "the answer was lost"}']


def without_waiting(operation: str, body: bytes, forward: Forward) -> bytes:
    """The emulator does one thing at a time: who waits for a message holds up all others meanwhile."""
    if operation != "ReceiveMessage":
        return forward(body)
    return forward(json.dumps(json.loads(body) | {"WaitTimeSeconds": 0}).encode())


def answered_here(client: Any, wire: Wire) -> Any:
    """The same client, whose requests are answered in the thread that makes them: sockets and the server's
    threads cost more than the emulator."""

    def answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        body: Any = request.body or b""
        content = body.read() if hasattr(body, "read") else body.encode() if isinstance(body, str) else body
        said = {key: v.decode() if isinstance(v, bytes) else v for key, v in request.headers.items()}
        asked = EnvironBuilder(request.url, method=request.method, headers=said, data=content)
        answered, status, headers = run_wsgi_app(wire, asked.get_environ())
        return AWSResponse(request.url, int(status.split()[0]), headers, MockRawResponse(b"".join(answered)))

    # By the signature moto's server knows a service; DynamoDB is answered without that server.
    client.meta.events.register("choose-signer.dynamodb", lambda **_: UNSIGNED)
    client.meta.events.register("before-send", answer)
    return client


def _length(headers: list[tuple[str, str]], answer: bytes) -> str:
    """Of the body; an answer to HEAD has none and tells the object's."""
    told = [value for name, value in headers if name.lower() == "content-length"]
    return str(len(answer)) if answer or not told else told[0]


def _operation(environ: dict[str, Any]) -> str:
    """``UpdateItem``, ``SendMessage`` ...; of S3 ``GET``, ``PUT`` ..."""
    target = str(environ.get("HTTP_X_AMZ_TARGET", ""))
    return target.rpartition(".")[2] or str(environ["REQUEST_METHOD"])


def _is_dynamodb(environ: dict[str, Any]) -> bool:
    return str(environ.get("HTTP_X_AMZ_TARGET", "")).startswith("DynamoDB_20120810.")


@contextmanager
def moto_server(address: str = "127.0.0.1") -> Iterator[LocalAws]:
    """In a thread of this process; the environment points at it meanwhile."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    remember()
    wire = Wire(DomainDispatcherApplication(create_backend_app))
    server = make_server(address, 0, wire, threaded=True)
    thread = threading.Thread(target=server.serve_forever, name="moto", daemon=True)
    thread.start()
    local = LocalAws(f"http://{address}:{server.server_port}", wire)
    before = {name: os.environ.get(name) for name in local.environment}
    os.environ.update(local.environment)
    try:
        yield local
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def dynalite_server() -> Iterator[LocalAws]:
    """In a process of its own, on loopback; installed by npm when first needed."""
    modules = node_package("dynalite", _DYNALITE)
    command = ["node", "-e", _SERVE, str(modules / "dynalite")]
    with ending(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())  # told once it listens
        yield LocalAws(f"http://127.0.0.1:{port}")
