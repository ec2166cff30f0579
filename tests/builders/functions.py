"""The functions of a built stack on one state folder, and a run that waits for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handlers.adapters.sqlite.sqlite_queue import SqliteQueue
from handlers.bootstrap.state import SystemClock
from handlers.local.event_source import sqs_event
from handlers.model_server import RunningServer, ServerSettings, start
from tests.builders.command import corpus, paperfleet
from tests.e2e.runtime_api import Sandbox, sandbox


@dataclass
class Function:
    """The three functions of a built stack on one state folder."""

    built: Path
    state: Path
    variables: dict[str, str]

    @contextmanager
    def running(self, name: str, **variables: str) -> Iterator[Sandbox]:
        log = self.state.with_name(f"{name}.log")
        artifact = self.built / f"{name.capitalize()}Function"
        with sandbox(artifact, f"handlers.{name}.handler", log, **self.variables | variables) as running:
            yield running

    def events(self) -> list[dict[str, Any]]:
        """The messages that wait, each as Lambda would deliver it."""
        queue = SqliteQueue(self.state / "queue.sqlite3", "r", SystemClock())
        try:
            return [sqs_event(message) for message in queue.receive(limit=1000, visibility=900)]
        finally:
            queue.close()


@contextmanager
def fleet(
    built: Path, tmp_path: Path, papers: int, settings: ServerSettings, *, batch: int = 40, **more: str
) -> Iterator[tuple[Function, RunningServer]]:
    """A run of that many papers, sharded, and a model server."""
    with start(settings) as server:
        state = tmp_path / "state"
        source = corpus(tmp_path / "papers.jsonl", papers)
        ran = paperfleet(
            "shard",
            source,
            "--state",
            state,
            "--run-id",
            "r",
            "--model",
            "paperfleet-canned",
            "--batch-papers",
            str(5 * batch),
        )
        assert ran.code == 0, ran.err
        variables = {
            "PAPERFLEET_STATE": str(state), "PAPERFLEET_RUN_ID": "r", "PAPERFLEET_API_KEY": "test-key",
            "PAPERFLEET_BASE_URL": server.base_url, "PAPERFLEET_WORKERS": "10",
            "PAPERFLEET_PRICE_IN": "0.15", "PAPERFLEET_PRICE_OUT": "0.60",
        }  # fmt: skip
        yield Function(built, state, variables | more), server


def canned(**changes: Any) -> ServerSettings:
    return ServerSettings(**{"mode": "canned", "price_in": "0.15", "price_out": "0.60"} | changes)
