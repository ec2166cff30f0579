"""A task file on SQS, DynamoDB and S3 (moto): pushed, asked by uploads, swapped in the bucket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from handlers.adapters.aws.sqs_queue import SqsQueue
from handlers.bootstrap import wiring
from handlers.bootstrap.state import SystemClock
from handlers.errors import UsageError
from handlers.local.event_source import sqs_event
from handlers.model_server import RunningServer, ServerSettings
from tests.builders.command import PRICES, Ran, corpus, here, lines, paperfleet
from tests.builders.local_aws import LocalAws, Stack, moto_server, name_of
from tests.builders.own_process import own_process
from tests.builders.own_tasks import JUDGED, OTHERS, SEVEN, OwnTask
from tests.builders.plugin_folder import installed
from tests.builders.task_files import SUBJECT, written
from tests.builders.warm import start

pytestmark = pytest.mark.slow
PAPERS = 12
TASKS = {each.name: each for each in (*SEVEN, *OTHERS)}
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with moto_server() as local:
        yield local


@pytest.fixture
def server() -> Iterator[RunningServer]:
    priced = {"price_in": Decimal("0.15"), "price_out": Decimal("0.60")}
    with start(ServerSettings(mode="canned", latency=0.02, **priced)) as running:
        yield running


class Context:
    """What Lambda tells a function of its invocation."""

    function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "shard"

    def get_remaining_time_in_millis(self) -> int:
        return 600_000


class Functions:
    """A stack's shard function, and commands on the same stack."""

    def __init__(self, aws: LocalAws, folder: Path) -> None:
        self.aws, self.folder = aws, folder
        self.stack: Stack = aws.stack(name_of(folder), max_receives=2)
        self.environment = aws.environment | self.stack.settings()

    def command(self, *arguments: object, **more: str) -> Ran:
        return paperfleet(*arguments, "--aws", "--state", self.folder / "state", **self.environment | more)

    def push(self, text: str) -> str:
        ran = self.command("task", "push", written(self.folder, text))
        assert ran.code == 0, ran.err
        return ran.out.strip()

    def work(self, run_id: str, server: RunningServer, **more: str) -> dict[str, Any]:
        flags = ("--run-id", run_id, "--base-url", server.base_url, *PRICES, "--json")
        ran = self.command("work", *flags, **more)
        assert ran.code in (0, 3), ran.err
        return ran.report

    def invoke(self, server: RunningServer, **settings: str) -> None:
        """The process function, with an event for each message, as one that a platform keeps warm."""
        from handlers.process import handler

        own = {
            "AWS_LAMBDA_FUNCTION_NAME": "process", "POWERTOOLS_METRICS_NAMESPACE": "Paperfleet",
            "PAPERFLEET_API_KEY": "none", "PAPERFLEET_BASE_URL": server.base_url, "PAPERFLEET_WORKERS": "4",
            "PAPERFLEET_PRICE_IN": "0.15", "PAPERFLEET_PRICE_OUT": "0.60", "PAPERFLEET_MAX_FAILED": "100%",
        }  # fmt: skip
        client = self.aws.client("sqs")
        queue = SqsQueue(client, self.stack.queue_url, None, None, SystemClock(), long_poll=0)
        waiting = list(queue.receive(limit=10, visibility=900))
        assert len(waiting) > 0
        with own_process(self.environment | own | settings):
            for message in waiting:
                assert handler(sqs_event(message), Context()) == {"batchItemFailures": []}
            assert wiring._bundle.cache_info().misses == 1

    def upload(self, source: Path, monkeypatch: pytest.MonkeyPatch, **settings: str) -> dict[str, Any]:
        """As EventBridge tells the shard function of it."""
        from handlers.shard import handler

        event = json.loads((ROOT / "events" / "upload.json").read_text())
        named = Path(event["detail"]["object"]["key"]).with_suffix(source.suffix)
        key = event["detail"]["object"]["key"] = str(named)
        self.aws.client("s3").put_object(Bucket=self.stack.bucket, Key=key, Body=source.read_bytes())
        here = {"PAPERFLEET_STATE": str(self.folder / "tmp"), "PAPERFLEET_MODEL": "paperfleet-canned"}
        for name, value in (self.environment | here | settings).items():
            monkeypatch.setenv(name, value)
        answered: dict[str, Any] = handler(event, Context())
        return answered


@pytest.fixture
def functions(aws: LocalAws, tmp_path: Path) -> Functions:
    return Functions(aws, tmp_path)


