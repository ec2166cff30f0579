"""What the templates promise, read from them; whether they are valid is for the linters to say."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from handlers.adapters.dynamodb.job_items import live_key
from handlers.adapters.dynamodb.open_run_items import OPEN
from handlers.bootstrap import metrics
from handlers.domain.fleet_tiers import TIERS
from handlers.pipeline.pace import AWS
from handlers.setting_sources import PREFIX
from handlers.settings import Settings
from tests.builders.cloudformation import ROOT, as_list, inside, of_type, statements, template

STACK = template("template.yaml")
ALARMS = template("infra/observability.yaml")
GITHUB = template("infra/github-role.yaml")
FUNCTIONS = of_type(STACK, "AWS::Serverless::Function")
ROLES = of_type(STACK, "AWS::IAM::Role")
RESOURCES = {name: resource.get("Properties", {}) for name, resource in STACK["Resources"].items()}
LONGEST = 900


def test_every_function_is_there_and_has_a_role_of_its_own() -> None:
    roles = [function["Role"]["Fn::GetAtt"][0] for function in FUNCTIONS.values()]
    assert len(set(roles)) == len(FUNCTIONS) == 3
    for function in FUNCTIONS.values():
        module, _, name = function["Handler"].rpartition(".")
        assert callable(getattr(importlib.import_module(module), name))


@pytest.mark.parametrize("role", [*ROLES.values(), *of_type(GITHUB, "AWS::IAM::Role").values()])
def test_no_role_may_do_everything_or_on_everything(role: dict[str, Any]) -> None:
    for statement in statements(role):
        assert "*" not in as_list(statement["Resource"])
        assert not any("*" in action for action in as_list(statement["Action"]))


def test_only_the_process_function_reads_the_key() -> None:
    readers = [
        name
        for name, role in ROLES.items()
        for statement in statements(role)
        if "secretsmanager:GetSecretValue" in as_list(statement["Action"])
    ]
    assert readers == ["ProcessRole"]
    with_secret = [
        name for name, each in FUNCTIONS.items() if f"{PREFIX}API_KEY_SECRET" in _environment(each)
    ]
    assert with_secret == ["ProcessFunction"]


def test_a_webhook_is_a_secret_that_only_the_report_function_reads() -> None:
    (policy,) = of_type(STACK, "AWS::IAM::Policy").values()
    assert policy["Roles"] == [{"Ref": "ReportRole"}]
    (statement,) = policy["PolicyDocument"]["Statement"]
    secret = {"Ref": "WebhookSecretArn"}
    assert (statement["Action"], statement["Resource"]) == ("secretsmanager:GetSecretValue", secret)
    readers = [name for name, each in FUNCTIONS.items() if secret in _environment(each).values()]
    assert readers == ["ReportFunction"]
    assert STACK["Parameters"]["WebhookSecretArn"]["Default"] == ""


@pytest.mark.parametrize("role", [*ROLES.values(), *of_type(GITHUB, "AWS::IAM::Role").values()])
def test_no_role_may_delete_results_or_rows(role: dict[str, Any]) -> None:
    """Of the table, the heartbeats of closed jobs alone and notes of runs that ended, by their partition: a
    request that writes many items at once may delete some, and names none that a policy could look at."""
    for statement in statements(role):
        assert not {"dynamodb:BatchWriteItem", "dynamodb:PartiQLDelete"} & set(as_list(statement["Action"]))
        actions = {action for action in as_list(statement["Action"]) if "Delete" in action}
        if "dynamodb:DeleteItem" in actions:
            assert as_list(statement["Action"]) == ["dynamodb:DeleteItem"]
            keys = [live_key("*", "*").removesuffix("#*")] + [OPEN] * (role is ROLES.get("ReportRole"))
            assert statement["Condition"] == {
                "ForAllValues:StringLike": {"dynamodb:LeadingKeys": keys},
                "Null": {"dynamodb:LeadingKeys": "false"},
            }
        assert actions <= {"sqs:DeleteMessage", "dynamodb:DeleteItem"}


@pytest.mark.parametrize("role", ["ProcessRole", "ReportRole"])
def test_who_closes_jobs_may_delete_their_heartbeats(role: str) -> None:
    assert "dynamodb:DeleteItem" in {
        action for each in statements(ROLES[role]) for action in as_list(each["Action"])
    }


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_every_variable_is_a_setting(function: dict[str, Any]) -> None:
    everywhere = STACK["Globals"]["Function"]
    names = {*_environment(function), *_environment(everywhere)}
    settings = {name.removeprefix(PREFIX).lower() for name in names if name.startswith(PREFIX)}
    assert settings <= set(Settings.model_fields)


def test_which_code_judges_is_the_stacks_to_say_and_by_names_alone() -> None:
    allowed = [name for name, each in FUNCTIONS.items() if f"{PREFIX}ALLOW_PLUGINS" in _environment(each)]
    assert allowed == ["ProcessFunction"]
    parameter = STACK["Parameters"]["AllowPlugins"]
    assert parameter["Default"] == ""
    for good in ("", "my-checks", "My_Checks,b.c"):
        assert re.fullmatch(parameter["AllowedPattern"], good)
    for bad in ("*", "a,", ",a", "a b", "./a", "a==1", "-a", "git+https://h/a", "a\nb"):
        assert not re.fullmatch(parameter["AllowedPattern"], bad)


def test_the_event_source_takes_one_batch_and_hears_of_partial_failures() -> None:
    source = FUNCTIONS["ProcessFunction"]["Events"]["Batches"]["Properties"]
    assert source["BatchSize"] == 1
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["ScalingConfig"]["MaximumConcurrency"] == {
        "Fn::FindInMap": ["Tiers", {"Ref": "Tier"}, "Jobs"]
    }


def test_tiers_are_the_documented_ones_but_for_the_smallest() -> None:
    tiers = STACK["Mappings"]["Tiers"]
    shapes = {name: (tier["Jobs"], tier["Workers"]) for name, tier in tiers.items()}
    assert shapes == TIERS | {"standard": (2, 5)}, "an event source's concurrency is 2 at least"
    assert STACK["Parameters"]["Tier"]["AllowedValues"] == list(tiers)
    for tier in tiers.values():
        assert tier["BatchPapers"] >= 10 * tier["Workers"]


def test_a_message_stays_hidden_as_long_as_an_invocation_may_take() -> None:
    assert max(STACK["Parameters"]["FunctionTimeout"]["AllowedValues"]) == LONGEST
    assert RESOURCES["Queue"]["VisibilityTimeout"] >= LONGEST
    assert RESOURCES["Queue"]["RedrivePolicy"]["maxReceiveCount"] == 1000, "attempts are counted in the table"
    assert _environment(FUNCTIONS["ProcessFunction"])[f"{PREFIX}MAX_RECEIVES"] == {"Ref": "MaxReceives"}
    kept = RESOURCES["DeadLetterQueue"]["MessageRetentionPeriod"]
    assert kept >= RESOURCES["Queue"]["MessageRetentionPeriod"]


def test_each_function_holds_a_call_of_each_timeout_that_can_be_chosen() -> None:
    invocations = STACK["Parameters"]["FunctionTimeout"]["AllowedValues"]
    calls = STACK["Parameters"]["CallTimeout"]["AllowedValues"]
    assert min(invocations) - AWS.margin - 10 >= max(calls), "ten seconds to begin in"
    for name in ("FunctionTimeout", "CallTimeout"):
        assert STACK["Parameters"][name]["Default"] in STACK["Parameters"][name]["AllowedValues"]
    assert _environment(FUNCTIONS["ProcessFunction"])[f"{PREFIX}CALL_TIMEOUT"] == {"Ref": "CallTimeout"}


def test_the_process_function_can_send_to_the_dead_letters_and_not_to_its_own_queue() -> None:
    """Lambda stops a function that feeds itself; this one cannot."""
    targets = [
        statement["Resource"]
        for statement in statements(ROLES["ProcessRole"])
        if "sqs:SendMessage" in as_list(statement["Action"])
    ]
    assert targets == [{"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}]


@pytest.mark.parametrize("loaded", [STACK, ALARMS, GITHUB], ids=["stack", "observability", "github-role"])
def test_the_key_of_every_encrypted_topic_admits_who_publishes_to_it(loaded: dict[str, Any]) -> None:
    """The policy of AWS's own key for topics cannot be edited, and does not admit alarms."""
    policies = [
        each["PolicyDocument"]["Statement"] for each in of_type(loaded, "AWS::SNS::TopicPolicy").values()
    ]
    publishers = {each["Principal"]["Service"] for policy in policies for each in policy}
    for topic in of_type(loaded, "AWS::SNS::Topic").values():
        key = of_type(loaded, "AWS::KMS::Key")[topic["KmsMasterKeyId"]["Ref"]]
        admitted = {
            each["Principal"]["Service"]: each
            for each in key["KeyPolicy"]["Statement"]
            if "Service" in each["Principal"]
        }
        assert publishers and publishers <= set(admitted)
        for each in admitted.values():
            assert set(as_list(each["Action"])) == {"kms:Decrypt", "kms:GenerateDataKey*"}
            assert each["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_alarms_can_be_published_to_their_topic() -> None:
    if of_type(ALARMS, "AWS::CloudWatch::Alarm"):
        (policy,) = of_type(ALARMS, "AWS::SNS::TopicPolicy").values()
        (statement,) = policy["PolicyDocument"]["Statement"]
        assert (statement["Principal"], statement["Action"]) == (
            {"Service": "cloudwatch.amazonaws.com"},
            "sns:Publish",
        )
        assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_the_topics_key_admits_the_report_function_by_sns_alone_and_stays_its_accounts() -> None:
    (key,) = of_type(ALARMS, "AWS::KMS::Key").values()
    of = {each["Sid"]: each for each in key["KeyPolicy"]["Statement"] if "AWS" in each["Principal"]}
    assert (of["Owner"]["Action"], of["Notices"]["Action"]) == (
        "kms:*",
        ["kms:Decrypt", "kms:GenerateDataKey*"],
    )
    assert of["Notices"]["Condition"]["StringEquals"].keys() == {"kms:CallerAccount", "kms:ViaService"}
    assert len(of) == 2, "nobody else"
    sent = [each for each in statements(ROLES["ReportRole"]) if "sns:Publish" in as_list(each["Action"])]
    told = _environment(FUNCTIONS["ReportFunction"])[f"{PREFIX}ALARMS_TOPIC"]
    assert [each["Resource"] for each in sent] == [told]
    (topic,) = of_type(ALARMS, "AWS::SNS::Topic").values()
    suffix = topic["TopicName"]["Fn::Sub"].removeprefix("${Stack}")
    assert told["Fn::Sub"].endswith(":${AWS::StackName}" + suffix)


def test_each_alarm_goes_to_the_topic_whose_key_admits_it() -> None:
    for alarm in of_type(ALARMS, "AWS::CloudWatch::Alarm").values():
        told = [*alarm["AlarmActions"], *alarm.get("OKActions", [])]
        assert all(each == {"Ref": "Topic"} for each in told) and told


def test_the_table_can_be_restored_and_is_kept() -> None:
    table = RESOURCES["Table"]
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert [key["AttributeName"] for key in table["KeySchema"]] == ["pk", "sk"]
    for name in ("Table", "Bucket"):
        assert STACK["Resources"][name]["DeletionPolicy"] == "Retain"
        assert STACK["Resources"][name]["UpdateReplacePolicy"] == "Retain"


def test_the_bucket_is_encrypted_and_private() -> None:
    bucket = RESOURCES["Bucket"]
    assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert bucket["BucketEncryption"]
    rules = {rule["Id"]: rule for rule in bucket["LifecycleConfiguration"]["Rules"]}
    assert rules["uploads"]["Prefix"] == "incoming/"
    expired = [rule["Prefix"] for rule in rules.values() if "ExpirationInDays" in rule]
    assert expired == ["incoming/"], "corpora and results stay"


@pytest.mark.parametrize("policy", ["BucketPolicy", "QueuePolicy"])
def test_plain_http_is_refused(policy: str) -> None:
    (statement,) = RESOURCES[policy]["PolicyDocument"]["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Principal"] == "*"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_every_function_logs_into_a_group_that_forgets() -> None:
    for function in FUNCTIONS.values():
        group = RESOURCES[function["LoggingConfig"]["LogGroup"]["Ref"]]
        assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_no_secret_is_a_parameter_or_a_variable() -> None:
    assert not [
        name for name in STACK["Parameters"] if name.lower() in ("apikey", "key", "token", "password")
    ]
    # `sam local` hands on what is declared alone; whoever deploys gives it no value.
    keys = {name: _environment(each).get(f"{PREFIX}API_KEY") for name, each in FUNCTIONS.items()}
    assert keys == {"ProcessFunction": "", "ShardFunction": None, "ReportFunction": None}


def test_the_artifact_is_this_project_and_nothing_else() -> None:
    folder = ROOT / STACK["Globals"]["Function"]["CodeUri"]
    assert [path.name for path in folder.iterdir()] == ["requirements.txt"]
    assert (folder / "requirements.txt").read_text().split() == ["."]


def test_the_github_role_trusts_one_repository_and_branch() -> None:
    (role,) = of_type(GITHUB, "AWS::IAM::Role").values()
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": {
                "Fn::Sub": "repo:${Repository}:ref:refs/heads/${Branch}"
            },
        }
    }
    for name in ("Repository", "Branch"):
        assert not re.fullmatch(GITHUB["Parameters"][name]["AllowedPattern"], "*")


