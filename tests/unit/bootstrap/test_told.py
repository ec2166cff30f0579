"""What people hear of a run through the topic of the alarms: each thing once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from handlers.adapters.aws.sns_topic import SnsTopic
from handlers.bootstrap.told import tell
from handlers.reporting.webhook import SentEventsFolder
from tests.builders.reports import report as run_report


def counts(**changes: int) -> dict[str, int]:
    return {"done": 0, "flagged": 0, "failed": 0, "skipped": 0, "pending": 0} | changes


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"state": "running", "budget_usd": 10.0, "spend_usd": 8.9}, []),
        ({"state": "running", "budget_usd": 10.0, "spend_usd": 8.0, "held_usd": 1.0}, ["has used 90% of"]),
        ({"state": "paused", "budget_usd": 10.0, "spend_usd": 9.5}, ["has used 90% of its budget"]),
        ({"state": "running", "budget_usd": None, "spend_usd": 9.5}, []),
        ({"state": "running", "counts": counts(done=17, flagged=2, pending=9)}, []),
        ({"state": "running", "counts": counts(done=18, flagged=2, pending=9)}, ["has 10% flagged papers"]),
        ({"state": "parked", "reason": "the key is refused"}, ["is parked"]),
        (
            {"state": "parked", "reason": "no budget", "budget_usd": 1.0, "spend_usd": 1.0},
            ["has used 90% of its budget", "is parked"],
        ),
        (
            {"state": "finished", "budget_usd": 1.0, "spend_usd": 1.0, "counts": counts(done=80, flagged=20)},
            [],
        ),
    ],
)
def test_each_thing_is_told_once_a_run(tmp_path: Path, changes: dict[str, Any], says: list[str]) -> None:
    report = run_report(**{"counts": counts(done=1, pending=9), "budget_usd": None} | changes)
    told: list[tuple[str, str]] = []
    for _ in range(3):
        tell(report, lambda: SentEventsFolder(tmp_path / "told"), lambda *notice: told.append(notice))
    assert len(told) == len(says)
    for (subject, text), words in zip(told, says, strict=True):
        assert words in subject
        assert report.run_id in subject and report.run_id in text


def test_another_reason_and_another_budget_are_news(tmp_path: Path) -> None:
    told: list[str] = []
    for reason, budget in (("a", 1.0), ("b", 1.0), ("b", 1.05), ("b", 1.05)):
        report = run_report(state="parked", reason=reason, budget_usd=budget, spend_usd=1.0,
                            counts=counts(done=1, pending=9))  # fmt: skip
        tell(report, lambda: SentEventsFolder(tmp_path / "told"), lambda subject, _text: told.append(subject))
    assert len(told) == 4


class Client:
    def __init__(self, error: Exception | None) -> None:
        self.error, self.sent = error, list[dict[str, str]]()

    def publish(self, **request: str) -> None:
        self.sent.append(request)
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "NotFound"}}, "Publish"),
        ClientError({"Error": {"Code": "AuthorizationError"}}, "Publish"),
        EndpointConnectionError(endpoint_url="https://sns"),
    ],
)
def test_a_topic_that_takes_nothing_stops_nothing(error: Exception) -> None:
    assert not SnsTopic(Client(error), "arn").publish("s", "t")


def test_a_subject_is_what_the_topic_takes() -> None:
    client = Client(None)
    assert SnsTopic(client, "arn").publish("Lauf\n größer " + "x" * 200, "t" * 300_000)
    (sent,) = client.sent
    assert len(sent["Subject"]) == 100
    assert sent["Subject"].isascii() and "\n" not in sent["Subject"]
    assert len(sent["Message"]) == 4_000
