"""The built stack, deployed on this machine: ministack in place of AWS, the real code in its functions."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from handlers.adapters.dynamodb.dynamodb_ledger import DynamoDbLedger
from handlers.bootstrap.state import SystemClock
from handlers.domain.run import Control
from tests.builders.command import Ran, paperfleet, until
from tests.builders.ended_process import ending
from tests.builders.ports import reserved_port
from tests.e2e.artifact import OVERRIDES, sam, sam_environment
from tests.e2e.environments import ROOT, environment

NAME = "paperfleet"
_SERVICES = (
    "s3,sqs,dynamodb,lambda,cloudformation,iam,sts,logs,secretsmanager,events,scheduler,"
    "cloudwatch,monitoring,sns,kms"
)
_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True)
class Cloud:
    """An endpoint that speaks AWS, and the log of whoever does."""

    endpoint: str
    log: Path

    @property
    def environment(self) -> dict[str, str]:
        return _CREDENTIALS | {"AWS_ENDPOINT_URL": self.endpoint}

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 3}, read_timeout=120),
        )


@contextmanager
def ministack(folder: Path, *, warm: int = 60) -> Iterator[Cloud]:
    """A cloud of its own, on loopback, whose functions rest for ``warm`` seconds before they are gone."""
    with reserved_port() as port:
        yield from _ministack(folder, port, warm)


def _ministack(folder: Path, port: int, warm: int) -> Iterator[Cloud]:
    tools = environment("ministack", "ministack==1.5.33 aws-sam-translator boto3")
    log = folder / "ministack.log"
    variables = (
        sam_environment()
        | _CREDENTIALS
        | {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "LAMBDA_EXECUTOR": "local",
            "LAMBDA_WARM_TTL_SECONDS": str(warm),
            "SERVICES": _SERVICES,
            "LOG_LEVEL": "INFO",
        }
    )
    with (
        log.open("wb") as output,
        ending(
            [tools / "ministack"],
            stdout=output,
            stderr=output,
            env=variables,
            cwd=folder,
            start_new_session=True,
        ),
    ):
        until(lambda: accepts(port), seconds=60)
        yield Cloud(f"http://127.0.0.1:{port}", log)


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Stack:
    """A deployed stack: its outputs, its queue, and the command that works on it."""

    def __init__(self, cloud: Cloud, outputs: Mapping[str, str]) -> None:
        self.cloud = cloud
        self.outputs = outputs

    @property
    def environment(self) -> dict[str, str]:
        """Of a command on this stack, as the runbook sets it: its name is the default."""
        return self.cloud.environment | {"PAPERFLEET_BACKEND": "aws"}

    def pieces(self) -> dict[str, str]:
        """The same, each name set by itself: this machine shards, not the function."""
        return {
            "PAPERFLEET_QUEUE_URL": self.outputs["QueueUrl"],
            "PAPERFLEET_DEAD_LETTER_URL": self.outputs["DeadLetterUrl"],
            "PAPERFLEET_TABLE": self.outputs["TableName"],
            "PAPERFLEET_BUCKET": self.outputs["BucketName"],
        }

    def command(self, *arguments: object, **more: str) -> Ran:
        """``paperfleet ... `` against the stack."""
        return paperfleet(*arguments, timeout=240, **self.environment | more)

    def report(self, run_id: str) -> dict[str, Any]:
        ran = self.command("report", "--run-id", run_id, "--json")
        assert ran.code == 0, ran.err
        return ran.report

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        """Call a function and wait for its answer."""
        answer = self.cloud.client("lambda").invoke(
            FunctionName=self.outputs[f"{function}FunctionName"], Payload=json.dumps(event).encode()
        )
        value = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, value
        return value

    def send(self, body: str) -> None:
        self.cloud.client("sqs").send_message(QueueUrl=self.outputs["QueueUrl"], MessageBody=body)

    def dead(self) -> int:
        return self._messages("DeadLetterUrl")[0]

    def idle(self) -> bool:
        """Whether no message waits and none is being worked on, both at the same moment."""
        return self._messages("QueueUrl") == (0, 0)

    def _messages(self, queue: str) -> tuple[int, int]:
        """(visible, in flight)"""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.cloud.client("sqs").get_queue_attributes(
            QueueUrl=self.outputs[queue], AttributeNames=names
        )
        visible, in_flight = (int(answer["Attributes"][name]) for name in names)
        return visible, in_flight

    @contextmanager
    def ledger(self) -> Iterator[DynamoDbLedger]:
        table = DynamoDbLedger(self.cloud.client("dynamodb"), self.outputs["TableName"], SystemClock())
        try:
            yield table
        finally:
            table.close()

    def clear(self) -> None:
        """Nothing of any run goes on, waits, or lies among the dead letters."""
        with self.ledger() as ledger:
            for run_id in ledger.run_ids():
                ledger.set_control(run_id, Control("cancelled", "the test is over", 0.0))
        for queue in ("QueueUrl", "DeadLetterUrl"):
            self.cloud.client("sqs").purge_queue(QueueUrl=self.outputs[queue])

    def finished(self, run_id: str, *, seconds: float) -> dict[str, Any]:
        """The report once no paper is pending."""
        end = time.monotonic() + seconds
        while (report := self.report(run_id))["counts"]["pending"]:
            assert time.monotonic() < end, report
            time.sleep(0.5)
        return report


def deploy(cloud: Cloud, built: Path, **parameters: object) -> Stack:
    """``sam deploy`` of what ``sam build`` made."""
    cloud.client("s3").create_bucket(Bucket="artifacts")
    template = _allowing(built / "template.yaml", parameters)
    outputs = _deploy(cloud, template, NAME, f"{OVERRIDES} {_given(parameters)}")
    secret = outputs["ApiKeySecret"]
    cloud.client("secretsmanager").put_secret_value(SecretId=secret, SecretString="test-key")
    return Stack(cloud, outputs)


def _allowing(template: Path, parameters: Mapping[str, object]) -> Path:
    """The same template, whose timeouts may be shorter: a test waits for no function of five minutes. Of an
    endpoint it says nothing: the emulator gives its functions its own."""
    text = re.sub(r"^ *AWS_ENDPOINT_URL: *(''|\"\")\n", "", template.read_text(), flags=re.MULTILINE)
    for name in ("FunctionTimeout", "CallTimeout"):
        if name in parameters:
            head, found, rest = text.partition(f"  {name}:\n")
            before, allowed, after = rest.partition("    AllowedValues:\n")
            assert found and allowed
            text = f"{head}{found}{before}{allowed}    - {parameters[name]}\n{after}"
    short = template.with_name("short.yaml")
    short.write_text(text)
    return short


def deploy_beside(cloud: Cloud, template: str, **parameters: object) -> dict[str, str]:
    """Another template of the repository for the deployed stack, as the runbook does it; its outputs."""
    name = f"{NAME}-{Path(template).stem}"
    return _deploy(cloud, ROOT / template, name, _given({"Stack": NAME} | parameters))


def _deploy(cloud: Cloud, template: Path, name: str, parameters: str) -> dict[str, str]:
    sam(
        "deploy", "-t", template, "--stack-name", name, "--s3-bucket", "artifacts",
        "--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--region", "us-east-1",
        "--parameter-overrides", parameters,
        cwd=cloud.log.parent, **cloud.environment,
    )  # fmt: skip
    stack = cloud.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def _given(parameters: Mapping[str, object]) -> str:
    return " ".join(f"{name}={value}" for name, value in parameters.items())
