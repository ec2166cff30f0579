"""The events of a run that were sent, by every adapter: each event is claimed once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from handlers.adapters.aws.clients import aws_client
from handlers.adapters.dynamodb.sent_events import DynamoDbSentEvents
from handlers.reporting.webhook import SentEvents, SentEventsFolder
from tests.builders.fakes import FakeClock
from tests.builders.local_aws import LocalAws, name_of

MakeSentEvents = Callable[[str], SentEvents]


@pytest.fixture(params=["folder", "dynamodb"])
def make_sent_events(request: pytest.FixtureRequest, tmp_path: Path, aws: LocalAws) -> MakeSentEvents:
    """Makes one for a process of that name; all of them share what was sent."""
    if request.param == "folder":
        return lambda _owner: SentEventsFolder(tmp_path / "told")
    client, table = aws.client("dynamodb"), aws.table(name_of(tmp_path))
    return lambda owner: DynamoDbSentEvents(client, table, FakeClock(), run_id="r", owner=owner)


def test_an_event_is_one_process_s_and_only_once(make_sent_events: MakeSentEvents) -> None:
    one, two = make_sent_events("one"), make_sent_events("two")
    assert one.claim("start-1")
    assert not one.claim("start-1")
    assert not two.claim("start-1")
    assert two.claim("start-2")
    assert not make_sent_events("three").claim("start-2")


def test_of_many_at_once_one_is_first(make_sent_events: MakeSentEvents) -> None:
    processes = [make_sent_events(f"p{number}") for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda sent: sent.claim("parked-1.5"), processes)) == 1


def test_a_winner_whose_answer_was_lost_still_wins(
    aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: list[str] = []

    def lose(operation: str, _body: bytes) -> bool:
        if operation == "PutItem" and not lost:
            lost.append(operation)
            return True
        return False

    table = aws.table(name_of(tmp_path))
    monkeypatch.setattr(aws.wire, "loses", lose)
    sent = DynamoDbSentEvents(aws_client("dynamodb"), table, FakeClock(), run_id="r", owner="one")
    assert sent.claim("end-1")
    assert lost == ["PutItem"]
