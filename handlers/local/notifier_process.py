"""Word of a session by webhook, sent by a process of its own."""

from __future__ import annotations

import logging
import os
import signal
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import ForkContext

from handlers.bootstrap.host import new_id
from handlers.bootstrap.state import connect, with_stack_outputs
from handlers.ports import Clock, Ledger
from handlers.reporting.webhook import Notifier, SentEvents, SentEventsFolder, Webhook
from handlers.settings import Settings
from handlers.state_paths import run_folder

logger = logging.getLogger(__name__)

_EVERY = 1.0
"""Seconds between two looks at the ledger."""
_PATIENCE = 6.0
"""Seconds that the end of a session waits for a webhook: one try."""


class NotifierProcess:
    """Looks at the run each second, and is told of its end.

    A thread would do but for the jobs that are forked while it might hold a lock, and a call to a
    webhook that sends a byte a minute can only be cut off from outside.
    """

    def __init__(self, context: ForkContext, settings: Settings, session_id: str, *, lifeline: int) -> None:
        """``lifeline``: the descriptor that only the parent may hold open. UsageError for a wrong address;
        without one nothing is started and nothing sent."""
        self._process = None
        if settings.webhook is None:
            return
        webhook = Webhook(settings.webhook)
        theirs, self._orders = context.Pipe(duplex=False)
        arguments = (webhook, session_id, settings, theirs, (lifeline, self._orders.fileno()))
        self._process = context.Process(target=_notify, args=arguments, name="notifier")
        self._process.start()
        theirs.close()
        webhook.close()

    def end(self, outcome: str) -> None:
        """The session is over. Returns within ``_PATIENCE``, whatever the webhook does."""
        if self._process is None:
            return
        with suppress(OSError):  # it died: no word is sent
            self._orders.send(outcome)
        self._process.join(_PATIENCE)
        if self._process.is_alive():
            logger.warning("the webhook did not answer in time: the session's end is not sent")
            self._process.kill()
            self._process.join()
        self._orders.close()


def _sent_events(settings: Settings, clock: Clock) -> SentEvents:
    """Machines that share a run share what was sent of it."""
    if settings.backend == "embedded":
        return SentEventsFolder(run_folder(settings.state, settings.run_id) / "told")
    from handlers.adapters.aws.clients import aws_client
    from handlers.adapters.dynamodb.sent_events import DynamoDbSentEvents

    table = with_stack_outputs(settings).table or ""  # `connect` has refused a stack without one
    owner = new_id("notifier")
    return DynamoDbSentEvents(aws_client("dynamodb"), table, clock, run_id=settings.run_id, owner=owner)


def _notify(
    webhook: Webhook,
    session_id: str,
    settings: Settings,
    orders: Connection,
    parents_own: tuple[int, ...],
) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # heard by the parent, whose end is heard here
        signal.signal(number, signal.SIG_IGN)
    for descriptor in parents_own:
        os.close(descriptor)
    with suppress(EOFError):  # the parent was killed
        state = connect(settings, settings.run_id)
        fleet = settings.backend != "embedded"
        notifier = Notifier(webhook, _sent_events(settings, state.clock), session_id=session_id, fleet=fleet)
        while True:
            _look(notifier, state.ledger, settings.run_id)
            if orders.poll(_EVERY):
                break
        notifier.ended(state.ledger, settings.run_id, orders.recv(), now=state.clock.now())
        state.close()


def _look(notifier: Notifier, ledger: Ledger, run_id: str) -> None:
    try:
        notifier.update(ledger, run_id)
    except Exception:
        # The ledger may be busy or throttled; the next look sees the same.
        logger.warning("no look at the run for its webhook", exc_info=True)
