"""Several jobs, each with a client of its own, at one endpoint that refuses a parameter."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.domain.call_errors import AdaptedError
from handlers.llm.client import HttpChatModel
from handlers.llm.client_settings import ClientSettings
from handlers.llm.dialects.dialect_memory import DialectMemory
from tests.builders.llm_calls import REQUEST
from tests.builders.values import spec
from tests.builders.wire import (
    Conversation,
    RealClock,
    WireRequest,
    WireServer,
    completion,
    error,
    response,
)

JOBS = 4
NAMED, UNNAMED = "JSON mode is not supported for this model", "invalid request"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    opened = SqliteLedger(tmp_path / "ledger.sqlite3")
    yield opened
    opened.close()


def job(url: str, ledger: SqliteLedger) -> HttpChatModel:
    clock = RealClock()
    settings = ClientSettings(base_url=url, model="m")
    return HttpChatModel(settings, SecretStr("k"), clock, memory=DialectMemory(ledger, clock, "key"))


def ask(model: HttpChatModel) -> None:
    """As a paper does: again in the form that is taken."""
    try:
        model.complete(REQUEST, timeout=60)
    except AdaptedError:
        model.complete(REQUEST, timeout=60)


def ask_at_once(models: list[HttpChatModel]) -> None:
    threads = [threading.Thread(target=ask, args=(model,)) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(("words", "wasted"), [(NAMED, JOBS), (UNNAMED, JOBS)])
def test_what_an_endpoint_refuses_is_found_once_for_all_jobs_and_later_runs(
    ledger: SqliteLedger, words: str, wasted: int
) -> None:
    """Each of the first calls is refused, one at most a job; the forms are tried in one job alone, and here
    the first form is the right one."""

    def script(request: WireRequest, client: Conversation) -> None:
        refused = "response_format" in request.json
        client.send(response(400, error(words)) if refused else response(200, completion()))

    with WireServer(script) as server:
        first = [job(server.url, ledger) for _ in range(JOBS)]
        ask_at_once(first)
        refused = [each for each in server.requests if "response_format" in each.json]
        assert len(refused) <= wasted
        assert len(server.requests) == len(refused) + JOBS
        before = len(server.requests)
        later = [job(server.url, ledger) for _ in range(JOBS)]
        ask_at_once(later)
        assert len(server.requests) == before + JOBS, "the next run tries nothing"
        asked = spec(json_mode="auto")
        assert {each.as_sent(asked).json_mode for each in [*first, *later]} == {"off"}
        for each in [*first, *later]:
            each.close()


def test_settings_that_are_sent_as_asked_are_the_same_object(ledger: SqliteLedger) -> None:
    model, asked = job("http://127.0.0.1:9/v1", ledger), spec()
    assert model.as_sent(asked) is asked
    model.close()
