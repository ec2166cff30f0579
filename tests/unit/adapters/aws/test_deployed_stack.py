"""What the SDK's answers about a stack become; ``tests/integration/test_aws_stack.py`` asks an emulator."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from botocore.stub import Stubber

from handlers.adapters.aws import deployed_stack
from handlers.bootstrap.state import with_stack_outputs
from handlers.errors import UsageError
from handlers.settings import load_settings

OUTPUTS = {
    "TableName": "t",
    "QueueUrl": "q",
    "DeadLetterUrl": "d",
    "BucketName": "b",
    "ShardFunctionName": "f",
    "BatchPapers": "200",
    "ApiKeySecret": "s",
}


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Stubber]:
    client = boto3.client(
        request.param, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    monkeypatch.setattr(deployed_stack, "aws_client", lambda *_, **__: client)
    with Stubber(client) as stubbed:
        yield stubbed


def described(outputs: dict[str, str]) -> dict[str, object]:
    told = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
    made = {"StackName": "n", "CreationTime": "2026-01-01T00:00:00Z", "StackStatus": "CREATE_COMPLETE"}
    return {"Stacks": [made | {"Outputs": told}]}


@pytest.mark.parametrize("answers", ["cloudformation"], indirect=True)
def test_a_stack_is_found_by_its_name_and_what_is_set_goes_before(answers: Stubber) -> None:
    answers.add_response("describe_stacks", described(OUTPUTS), {"StackName": "mine"})
    found = with_stack_outputs(load_settings(stack="mine", shard_function="other"))
    assert (found.table, found.queue_url, found.dead_letter_url, found.bucket) == ("t", "q", "d", "b")
    assert (found.shard_function, found.batch_papers) == ("other", 200)


@pytest.mark.parametrize("answers", ["cloudformation"], indirect=True)
@pytest.mark.parametrize("missing", [*OUTPUTS])
def test_a_stack_of_something_else_is_named(answers: Stubber, missing: str) -> None:
    others = {key: value for key, value in OUTPUTS.items() if key != missing}
    answers.add_response("describe_stacks", described(others))
    with pytest.raises(UsageError, match=f"'n'.*no output {missing}: it is not Paperfleet's"):
        deployed_stack.stack_outputs("n")


@pytest.mark.parametrize("answers", ["cloudformation"], indirect=True)
def test_a_stack_that_is_not_there_is_named_with_the_fix(answers: Stubber) -> None:
    answers.add_client_error("describe_stacks", "ValidationError", "Stack with id n does not exist")
    with pytest.raises(UsageError, match=r"'n' does not exist in region us-east-1.*PAPERFLEET_STACK"):
        deployed_stack.stack_settings("n")


@pytest.mark.parametrize("answers", ["lambda"], indirect=True)
def test_a_function_that_is_not_there_is_named(answers: Stubber) -> None:
    answers.add_client_error("invoke", "ResourceNotFoundException", "Function not found")
    with pytest.raises(UsageError, match="function 'f' does not exist in region us-east-1"):
        deployed_stack.invoke("f", {})
