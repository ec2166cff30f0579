"""AWS on this machine: moto's server in a process of its own or of the tests, and what a fleet needs in it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from moto.server import ThreadedMotoServer

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",  # what moto wants to see
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


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

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.environment = ENVIRONMENT | {"AWS_ENDPOINT_URL": endpoint}

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def stack(self, name: str, *, max_receives: int = 5) -> Stack:
        """As the template makes them."""
        self.make_table(name)
        queue_url, dead_url = self.make_queues(name, max_receives=max_receives)
        self.make_bucket(name)
        return Stack(name, queue_url, dead_url, name)

    def make_table(self, name: str) -> None:
        keys = [{"AttributeName": key, "KeyType": kind} for key, kind in (("pk", "HASH"), ("sk", "RANGE"))]
        self.client("dynamodb").create_table(
            TableName=name,
            KeySchema=keys,
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )

    def make_queues(self, name: str, *, max_receives: int) -> tuple[str, str]:
        sqs = self.client("sqs")
        dead_url = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=dead_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": max_receives})
        made = sqs.create_queue(
            QueueName=name, Attributes={"RedrivePolicy": redrive, "VisibilityTimeout": "900"}
        )
        return made["QueueUrl"], dead_url

    def make_bucket(self, name: str) -> None:
        self.client("s3").create_bucket(Bucket=name)


@contextmanager
def moto_server() -> Iterator[LocalAws]:
    """In a thread of this process, on loopback; the environment points at it meanwhile."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    local = LocalAws(f"http://127.0.0.1:{port}")
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
        server.stop()