@pytest.mark.parametrize("loaded", [ALARMS, GITHUB], ids=["observability", "github-role"])
def test_what_the_other_templates_import_is_exported(loaded: dict[str, Any]) -> None:
    exported = {
        output["Export"]["Name"]["Fn::Sub"].removeprefix("${AWS::StackName}-")
        for output in STACK["Outputs"].values()
    }
    imported = {name["Fn::Sub"].removeprefix("${Stack}-") for name in inside(loaded, "Fn::ImportValue")}
    assert imported
    assert imported <= exported


def test_alarms_and_dashboard_ask_for_metrics_that_are_published() -> None:
    published = set(re.findall(r'"([A-Z][A-Za-z0-9]+)",\s+MetricUnit', Path(metrics.__file__).read_text()))
    published |= {"LatencyP50", "LatencyP90", "LatencyP99"}
    ours = [
        each
        for each in of_type(ALARMS, "AWS::CloudWatch::Alarm").values()
        if each["Namespace"] == "Paperfleet"
    ]
    assert {alarm["MetricName"] for alarm in ours} <= published
    body = of_type(ALARMS, "AWS::CloudWatch::Dashboard")["Dashboard"]["DashboardBody"]["Fn::Sub"][0]
    shown = _shown(body)
    assert shown["Paperfleet"] == published, "and what is published is on the dashboard"
    assert {"ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"} <= shown["AWS/SQS"]
    assert {"Errors", "Throttles", "ConcurrentExecutions"} <= shown["AWS/Lambda"]


