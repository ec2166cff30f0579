"""A trial at the built-in model server, and what of it a run elsewhere may take."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.domain.part_lines import encode
from handlers.domain.result import MADE_UP, Part
from handlers.errors import UsageError
from handlers.llm.built_in import is_built_in
from handlers.llm.client import HttpChatModel
from handlers.llm.client_settings import ClientSettings
from handlers.local.preflight import refuse_made_up
from handlers.model_server import ServerSettings
from tests.builders import values
from tests.builders.llm_calls import KEY, REQUEST, model
from tests.builders.values import RUN
from tests.builders.warm import start
from tests.builders.wire import RealClock, WireServer, always, completion, response


def test_the_built_in_server_is_known_by_its_models_and_its_answers() -> None:
    with start(ServerSettings(mode="canned")) as server:
        assert is_built_in(server.base_url)
        settings = ClientSettings(base_url=server.base_url, model="m")
        client = HttpChatModel(settings, SecretStr(KEY), RealClock())
        assert client.complete(REQUEST, timeout=60).made_up
        client.close()
    with WireServer(always(response(200, completion("an answer")))) as other:
        assert not is_built_in(other.url)
        client = model(other)
        assert not client.complete(REQUEST, timeout=60).made_up
        client.close()
    assert not is_built_in("https://api.example.com/v1")


@pytest.mark.parametrize("made_up", [True, False])
def test_a_run_does_not_go_on_elsewhere_with_what_was_made_up(tmp_path: Path, made_up: bool) -> None:
    ledger, store = SqliteLedger(tmp_path / "ledger.sqlite3"), FileStore(tmp_path)
    line = values.part_line("p1", fingerprint=MADE_UP * made_up + "0" * 64)
    ((where,),) = store.write_parts("job-a", [Part(RUN, "b1/1-job-a-1", (encode(line),))])
    ledger.add_batches([values.batch("b1", ["p1", "p2"])])
    ledger.create_run(values.run_record())
    ledger.commit([values.commit(values.entry("p1", pointer=where))])
    state = values.backend(ledger=ledger, store=store)
    refuse_made_up(state, "another", "https://api.example.com/v1")
    if made_up:
        with pytest.raises(UsageError, match="built-in model server, which are no translations"):
            refuse_made_up(state, RUN, "https://api.example.com/v1")
    else:
        refuse_made_up(state, RUN, "https://api.example.com/v1")
    ledger.close()
    store.close()
