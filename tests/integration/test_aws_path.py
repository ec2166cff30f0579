"""The whole path on SQS, DynamoDB and S3 (moto's server) by the commands that a user gives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from handlers.model_server import RunningServer, ServerSettings
from tests.builders.command import PRICES, Ran, corpus, lines, paperfleet
from tests.builders.local_aws import LocalAws, Stack, moto_server, name_of
from tests.builders.task_files import SUBJECT, sampled, written
from tests.builders.warm import start

PAPERS = 40
PRICED = {"mode": "canned", "price_in": Decimal("0.15"), "price_out": Decimal("0.60")}


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with moto_server() as local:
        yield local


@pytest.fixture
def stack(aws: LocalAws, tmp_path: Path) -> Stack:
    return aws.stack(name_of(tmp_path), max_receives=2)


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with start(ServerSettings(**PRICED, latency=0.05)) as running:
        yield running


class Fleet:
    """Commands on one stack, from one machine."""

    def __init__(self, aws: LocalAws, stack: Stack, folder: Path) -> None:
        self._environment = aws.environment | stack.settings()
        self._folder = folder

    def __call__(self, *arguments: object, **more: str) -> Ran:
        return paperfleet(*arguments, "--state", self._folder / "state", **self._environment | more)

    def shard(self, source: Path, run_id: str = "r") -> Ran:
        return self("shard", source, "--aws", "--run-id", run_id, "--model", "paperfleet-canned",
                    "--batch-papers", 10)  # fmt: skip

    def work(self, server: RunningServer, *flags: object, **more: str) -> Ran:
        return self("work", "--aws", "--run-id", "r", "--base-url", server.base_url, *PRICES, "--json",
                    "--workers", 8, *flags, **more)  # fmt: skip


@pytest.fixture
def fleet(aws: LocalAws, stack: Stack, tmp_path: Path) -> Fleet:
    return Fleet(aws, stack, tmp_path)


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return corpus(tmp_path_factory.mktemp("corpus") / "papers.jsonl", PAPERS)


@pytest.mark.slow
def test_a_corpus_goes_through_the_stack_and_is_paid_once(
    papers: Path, fleet: Fleet, server: RunningServer, tmp_path: Path
) -> None:
    """What a paper takes of requests, by kind, is for ``test_requests_a_paper``: how often a fleet beats and
    looks at its queue depends on how long its run takes."""
    submitted = fleet.shard(papers)
    assert submitted.code == 0, submitted.err
    assert json.loads(submitted.out)["papers"] == PAPERS
    worked = fleet.work(server)
    assert worked.code == 0, worked.err
    report = worked.report
    assert report["counts"] == {"done": PAPERS, "flagged": 0, "failed": 0, "skipped": 0, "pending": 0}
    assert report["spend_nano_usd"] == server.stats()["bill_nano_usd"] > 0
    assert report["queue"] == {"visible": 0, "in_flight": 0, "dead": 0, "shared": True}

    results = tmp_path / "results.jsonl"
    assert fleet("export", "--aws", "--run-id", "r", "--output", results).code == 0
    assert len(lines(results)) == PAPERS

    site = tmp_path / "site"
    reviewed = fleet("review", "--aws", "--run-id", "r", "--output", site)
    assert reviewed.code == 0, reviewed.err
    assert f"{PAPERS} papers on 2 pages" in reviewed.err
    assert "paper-00001" in "".join(page.read_text() for page in site.rglob("*.html"))

    again = fleet.shard(papers, run_id="second")
    assert again.code == 0
    calls_before = server.stats()["requests"]
    assert fleet.work(server, "--run-id", "second").report["reused"] == PAPERS
    assert server.stats()["requests"] == calls_before


@pytest.mark.slow
def test_a_paused_run_is_dropped_from_the_queue_and_resumed_from_the_ledger(
    papers: Path, fleet: Fleet, server: RunningServer
) -> None:
    fleet.shard(papers)
    assert fleet("pause", "--aws", "--run-id", "r").code == 0
    paused = fleet.work(server).report
    assert (paused["state"], paused["counts"]["pending"]) == ("paused", PAPERS)
    assert paused["queue"] == {"visible": 0, "in_flight": 0, "dead": 0, "shared": True}
    resumed = fleet("resume", "--aws", "--run-id", "r", "--json")
    assert json.loads(resumed.out)["emitted"] > 0
    assert fleet.work(server).report["counts"]["done"] == PAPERS


@pytest.mark.slow
def test_a_poison_message_is_a_dead_letter_with_its_reason(
    papers: Path, fleet: Fleet, aws: LocalAws, stack: Stack, server: RunningServer
) -> None:
    fleet.shard(papers)
    aws.client("sqs").send_message(QueueUrl=stack.queue_url, MessageBody='{"v": 7}')
    report = fleet.work(server).report
    assert report["counts"]["done"] == PAPERS
    assert (report["queue"]["dead"], report["queue"]["shared"]) == (1, True)
    assert "1 dead letters in the queue that all runs share" in report["warnings"][0]
    listed = json.loads(fleet("redrive", "--aws", "--run-id", "r", "--list").out)
    assert "BadMessageError" in listed["reason"]
    redriven = fleet("redrive", "--aws", "--run-id", "r", "--json")
    assert json.loads(redriven.out)["redriven"] == 1


@pytest.mark.slow
def test_a_corpus_that_vanished_is_named(
    papers: Path, fleet: Fleet, aws: LocalAws, stack: Stack, server: RunningServer
) -> None:
    fleet.shard(papers)
    s3 = aws.client("s3")
    for found in s3.list_objects_v2(Bucket=stack.bucket, Prefix="corpora/")["Contents"]:
        s3.delete_object(Bucket=stack.bucket, Key=found["Key"])
    report = fleet.work(server).report
    assert report["counts"]["pending"] == PAPERS
    assert report["queue"]["dead"] > 0
    listed = fleet("redrive", "--aws", "--run-id", "r", "--list").out.splitlines()
    assert all("CorpusChangedError" in json.loads(line)["reason"] for line in listed)


@pytest.mark.slow
def test_a_key_that_nobody_stored_is_said_before_a_message_is_taken(
    fleet: Fleet, aws: LocalAws, tmp_path: Path, server: RunningServer
) -> None:
    secret = name_of(tmp_path)
    aws.client("secretsmanager").create_secret(Name=secret)
    fleet.shard(corpus(tmp_path / "few.jsonl", 4))
    named = {"PAPERFLEET_API_KEY_SECRET": secret, "PAPERFLEET_API_KEY": ""}
    ran = fleet.work(server, "--jobs", 1, **named)
    assert (ran.code, ran.out) == (2, "")
    assert "paperfleet stack --store-key" in ran.err
    report = fleet("report", "--aws", "--run-id", "r", "--json").report
    assert (report["counts"]["pending"], report["calls"]["sent"], report["queue"]["dead"]) == (4, 0, 0)


@pytest.mark.parametrize(
    ("setting", "value", "named"),
    [
        pytest.param(
            *(
                "PAPERFLEET_TABLE",
                "no-such-table",
                "table 'no-such-table' does not exist in region us-east-1",
            ),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *("PAPERFLEET_BUCKET", "no-such-bucket", "bucket 'no-such-bucket' does not exist"),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *("PAPERFLEET_QUEUE_URL", "http://127.0.0.1:9/000000000000/none", "none does not exist"),
            marks=pytest.mark.slow,
        ),
        ("PAPERFLEET_TABLE", "", "set PAPERFLEET_TABLE"),
    ],
)
def test_what_is_missing_is_named(
    papers: Path, aws: LocalAws, stack: Stack, tmp_path: Path, setting: str, value: str, named: str
) -> None:
    environment = aws.environment | stack.settings() | {setting: value}
    ran = paperfleet("shard", papers, "--aws", "--model", "m", "--state", tmp_path / "state", **environment)
    assert ran.code == 2
    assert named in ran.err


@pytest.mark.slow
def test_a_task_file_goes_through_the_stack(
    papers: Path, fleet: Fleet, server: RunningServer, tmp_path: Path
) -> None:
    """Its bundle is in the bucket: whoever works has no file."""
    task = written(tmp_path, SUBJECT)
    line = ("shard", papers, "--aws", "--run-id", "r", "--model", "paperfleet-canned", "--task", task)
    assert fleet(*line).code == 0
    task.unlink()
    report = fleet.work(server).report
    assert (report["counts"]["done"], report["calls"]["repairs"]) == (PAPERS, 0)
    assert fleet("export", "--aws", "--run-id", "r", "--output", tmp_path / "r.jsonl").code == 0
    assert {each["field"] for each in lines(tmp_path / "r.jsonl")} <= {"physics", "computer science", "other"}


@pytest.mark.slow
def test_five_answers_go_on_from_three_and_passages_are_joined(
    fleet: Fleet, server: RunningServer, papers: Path, tmp_path: Path
) -> None:
    bodies = tmp_path / "bodies.jsonl"
    texts = "\n\n".join("样品的热导率在实验中被测量，并与理论相比较。" * 40 for _ in range(3))
    made = [
        {"id": f"b{n}", "title": f"第{n}篇", "body": f"第{n}篇。{texts}", "language": "zh"} for n in range(4)
    ]
    bodies.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in made))
    passages = (
        'v = 1\nname = "p"\ninput = { unit = "passage" }\n[prompt]\nuser = "{{ passage }}"\n'
        '[output.fields]\nterms = "list of text 1..20"\n'
    )
    spent, sent = 0, []
    for run, source, text in (
        ("three", papers, sampled(3) + "seed = 1\n"),
        ("five", papers, sampled(5) + "seed = 1\n"),
        ("again", papers, sampled(5) + "seed = 1\n"),
        ("bodies", bodies, passages),
        ("twice", bodies, passages),
    ):
        task = written(tmp_path, text)
        line = ("--aws", "--run-id", run)
        assert fleet("shard", source, *line, "--model", "paperfleet-canned", "--task", task).code == 0
        ran = fleet("work", *line, "--base-url", server.base_url, *PRICES, "--json", "--workers", 4)
        assert ran.report["counts"]["done"] == ran.report["papers"]
        spent += ran.report["spend_nano_usd"]
        sent.append(ran.report["calls"]["sent"])
    assert 2 * PAPERS <= sent[0] <= 3 * PAPERS
    assert PAPERS <= sent[1] <= 3 * PAPERS
    assert sent[2] == sent[4] == 0
    assert sent[3] > len(made)
    assert server.stats()["bill_nano_usd"] == spent > 0
