"""The stack by its name: where its parts are, and its shard function, on moto's server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from handlers.bootstrap.state import with_stack_outputs
from handlers.errors import UsageError
from handlers.settings import load_settings
from tests.builders.command import corpus, paperfleet
from tests.builders.local_aws import LocalAws, Stack, moto_server, name_of

OUTPUTS = {
    "TableName": "table",
    "QueueUrl": "queue_url",
    "DeadLetterUrl": "dead_letter_url",
    "BucketName": "bucket",
}


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with moto_server() as local:
        yield local


@pytest.fixture
def stack(aws: LocalAws, tmp_path: Path) -> Stack:
    return aws.stack(name_of(tmp_path))


def deploy(aws: LocalAws, name: str, outputs: dict[str, str]) -> None:
    """A stack of CloudFormation's with these outputs."""
    body = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {key: {"Value": value} for key, value in outputs.items()},
    }
    aws.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(body))


def outputs_of(stack: Stack) -> dict[str, str]:
    found = {output: getattr(stack, field) for output, field in OUTPUTS.items()}
    return found | {"ShardFunctionName": "shard", "ApiKeySecret": stack.table, "BatchPapers": "200"}


@pytest.mark.slow
def test_a_stack_is_found_by_its_name(aws: LocalAws, stack: Stack, tmp_path: Path) -> None:
    name = name_of(tmp_path)
    deploy(aws, name, outputs_of(stack))
    ran = paperfleet("status", "--run-id", "none", **aws.environment, PAPERFLEET_STACK=name)
    assert ran.code == 2
    assert f"no run 'none' in table '{stack.table}'" in ran.err, "the name alone says that it is on AWS"


def test_names_that_are_set_go_before_the_stack(aws: LocalAws, stack: Stack, tmp_path: Path) -> None:
    environment = aws.environment | stack.settings()
    ran = paperfleet("status", "--aws", "--run-id", "none", **environment, PAPERFLEET_STACK="no-such-stack")
    assert f"in table '{stack.table}'" in ran.err


@pytest.mark.slow
def test_a_stack_that_is_not_there_is_named_with_the_fix(aws: LocalAws) -> None:
    ran = paperfleet("status", "--aws", "--run-id", "r", **aws.environment)
    assert ran.code == 2
    assert "stack 'paperfleet' does not exist in region us-east-1" in ran.err
    assert "PAPERFLEET_STACK" in ran.err


@pytest.mark.slow
def test_a_stack_of_something_else_is_named(aws: LocalAws, tmp_path: Path) -> None:
    name = name_of(tmp_path)
    deploy(aws, name, {"Other": "value"})
    with pytest.raises(UsageError, match="no output TableName: it is not Paperfleet's"):
        with_stack_outputs(load_settings(stack=name))


@pytest.mark.slow
def test_a_function_that_is_not_there_is_named(aws: LocalAws, stack: Stack, tmp_path: Path) -> None:
    source = corpus(tmp_path / "papers.jsonl", 3)
    environment = aws.environment | stack.settings() | {"PAPERFLEET_SHARD_FUNCTION": "no-such-function"}
    ran = paperfleet("shard", source, "--aws", "--model", "m", "--state", tmp_path / "s", **environment)
    assert ran.code == 2
    assert "function 'no-such-function' does not exist in region us-east-1" in ran.err


@pytest.mark.slow
def test_the_key_goes_from_the_environment_to_the_stacks_secret(
    aws: LocalAws, stack: Stack, tmp_path: Path
) -> None:
    name = name_of(tmp_path)
    deploy(aws, name, outputs_of(stack))
    aws.client("secretsmanager").create_secret(Name=stack.table)
    ran = paperfleet("stack", name, "--store-key", **aws.environment, PAPERFLEET_API_KEY="key-1")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["TableName"] == stack.table
    assert "key-1" not in ran.out + ran.err
    assert aws.client("secretsmanager").get_secret_value(SecretId=stack.table)["SecretString"] == "key-1"


@pytest.mark.slow
def test_the_settings_are_printed_for_scripts(aws: LocalAws, stack: Stack, tmp_path: Path) -> None:
    name = name_of(tmp_path)
    deploy(aws, name, outputs_of(stack))
    printed = paperfleet("stack", "--env", **aws.environment, PAPERFLEET_STACK=name).out.split()
    settings = dict(line.split("=", 1) for line in printed)
    assert settings == stack.settings() | {
        "PAPERFLEET_SHARD_FUNCTION": "shard",
        "PAPERFLEET_BATCH_PAPERS": "200",
    }


def test_no_gloss_is_mixed_into_a_stacks_results(aws: LocalAws, stack: Stack, tmp_path: Path) -> None:
    source = corpus(tmp_path / "papers.jsonl", 3)
    ran = paperfleet("run", source, "--state", tmp_path / "s", **aws.environment, **stack.settings())
    assert ran.code == 2
    assert "paperfleet shard --aws" in ran.err