def test_there_is_an_alarm_for_each_thing_that_needs_somebody() -> None:
    """Dead letters, the oldest message, throttles of model and functions, budget, flagged share, errors."""
    alarms = of_type(ALARMS, "AWS::CloudWatch::Alarm").values()
    watched = {(alarm["Namespace"], alarm["MetricName"]) for alarm in alarms}
    assert watched == {
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
        ("AWS/SQS", "ApproximateAgeOfOldestMessage"),
        ("AWS/Lambda", "Throttles"),
        ("AWS/Lambda", "Errors"),
        ("Paperfleet", "Throttles"),
        ("Paperfleet", "Refused"),
        ("Paperfleet", "BudgetUsed"),
        ("Paperfleet", "FlaggedShare"),
    }
    assert all(alarm["AlarmActions"] == [{"Ref": "Topic"}] for alarm in alarms)
    dead = of_type(ALARMS, "AWS::CloudWatch::Alarm")["DeadLettersAlarm"]
    assert (dead["Threshold"], dead["ComparisonOperator"]) == (0, "GreaterThanThreshold")


def _shown(body: str) -> dict[str, set[str]]:
    """Namespace → names of the metrics on a dashboard, where a dot repeats what stands above."""
    shown: dict[str, set[str]] = {}
    for widget in json.loads(re.sub(r"\$\{\w+(::\w+)?\}", "x", body))["widgets"]:
        namespace = ""
        for metric in widget["properties"]["metrics"]:
            namespace = namespace if metric[0] == "." else metric[0]
            shown.setdefault(namespace, set()).add(metric[1])
    return shown


def _environment(function: dict[str, Any]) -> dict[str, Any]:
    variables: dict[str, Any] = function.get("Environment", {}).get("Variables", {})
    return variables
