"""What a function in SAM's containers refuses before it asks anybody anything."""

from __future__ import annotations

from typing import Any

import pytest

from handlers import process, report, shard
from handlers.errors import UsageError
from handlers.local.event_source import LocalContext
from handlers.local_containers import PARAMETERS, RESOURCES, refuse_unfilled
from handlers.setting_sources import PREFIX
from handlers.settings import Settings
from tests.builders.cloudformation import of_type, template

STACK = template("template.yaml")
LOCAL = "http://172.17.0.1:4566"
EACH = [f"AWS_ENDPOINT_URL_{each}" for each in ("DYNAMODB", "S3", "SECRETSMANAGER", "SQS")]
FILLED = {
    "AWS_SAM_LOCAL": "true",
    "AWS_ENDPOINT_URL": LOCAL,
    "PAPERFLEET_BACKEND": "aws",
    "PAPERFLEET_TABLE": "fleet",
    "PAPERFLEET_BASE_URL": "http://172.17.0.1:8099/v1",
    "PAPERFLEET_MODEL": "paperfleet-gloss",
}


@pytest.mark.parametrize(
    "endpoints",
    [
        {},
        {"AWS_ENDPOINT_URL": ""},
        {"AWS_ENDPOINT_URL_S3": LOCAL},
        {"AWS_ENDPOINT_URL": LOCAL, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
        {"ENDPOINT_URL": LOCAL},
    ],
)
def test_real_aws_is_never_asked_from_a_local_container(endpoints: dict[str, str]) -> None:
    unset = {name: value for name, value in FILLED.items() if name != "AWS_ENDPOINT_URL"}
    with pytest.raises(UsageError, match=r"no AWS_ENDPOINT_URL is given, and .* of real AWS would be asked"):
        refuse_unfilled(unset | endpoints)


@pytest.mark.parametrize(
    "given",
    [
        FILLED,
        FILLED | {"AWS_ENDPOINT_URL": ""} | dict.fromkeys(EACH, LOCAL),
        {"PAPERFLEET_BACKEND": "aws", "PAPERFLEET_MODEL": "Model"},  # deployed, and on a machine
        {"AWS_SAM_LOCAL": "true", "PAPERFLEET_BACKEND": "embedded"},
    ],
)
def test_whoever_has_what_it_needs_goes_on(given: dict[str, str]) -> None:
    refuse_unfilled(given)


@pytest.mark.parametrize(
    ("handler", "event"),
    [
        (process.handler, {"Records": []}),
        (shard.handler, {"run_id": "sample"}),
        (report.handler, {"run_id": "sample"}),
        (report.handler, {"source": "aws.scheduler"}),
    ],
)
def test_each_function_refuses_before_anything_else(
    handler: Any, event: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what `sam local invoke` gives where nothing was said."""
    for name, value in (FILLED | {"AWS_ENDPOINT_URL": "", "PAPERFLEET_BASE_URL": "BaseUrl"}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match="real AWS"):
        handler(event, LocalContext("r", lambda: 100.0, function_name="f"))


@pytest.mark.parametrize(("name", "word"), (PARAMETERS | RESOURCES).items())
def test_a_word_of_the_template_is_no_value(name: str, word: str) -> None:
    with pytest.raises(UsageError, match=f"{PREFIX}{name.upper()} has no value.*{word}"):
        refuse_unfilled(FILLED | {PREFIX + name.upper(): word})


def _references(function: dict[str, object]) -> dict[str, str]:
    """Variable → what it refers to, where the whole value is a reference."""
    environment: dict[str, object] = function["Environment"]["Variables"]
    return {
        name.removeprefix(PREFIX).lower(): value["Ref"]
        for name, value in environment.items()
        if isinstance(value, dict) and "Ref" in value
    }


def test_every_value_that_sam_would_put_a_word_for_is_known() -> None:
    """A parameter without a default, or a resource."""
    functions = [STACK["Globals"]["Function"], *of_type(STACK, "AWS::Serverless::Function").values()]
    found = {name: word for each in functions for name, word in _references(each).items()}
    defaults = {word for word, each in STACK["Parameters"].items() if "Default" in each}
    unfilled = {name: word for name, word in found.items() if word not in defaults and "::" not in word}
    assert unfilled == PARAMETERS | RESOURCES
    assert unfilled.keys() <= Settings.model_fields.keys()


def test_sam_hands_on_where_a_local_aws_listens_and_deployed_there_is_no_such_variable() -> None:
    """It drops what a template does not declare; emulators of Lambda take an empty address for one."""
    declared = STACK["Globals"]["Function"]["Environment"]["Variables"]["AWS_ENDPOINT_URL"]
    assert declared == {"Fn::If": ["LocalAws", {"Ref": "AwsEndpointUrl"}, {"Ref": "AWS::NoValue"}]}
    assert STACK["Parameters"]["AwsEndpointUrl"]["Default"] == ""