def test_an_upload_is_asked_the_task_that_was_pushed(
    functions: Functions, server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = functions.push(SUBJECT)
    assert functions.push(SUBJECT) == digest, "what is there is left as it is"
    source = corpus(tmp_path / "june.jsonl", PAPERS)
    submitted = functions.upload(source, monkeypatch, PAPERFLEET_TASK_BUNDLE=digest)
    report = functions.work(submitted["run_id"], server)
    assert report["counts"]["done"] == PAPERS
    assert report["spend_nano_usd"] == server.stats()["bill_nano_usd"] > 0
    output = tmp_path / "results.jsonl"
    assert functions.command("export", "--run-id", submitted["run_id"], "--output", output).code == 0
    assert {each["field"] for each in lines(output)} <= {"physics", "computer science", "other"}
    again = functions.upload(source, monkeypatch, PAPERFLEET_TASK_BUNDLE=digest)
    assert (again["run_id"], again["emitted"]) == (submitted["run_id"], 0)


def test_without_a_task_an_upload_is_translated(
    functions: Functions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted = functions.upload(corpus(tmp_path / "june.jsonl", 2), monkeypatch, PAPERFLEET_TASK_BUNDLE="")
    spec = json.loads(
        functions.aws.client("s3")
        .get_object(Bucket=functions.stack.bucket, Key=f"runs/{submitted['run_id']}/run.json")["Body"]
        .read()
    )
    assert "task_bundle" not in json.dumps(spec)


def test_a_task_that_nobody_pushed_is_refused(
    functions: Functions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="paperfleet task push"):
        functions.upload(corpus(tmp_path / "june.jsonl", 2), monkeypatch, PAPERFLEET_TASK_BUNDLE="0" * 64)


def test_a_task_that_is_swapped_in_the_bucket_costs_nothing_and_says_so(
    functions: Functions, server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = functions.push(SUBJECT)
    source = corpus(tmp_path / "june.jsonl", PAPERS)
    run_id = functions.upload(source, monkeypatch, PAPERFLEET_TASK_BUNDLE=digest)["run_id"]
    s3, key = functions.aws.client("s3"), f"tasks/{digest}.json"
    whole = s3.get_object(Bucket=functions.stack.bucket, Key=key)["Body"].read()
    s3.put_object(Bucket=functions.stack.bucket, Key=key, Body=whole.replace(b"fits best", b"fits worst"))
    ran = functions.command("work", "--run-id", run_id, "--base-url", server.base_url, *PRICES)
    assert ran.code == 2
    assert f"{key} is not what it was" in ran.err
    assert server.stats()["requests"] == 0
    pushed = functions.command("task", "push", tmp_path / "own.toml")
    assert pushed.code == 2, "what is there is not replaced, and not taken for what it is not"
    s3.delete_object(Bucket=functions.stack.bucket, Key=key)
    functions.push(SUBJECT)
    assert functions.work(run_id, server)["counts"]["done"] == PAPERS


def test_the_process_function_reads_a_task_once_a_process(
    functions: Functions, server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = functions.push(SUBJECT)
    functions.upload(corpus(tmp_path / "june.jsonl", PAPERS), monkeypatch, PAPERFLEET_TASK_BUNDLE=digest)
    functions.invoke(server)
    assert server.stats()["charged"] == PAPERS


@pytest.mark.parametrize(
    ("own", "counts", "calls"),
    [
        (TASKS["vectors"], {"done": PAPERS}, PAPERS),
        (TASKS["german"], {"flagged": PAPERS}, 2 * PAPERS),  # the server translates nothing
        (TASKS["votes"], {"done": PAPERS}, 29),
        (TASKS["passages"], {"done": PAPERS}, 3 * PAPERS),
        (TASKS["polish"], {"done": PAPERS}, PAPERS),
        (TASKS["reviews"], {"done": 8, "flagged": 4}, 19),
        (JUDGED, {"flagged": PAPERS}, 2 * PAPERS),
    ],
    ids=lambda own: getattr(own, "name", ""),
)
def test_tasks_of_every_kind_go_through_both_functions(
    functions: Functions, server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    own: OwnTask, counts: dict[str, int], calls: int,
) -> None:  # fmt: skip
    installed(tmp_path / "site", monkeypatch)
    monkeypatch.setenv("PAPERFLEET_ALLOW_PLUGINS", "own-checks")
    for name, value in functions.environment.items():
        monkeypatch.setenv(name, value)
    state = ("--state", tmp_path / "state")
    digest = here("task", "push", own.file(tmp_path), "--aws", *state).out.strip()
    run_id = functions.upload(own.source(tmp_path, PAPERS), monkeypatch, PAPERFLEET_TASK_BUNDLE=digest)[
        "run_id"
    ]
    functions.invoke(server, PAPERFLEET_ALLOW_PLUGINS="own-checks")
    report = json.loads(here("report", "--run-id", run_id, "--aws", *state, "--json").out)
    assert {name: n for name, n in report["counts"].items() if n} == counts
    stats = server.stats()
    assert (report["spend_nano_usd"], report["calls"]["sent"]) == (stats["bill_nano_usd"], stats["charged"])
    assert (stats["duplicates"], stats["charged"]) == (0, calls)
    output = tmp_path / "results.parquet"
    assert here("export", "--run-id", run_id, "--aws", *state, "--output", output).code == 0
    assert duckdb.sql(f"SELECT count(*) FROM '{output}'").fetchall() == [(PAPERS,)]
