"""Word by webhook, heard by a real local server."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.domain.run import Control
from handlers.errors import UsageError
from handlers.reporting.webhook import Event, Notifier, SentEventsFolder, Webhook
from tests.builders import values

RUN = values.RUN


@dataclass
class Ear:
    address: SecretStr
    heard: list[dict[str, Any]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    """Status codes to give, then 200."""


@pytest.fixture
def ear() -> Iterator[Ear]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            listening.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(listening.answers.pop(0) if listening.answers else 200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Nothing on stderr."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        listening = Ear(SecretStr(f"http://127.0.0.1:{server.server_address[1]}/secret-token"))
        yield listening
        server.shutdown()
        thread.join()


@pytest.fixture
def webhook(ear: Ear) -> Iterator[Webhook]:
    made = Webhook(ear.address)
    yield made
    made.close()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    made = SqliteLedger(tmp_path / "ledger.sqlite3")
    made.add_batches([values.batch("b1", ("p1", "p2", "p3", "p4"))])
    made.create_run(values.run_record(budget=1000))
    yield made
    made.close()


def spend(ledger: SqliteLedger, part: str, cost: int) -> None:
    ledger.commit([values.commit(part=part, calls=[values.call(f"call-{part}", cost=cost)])])


def test_each_event_is_told_once_however_often_somebody_looks(
    ear: Ear, webhook: Webhook, ledger: SqliteLedger, tmp_path: Path
) -> None:
    notifier = Notifier(webhook.send, SentEventsFolder(tmp_path / "told"), session_id="s1")
    for part, cost in (("1", 400), ("2", 150), ("3", 300), ("4", 150)):
        for _ in range(10):
            notifier.update(ledger, RUN)
        spend(ledger, part, cost)
    ledger.set_control(RUN, Control("parked", "budget_spent", 1.0))
    for _ in range(10):
        Notifier(webhook.send, SentEventsFolder(tmp_path / "told"), session_id="s1").update(ledger, RUN)
    notifier.ended(ledger, RUN, "finished", now=2.0)
    assert [heard["key"] for heard in ear.heard] == [
        "start-s1", "budget-1000-50", "budget-1000-80", "budget-1000-100", "parked-1.000", "end-s1"
    ]  # fmt: skip
    assert "0 of 4 papers finished" in ear.heard[-1]["text"]


def test_thresholds_passed_in_one_step_are_one_message(
    ear: Ear, webhook: Webhook, ledger: SqliteLedger, tmp_path: Path
) -> None:
    notifier = Notifier(webhook.send, SentEventsFolder(tmp_path / "told"), session_id="s1")
    spend(ledger, "1", 1000)
    for _ in range(3):
        notifier.update(ledger, RUN)
    assert [heard["key"] for heard in ear.heard] == ["start-s1", "budget-1000-100"]


def test_a_stop_for_too_many_failures_is_one_message_of_its_own_kind(
    ear: Ear, webhook: Webhook, ledger: SqliteLedger, tmp_path: Path
) -> None:
    notifier = Notifier(webhook.send, SentEventsFolder(tmp_path / "told"), session_id="s1")
    reason = "failure_rate: 60 of the last 100 papers failed or were flagged"
    ledger.set_control(RUN, Control("parked", reason, 1.0))
    for _ in range(3):
        notifier.update(ledger, RUN)
    notifier.ended(ledger, RUN, "finished", now=2.0)
    assert [heard["event"] for heard in ear.heard] == ["start", "failure_rate", "end"]
    assert reason in ear.heard[1]["text"]


def test_thirty_machines_of_a_fleet_send_one_message_an_event(
    ear: Ear, webhook: Webhook, ledger: SqliteLedger, tmp_path: Path
) -> None:
    told = SentEventsFolder(tmp_path / "told")
    fleet = [Notifier(webhook.send, told, session_id=f"s{n}", fleet=True) for n in range(30)]
    for number, notifier in enumerate(fleet):
        ledger.start_job(values.job(f"job-{number}"))
        notifier.update(ledger, RUN)
    spend(ledger, "1", 600)
    ledger.park(RUN, Control("parked", "http_402", 1.0))
    for number, notifier in enumerate(fleet):
        notifier.update(ledger, RUN)
        ledger.end_job(RUN, f"job-{number}", at=2.0, outcome="finished", stats=None)
        notifier.ended(ledger, RUN, "finished", now=2.0)
    assert [heard["event"] for heard in ear.heard] == ["start", "budget", "parked", "end"]


def test_a_larger_budget_is_another_matter(
    ear: Ear, webhook: Webhook, ledger: SqliteLedger, tmp_path: Path
) -> None:
    notifier = Notifier(webhook.send, SentEventsFolder(tmp_path / "told"), session_id="s1")
    spend(ledger, "1", 600)
    notifier.update(ledger, RUN)
    ledger.set_budget(RUN, 1200)
    notifier.update(ledger, RUN)
    assert [heard["key"] for heard in ear.heard][1:] == ["budget-1000-50", "budget-1200-50"]


@pytest.mark.parametrize(
    ("address", "body"),
    [
        ("https://hooks.slack.com/services/x", {"text": "a &lt;b&gt; @here"}),
        ("https://discord.com/api/webhooks/x", {"content": "a <b> @here", "allowed_mentions": {"parse": []}}),
        ("https://example.org/hook", {"event": "end", "key": "k", "run_id": "r", "text": "a <b> @here"}),
    ],
)
def test_each_service_gets_its_own_form(address: str, body: dict[str, Any]) -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(204)

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        assert Webhook(SecretStr(address), client).send(Event("end", "k", "r", "a <b> @here"))
    assert json.loads(sent[0].content) == body


def test_a_server_s_fault_is_tried_again_once_and_then_let_be(
    ear: Ear, webhook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    event = Event("end", "k", "r", "text")
    ear.answers = [503, 200, 503, 503, 404]
    assert [webhook.send(event) for _ in range(3)] == [True, False, False]
    assert len(ear.heard) == 5
    assert "secret-token" not in "".join(
        r.getMessage() for r in caplog.records if r.name.startswith("handlers")
    )


def test_an_address_that_is_none_is_refused_without_being_repeated() -> None:
    with pytest.raises(UsageError, match="webhook") as raised:
        Webhook(SecretStr("ftp://secret-token"))
    assert "secret-token" not in str(raised.value)
