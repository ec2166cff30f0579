"""A session's notifications by webhook: the parent of its jobs looks at the run, another process posts."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import ForkContext

from pydantic import SecretStr

from handlers.bootstrap.host import SIGNALS, new_id
from handlers.bootstrap.state import SystemClock, open_state, with_stack_outputs
from handlers.bootstrap.wiring import webhook
from handlers.ports import Ledger
from handlers.reporting.webhook import Event, Notifier, SentEvents, SentEventsFolder, Webhook
from handlers.settings import Settings
from handlers.state_paths import TOLD, run_folder

logger = logging.getLogger(__name__)

_PATIENCE = 6.0
"""Seconds that the end of a session waits for a webhook: one try."""


class Notifications:
    """Sends each event of a session once, if the settings name a webhook. What goes wrong is logged and stops
    nothing."""

    def __init__(self, settings: Settings, session_id: str, *, lifeline: int | None = None) -> None:
        """``lifeline``: a descriptor that only this process may hold open. UsageError for a wrong address."""
        self._settings = settings
        self._notifier: Notifier | None = None
        if (address := webhook(settings)) is not None:
            self._poster = _Poster(multiprocessing.get_context("fork"), address, lifeline=lifeline)
            fleet = settings.backend != "embedded"
            self._notifier = Notifier(
                self._poster.send, sent_events(settings), session_id=session_id, fleet=fleet
            )

    def look(self, ledger: Ledger) -> None:
        """Send what is due now."""
        if self._notifier is None:
            return
        try:
            self._notifier.update(ledger, self._settings.run_id)
        except Exception:
            # The ledger may be busy or throttled; the next look sees the same.
            logger.warning("no look at the run for its webhook", exc_info=True)

    def end(self, outcome: str) -> None:
        """The session is over. Waits for the webhook for ``_PATIENCE`` seconds at most."""
        if self._notifier is None:
            return
        run_id = self._settings.run_id
        try:
            with open_state(run_id, self._settings) as state:
                self._notifier.ended(state.ledger, run_id, outcome, now=state.clock.now())
        except Exception:
            logger.warning("no look at the run's end for its webhook", exc_info=True)
        self._poster.close()

    def close(self) -> None:
        """The session goes on without this process. Waits as ``end`` does."""
        if self._notifier is not None:
            self._poster.close()


class _Poster:
    """A process that posts events in their order.

    A thread would not do: jobs are forked at any time, and one that is forked while a thread holds a lock of
    the resolver or of TLS waits for it for ever. And a call that is answered with a byte a minute can only be
    cut off from outside.
    """

    def __init__(self, context: ForkContext, address: SecretStr, *, lifeline: int | None) -> None:
        posting = Webhook(address)
        theirs, self._events = context.Pipe(duplex=False)
        os.set_blocking(self._events.fileno(), False)
        own = (self._events.fileno(), *(() if lifeline is None else (lifeline,)))
        arguments = (posting, theirs, own)
        self._process = context.Process(target=_post, args=arguments, name="webhook")
        self._process.start()
        theirs.close()
        posting.close()

    def send(self, event: Event) -> None:
        try:
            self._events.send(event)
        except OSError:  # it died, or a pipe full of events waits for the webhook
            logger.warning("word of %s is given up", event.key)

    def close(self) -> None:
        self._events.close()
        self._process.join(_PATIENCE)
        if self._process.is_alive():
            logger.warning("the webhook did not answer in time: word of the session's end is given up")
            self._process.kill()
            self._process.join()


def _post(posting: Webhook, events: Connection, parents_own: tuple[int, ...]) -> None:
    for number in SIGNALS:  # heard by the parent, whose end is heard here
        signal.signal(number, signal.SIG_IGN)
    for descriptor in parents_own:
        os.close(descriptor)
    with suppress(EOFError):
        while True:
            posting.send(events.recv())


def sent_events(settings: Settings) -> SentEvents:
    """Machines that share a run share the record of its sent events."""
    if settings.backend == "embedded":
        return SentEventsFolder(run_folder(settings.state, settings.run_id) / TOLD)
    from handlers.adapters.aws.clients import aws_client
    from handlers.adapters.dynamodb.sent_events import DynamoDbSentEvents

    table = with_stack_outputs(settings).table or ""  # a stack without one was refused when it was opened
    owner = new_id("notifier")
    return DynamoDbSentEvents(
        aws_client("dynamodb"), table, SystemClock(), run_id=settings.run_id, owner=owner
    )
