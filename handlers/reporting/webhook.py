"""Webhook notifications of a run: Slack, Discord or generic JSON. Each event is sent once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol
from urllib.parse import urlsplit

from pydantic import SecretStr

from handlers.counted import counted
from handlers.domain.money import budget_words, dollars, usd
from handlers.domain.paper import TERMINAL
from handlers.domain.run import Control, RunTotals
from handlers.errors import UsageError
from handlers.ports import Ledger
from handlers.reporting.budget_number import wants_budget, with_number
from handlers.reporting.projection import project_run

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger(__name__)

Kind = Literal["start", "budget", "failure_rate", "parked", "end"]
THRESHOLDS = (50, 80, 100)
"""Percent of the budget whose spending is an event."""
_FAILURE_RATE: Kind = "failure_rate"
"""Also how the reason begins of a run that was parked because too many of its papers failed."""
_SILENT = 120.0
"""Seconds without a heartbeat after which a job counts as gone."""
_TIMEOUT = 5.0
_TRIES = 2
_LONGEST = 1_500


@dataclass(frozen=True)
class Event:
    """``key`` is the same for the same event, however often it is seen."""

    kind: Kind
    key: str
    run_id: str
    text: str


class SentEvents(Protocol):
    """Remembers the events that were sent, over restarts."""

    def claim(self, key: str) -> bool:
        """True for exactly one caller a key: that one sends the event."""


class SentEventsFolder:
    """``SentEvents`` as empty files in a folder, which processes of one machine may share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def claim(self, key: str) -> bool:
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            (self._folder / key).open("x").close()
        except FileExistsError:
            return False
        return True


class Webhook:
    """Posts events. A failure is logged and stops nothing; the address is a secret and never logged."""

    def __init__(self, address: SecretStr, client: httpx.Client | None = None) -> None:
        import httpx  # a twentieth of a run's start, and few runs have a webhook

        parts = urlsplit(address.get_secret_value())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError("the webhook's address must begin with https:// or http://")
        self._address = address
        self._host = parts.hostname
        self._failure = httpx.HTTPError
        self._client = client or httpx.Client(timeout=_TIMEOUT)
        for name in ("httpx", "httpcore"):  # they log every request's address
            logging.getLogger(name).setLevel(logging.WARNING)

    def send(self, event: Event) -> bool:
        """Whether it was taken."""
        for _ in range(_TRIES):
            try:
                answer = self._client.post(self._address.get_secret_value(), json=self._body(event))
            except self._failure as error:
                reason = type(error).__name__
                continue
            if answer.is_success:
                return True
            reason = f"HTTP {answer.status_code}"
            if answer.status_code < 500:
                break
        logger.warning("webhook notification %s could not be sent: %s", event.key, reason)
        return False

    def close(self) -> None:
        self._client.close()

    def _body(self, event: Event) -> dict[str, object]:
        text = event.text[:_LONGEST]
        if self._host == "hooks.slack.com" or self._host.endswith(".slack.com"):
            return {"text": text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")}
        if self._host in ("discord.com", "discordapp.com") or self._host.endswith(".discord.com"):
            return {"content": text, "allowed_mentions": {"parse": []}}
        return {"event": event.kind, "key": event.key, "run_id": event.run_id, "text": text}


class Notifier:
    """Sends each event of a run once, however often it looks."""

    def __init__(
        self, send: Callable[[Event], object], sent: SentEvents, *, session_id: str, fleet: bool = False
    ) -> None:
        """``send`` is given each event once. ``fleet``: sessions of other machines work on the run too and
        share ``sent``. Then the run's start and end are the events, not those of a session."""
        self._post = send
        self._sent = sent
        self._session_id = session_id
        self._fleet = fleet

    def update(self, ledger: Ledger, run_id: str) -> None:
        """Send what is due now. Reads sums only."""
        for event in self._due(ledger, run_id):
            self._send(event)

    def ended(self, ledger: Ledger, run_id: str, outcome: str, *, now: float) -> None:
        """The session is over; ``outcome`` says how, unless the run was parked, paused or cancelled. In a
        fleet the last one says so. ``now`` is Unix seconds."""
        self.update(ledger, run_id)
        if self._fleet and _at_work(ledger, run_id, now):
            return
        state, totals = ledger.control(run_id).state, ledger.totals(run_id)
        how = outcome if state == "active" else state
        whose = f"{how}-{totals.counts['pending']}-{totals.calls.cost}" if self._fleet else self._session_id
        text = f"Run {run_id}: session ended ({how}). {_progress(totals)}"
        self._send(Event("end", f"end-{whose}", run_id, text))

    def _send(self, event: Event) -> None:
        if self._sent.claim(event.key):
            self._post(event)

    def _due(self, ledger: Ledger, run_id: str) -> Iterator[Event]:
        totals, control = ledger.totals(run_id), ledger.control(run_id)
        if not self._fleet or control.state == "active":
            whose = f"{control.at:.3f}" if self._fleet else self._session_id
            yield Event("start", f"start-{whose}", run_id, f"Run {run_id}: started. {_progress(totals)}")
        budget = ledger.budget_state(run_id).budget
        reached = [step for step in THRESHOLDS if budget and totals.calls.taken * 100 >= step * budget]
        # Of several passed at once only the highest is news; the others count as sent.
        for step in reached[:-1]:
            self._sent.claim(f"budget-{budget}-{step}")
        for step in reached[-1:]:
            share = f"{step}% of the budget of ${budget_words(usd(budget or 0))}"
            text = f"Run {run_id}: {share} is spent. {_progress(totals)}"
            yield Event("budget", f"budget-{budget}-{step}", run_id, text)
        if control.state == "parked":
            reason = control.reason
            if wants_budget(reason):
                projection = project_run(ledger, ledger.run(run_id), totals.calls.cost)
                reason = with_number(reason, totals.calls.cost, totals.calls.taken, projection)
            yield _parked(run_id, replace(control, reason=reason), totals)


def _parked(run_id: str, control: Control, totals: RunTotals) -> Event:
    """A stop because too many papers fail is an event of its own kind, not a second message."""
    text = f"Run {run_id} is parked: {control.reason}. {_progress(totals)}"
    kind: Kind = _FAILURE_RATE if control.reason.startswith(_FAILURE_RATE) else "parked"
    return Event(kind, f"{kind}-{control.at:.3f}", run_id, text)


def _at_work(ledger: Ledger, run_id: str, now: float) -> bool:
    """Whether a job that has not ended sent a heartbeat lately."""
    return bool(ledger.live_jobs(run_id, None, since=now - _SILENT))


def _progress(totals: RunTotals) -> str:
    counts = totals.counts
    finished = sum(counts[status] for status in TERMINAL)
    held = f", {dollars(usd(totals.calls.held))} held" if totals.calls.held else ""
    papers = counted(finished + counts["pending"], "paper")
    return (
        f"{finished:,} of {papers} finished, {counts['flagged']:,} flagged, "
        f"{counts['failed']:,} failed, {dollars(usd(totals.calls.cost))} spent{held}."
    )
