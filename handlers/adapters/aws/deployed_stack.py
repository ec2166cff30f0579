"""The deployed stack: what CloudFormation says of it, and its shard function."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from handlers import errors
from handlers.adapters.aws.clients import aws_client, code_of, explained
from handlers.errors import DamagedObjectError, PaperfleetError, UsageError

OUTPUTS = {
    "table": "TableName",
    "queue_url": "QueueUrl",
    "dead_letter_url": "DeadLetterUrl",
    "bucket": "BucketName",
    "shard_function": "ShardFunctionName",
    "batch_papers": "BatchPapers",
}
"""Setting → output of ``template.yaml``."""
KEY_OUTPUT = "ApiKeySecret"
"""Name of the secret with the model's key."""
_LONGEST = 900
"""Seconds that a function may take, whoever asked for it."""


def stack_settings(name: str) -> dict[str, str]:
    """Setting → value, of a deployed stack."""
    outputs = stack_outputs(name)
    return {setting: outputs[output] for setting, output in OUTPUTS.items()}


def stack_outputs(name: str) -> dict[str, str]:
    """Output → value, of a deployed stack. UsageError if there is none, or it is another's."""
    client, thing = aws_client("cloudformation"), f"stack {name!r}"
    try:
        (stack,) = client.describe_stacks(StackName=name)["Stacks"]
    except (BotoCoreError, ClientError) as error:
        if isinstance(error, ClientError) and code_of(error) == "ValidationError":
            raise UsageError(
                f"{thing} does not exist in region {client.meta.region_name}: deploy it, or set "
                "PAPERFLEET_STACK to its name and AWS_REGION to its region"
            ) from error
        raise explained(error, client, thing) from error
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}
    if missing := [output for output in (*OUTPUTS.values(), KEY_OUTPUT) if output not in outputs]:
        raise UsageError(
            f"{thing} ({stack['StackStatus']}) has no output {missing[0]}: it is not Paperfleet's, not "
            "deployed to its end, or of an older version; deploy it again, or correct PAPERFLEET_STACK"
        )
    return outputs


def store_secret(secret: str, value: str) -> None:
    """Make ``value`` what a secret that exists holds."""
    client, thing = aws_client("secretsmanager"), f"secret {secret!r}"
    try:
        client.put_secret_value(SecretId=secret, SecretString=value)
    except (BotoCoreError, ClientError) as error:
        raise explained(error, client, thing) from error


def invoke(function: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """Call a function and wait for its answer, for up to a quarter of an hour.

    UsageError with the function's own sentence if what was asked is wrong; PaperfleetError if it failed.
    """
    client, thing = aws_client("lambda", read_timeout=_LONGEST + 30), f"function {function!r}"
    try:
        answer = client.invoke(FunctionName=function, Payload=json.dumps(event).encode())
        value = json.loads(answer["Payload"].read())
    except (BotoCoreError, ClientError) as error:
        raise explained(error, client, thing) from error
    if "FunctionError" not in answer:
        return dict(value)
    kind, words = str(value.get("errorType", "")), str(value.get("errorMessage", value))
    mine = getattr(errors, kind.rpartition(".")[2], Exception)
    if issubclass(mine, (UsageError, DamagedObjectError)):  # one sentence for the person who asked
        raise UsageError(words)
    raise PaperfleetError(
        f"{thing} failed: {kind}: {words}; its log says more. The same command goes on where it stood"
    )
