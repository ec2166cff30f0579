"""The built stack, deployed: papers go through it while messages are doubled, poisoned, lost and redriven."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from handlers.model_server import RunningServer, ServerSettings, start
from tests.builders.cloudformation import as_list
from tests.builders.command import corpus, lines, until, whole_papers
from tests.e2e.environments import ROOT
from tests.e2e.stack import NAME, Stack, deploy, deploy_beside, ministack

pytestmark = [pytest.mark.slow, pytest.mark.alone]
MODEL = "paperfleet-canned"
FUNCTION_SECONDS, CALL_SECONDS = 25, 9
RECEIVES = 3
LATENCY = 0.1
BATCH = 100


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    settings = ServerSettings(
        mode="canned", price_in="0.15", price_out="0.60", latency=LATENCY, api_key="test-key"
    )
    with start(settings) as running:
        yield running


@pytest.fixture(scope="module")
def deployed(built: Path, server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with ministack(tmp_path_factory.mktemp("cloud")) as cloud:
        yield deploy(
            cloud, built, BaseUrl=server.base_url, Model=MODEL, PriceIn="0.15", PriceOut="0.60", Workers=8,
            BatchPapers=BATCH, FunctionTimeout=FUNCTION_SECONDS, CallTimeout=CALL_SECONDS,
            MaxReceives=RECEIVES, Budget="1",
        )  # fmt: skip


@pytest.fixture
def stack(deployed: Stack, server: RunningServer) -> Iterator[Stack]:
    """The deployed stack; whatever becomes of a test, the next one finds nothing of it."""
    server.control(latency=LATENCY, sigma=0)
    yield deployed
    server.control(latency=LATENCY)
    deployed.clear()
    until(lambda: _quiet(server), seconds=4 * FUNCTION_SECONDS)


def _shard(
    stack: Stack, tmp_path: Path, run_id: str, papers: int, *, seed: int, **more: str
) -> dict[str, Any]:
    source = corpus(tmp_path / f"{run_id}.jsonl", papers, seed=seed)
    ran = stack.command(
        "shard",
        source,
        "--run-id",
        run_id,
        "--model",
        MODEL,
        "--state",
        tmp_path / "state",
        **more,
    )
    assert ran.code == 0, ran.err
    submitted: dict[str, Any] = json.loads(ran.out)
    return submitted


def test_three_hundred_papers_end_once_and_the_ledger_equals_the_bill(
    stack: Stack, server: RunningServer, tmp_path: Path
) -> None:
    """With every message delivered twice, a poison message, and a pause in the middle."""
    before = server.stats()
    server.control(latency=1)
    submitted = _shard(stack, tmp_path, "main", 300, seed=1)
    assert submitted["emitted"] == submitted["batches"] > 5
    stack.send(json.loads((ROOT / "events" / "poison.json").read_text())["Records"][0]["body"])
    assert stack.command("resume", "--run-id", "main").code == 0, "emits every batch once more"
    until(lambda: server.stats()["delivered"] - before["delivered"] > 30, seconds=90)

    assert stack.command("pause", "--run-id", "main").code == 0
    until(lambda: stack.idle() and _quiet(server), seconds=90)  # all have heard it: no batch is held
    paused = server.stats()
    report = stack.report("main")
    assert report["state"] == "paused"
    assert report["counts"]["pending"] > 0
    with stack.ledger() as ledger:
        assert ledger.run("main").spec.batch_papers == BATCH, "as large as the stack says"
        stack.send(next(ledger.unfinished_batches("main")).model_dump_json())
    until(lambda: stack.idle() and stack.dead() > 0, seconds=60)
    assert server.stats()["requests"] == paused["requests"], "a message that comes late starts no call"
    assert stack.dead() == 1, "a pause kills no message: the poison alone is dead"

    server.control(latency=LATENCY)
    assert stack.command("resume", "--run-id", "main").code == 0
    report = stack.finished("main", seconds=120)
    bill = server.stats()
    assert report["state"] == "finished"
    assert sum(report["counts"].values()) == report["papers"] == 300
    assert report["counts"]["failed"] == report["counts"]["pending"] == 0
    assert bill["duplicates"] == before["duplicates"], "no text is paid twice"
    assert report["spend_nano_usd"] == bill["bill_nano_usd"] - before["bill_nano_usd"]
    assert report["calls"]["sent"] == bill["requests"] - before["requests"]
    _exported(stack, tmp_path, 300)
    listed = stack.command("redrive", "--run-id", "main", "--list")
    assert "no batch message of version 1" in listed.out + listed.err


def test_a_whole_paper_goes_on_in_the_next_invocation_and_is_paid_once(
    stack: Stack, server: RunningServer, tmp_path: Path
) -> None:
    """A call takes so long that an invocation has time for two or three of each worker."""
    before = server.stats()
    server.control(latency=3)
    source = whole_papers(tmp_path / "whole.jsonl", 1, paragraphs=120)
    ran = stack.command(
        "shard", source, "--full-text", "--run-id", "whole", "--model", MODEL, "--state", tmp_path / "state"
    )
    assert ran.code == 0, ran.err
    report = stack.finished("whole", seconds=8 * FUNCTION_SECONDS)
    bill = server.stats()
    assert report["counts"]["done"] == 1
    assert report["wall_s"] > FUNCTION_SECONDS
    assert bill["duplicates"] == before["duplicates"], "no passage is paid twice"
    assert report["spend_nano_usd"] == bill["bill_nano_usd"] - before["bill_nano_usd"]
    assert report["calls"]["sent"] == bill["requests"] - before["requests"] > 60
    assert stack.dead() == 0
    assert stack.command("audit", "--run-id", "whole").code == 0


def _quiet(server: RunningServer) -> bool:
    return bool(server.stats()["in_flight"] == 0)


def _exported(stack: Stack, tmp_path: Path, papers: int) -> None:
    output = tmp_path / "results.jsonl"
    assert stack.command("export", "--run-id", "main", "--output", output).code == 0
    results = lines(output)
    assert len({line["id"] for line in results}) == papers
    assert all(line["title"] for line in results if line["status"] == "done")


def test_a_call_that_outlasts_the_function_is_cut_off_booked_and_made_again(
    stack: Stack, server: RunningServer, tmp_path: Path
) -> None:
    before = server.stats()
    server.control(latency=120, sigma=0)
    _shard(stack, tmp_path, "slow", 4, seed=2)
    until(lambda: server.stats()["in_flight"] >= 4, seconds=60)
    server.control(latency=LATENCY)
    report = stack.finished("slow", seconds=4 * FUNCTION_SECONDS)
    bill = server.stats()
    assert report["counts"]["failed"] == 0
    assert report["calls"]["transient"] >= 4
    assert report["indeterminate_usd"] > 0
    spend, indeterminate = report["spend_nano_usd"], round(report["indeterminate_usd"] * 10**9)
    charged = bill["bill_nano_usd"] - before["bill_nano_usd"]
    assert spend - indeterminate <= charged, "what was answered is on the bill"
    assert abs(spend - charged) <= indeterminate, "and what differs is what was cut off"
    assert report["calls"]["sent"] == bill["requests"] - before["requests"]


def test_a_vanished_corpus_kills_the_message_and_a_redrive_finishes_the_run(
    stack: Stack, server: RunningServer, tmp_path: Path
) -> None:
    s3, bucket = stack.cloud.client("s3"), stack.outputs["BucketName"]
    source = corpus(tmp_path / "gone.jsonl", 20, seed=3)
    kept = Path(json.loads(stack.command("ingest", source, "--state", tmp_path).out)["corpus"])
    elsewhere = stack.cloud.client("sqs").create_queue(QueueName="elsewhere")["QueueUrl"]
    _shard(stack, tmp_path, "gone", 20, seed=3, **stack.pieces() | {"PAPERFLEET_QUEUE_URL": elsewhere})
    s3.delete_object(Bucket=bucket, Key=f"corpora/{kept.name}")
    assert stack.command("resume", "--run-id", "gone").code == 0
    until(lambda: stack.dead() >= 1, seconds=60)
    listed = stack.command("redrive", "--run-id", "gone", "--list")
    assert "is gone" in listed.out, listed
    s3.upload_file(str(kept), bucket, f"corpora/{kept.name}")
    assert stack.command("redrive", "--run-id", "gone").code == 0
    assert stack.finished("gone", seconds=60)["counts"]["failed"] == 0


def test_an_upload_starts_a_run_and_the_schedule_reports_its_end(
    stack: Stack, server: RunningServer, tmp_path: Path
) -> None:
    s3, bucket = stack.cloud.client("s3"), stack.outputs["BucketName"]
    s3.upload_file(str(corpus(tmp_path / "july.jsonl", 30, seed=4)), bucket, "incoming/july.jsonl")
    until(lambda: _runs(stack, "july-") != [], seconds=60)
    (run_id,) = _runs(stack, "july-")
    report = stack.finished(run_id, seconds=60)
    assert report["papers"] == 30
    assert report["budget_usd"] == 1
    schedule = json.loads((ROOT / "events" / "schedule.json").read_text())
    reported = stack.invoke("Report", schedule)["reported"]
    kept = s3.list_objects_v2(Bucket=bucket, Prefix=f"runs/{run_id}/reports/")["Contents"]
    assert run_id in reported or kept
    assert json.loads(s3.get_object(Bucket=bucket, Key=kept[-1]["Key"])["Body"].read())["run_id"] == run_id
    assert stack.invoke("Report", {"run_id": run_id})["state"] == "finished"


def _runs(stack: Stack, prefix: str) -> list[str]:
    found = stack.cloud.client("dynamodb").query(
        TableName=stack.outputs["TableName"],
        KeyConditionExpression="pk = :runs AND begins_with(sk, :prefix)",
        ExpressionAttributeValues={":runs": {"S": "RUNS"}, ":prefix": {"S": f"RUN#{prefix}"}},
    )
    return [item["run_id"]["S"] for item in found["Items"]]


def test_a_spent_budget_parks_its_run_and_no_other(
    stack: Stack, server: RunningServer, tmp_path: Path
) -> None:
    source = corpus(tmp_path / "poor.jsonl", 60, seed=5)
    ran = stack.command(
        "shard", source, "--run-id", "poor", "--model", MODEL, "--budget", "0.002",
        "--state", tmp_path / "state",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    _shard(stack, tmp_path, "rich", 30, seed=6)
    until(lambda: stack.report("poor")["state"] == "parked", seconds=60)
    assert stack.finished("rich", seconds=60)["counts"]["failed"] == 0
    report = stack.report("poor")
    assert report["counts"]["failed"] == 0
    assert 0 < report["spend_usd"] <= 0.002
    assert stack.dead() == 0, "a parked batch is no failure"


def test_alarms_and_dashboard_are_about_the_deployed_stack(deployed: Stack) -> None:
    told = deploy_beside(deployed.cloud, "infra/observability.yaml", AlarmEmail="you@example.com")
    (address,) = deployed.cloud.client("sns").list_subscriptions_by_topic(TopicArn=told["TopicArn"])[
        "Subscriptions"
    ]
    assert (address["Protocol"], address["Endpoint"]) == ("email", "you@example.com")
    watch = deployed.cloud.client("cloudwatch")
    alarms = watch.describe_alarms()["MetricAlarms"]
    assert all(alarm["AlarmActions"] == [told["TopicArn"]] for alarm in alarms)
    watched = {(alarm["MetricName"], alarm["Dimensions"][0]["Value"]) for alarm in alarms}
    names = deployed.outputs
    assert watched == {
        ("ApproximateNumberOfMessagesVisible", names["DeadLetterName"]),
        ("ApproximateAgeOfOldestMessage", names["QueueName"]),
        ("Throttles", names["ProcessFunctionName"]),
        *(("Errors", names[f"{each}FunctionName"]) for each in ("Shard", "Process", "Report")),
        *((metric, NAME) for metric in ("Throttles", "Refused", "BudgetUsed", "FlaggedShare")),
    }
    (entry,) = watch.list_dashboards()["DashboardEntries"]
    board = json.loads(watch.get_dashboard(DashboardName=entry["DashboardName"])["DashboardBody"])
    shown = {metric[3] for widget in board["widgets"] for metric in widget["properties"]["metrics"]}
    of_stack = ("QueueName", "DeadLetterName", "ProcessFunctionName", "TableName")
    assert shown - {"."} == {NAME, *(names[name] for name in of_stack)}


def test_the_github_role_is_for_one_branch_and_for_this_stack(deployed: Stack) -> None:
    """The account has GitHub's provider already: the emulator knows no ``AWS::IAM::OIDCProvider``."""
    provider = "arn:aws:iam::000000000000:oidc-provider/token.actions.githubusercontent.com"
    given = {"Repository": "owner/name", "Branch": "main", "ProviderArn": provider}
    arn = deploy_beside(deployed.cloud, "infra/github-role.yaml", **given)["RoleArn"]
    iam, name = deployed.cloud.client("iam"), arn.rpartition("/")[2]
    role = iam.get_role(RoleName=name)["Role"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Federated": provider}
    assert trust["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert trust["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": "repo:owner/name:ref:refs/heads/main",
        }
    }
    assert role["MaxSessionDuration"] == 6 * 3600, "as long as a job on GitHub may run"
    policy = iam.get_role_policy(RoleName=name, PolicyName="jobs")["PolicyDocument"]
    allowed = {each for statement in policy["Statement"] for each in as_list(statement["Resource"])}
    mine = [deployed.outputs[f"{each}Arn"] for each in ("Queue", "DeadLetter", "Table", "Bucket")]
    mine += [f":function:{deployed.outputs['ShardFunctionName']}", f":stack/{NAME}/"]
    assert all(any(each in resource for each in mine) for resource in allowed)
    assert all(any(each in resource for resource in allowed) for each in mine)
