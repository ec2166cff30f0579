"""Faulty answers of a schema: the gate refuses each, whatever is put right before it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from handlers.model_server.chat_body import ChatBody, read_request
from handlers.model_server.schemas.by_schema import answer_by
from handlers.model_server.schemas.schema_faults import damaged
from handlers.model_server.server_settings import ServerSettings
from handlers.tasks.file_task.answers.answer_checks import SentRecord
from handlers.tasks.file_task.answers.answer_judge import judge
from tests.builders.task_files import METHODS, SUBJECT, bundle_in

TEXT = "We train BERT on the MSRA corpus and test three methods on it."
RECORD = SentRecord({"abstract": TEXT})


def asked_of(text: str) -> ChatBody:
    read = read_request(json.dumps({"messages": [{"role": "user", "content": text}]}).encode())
    assert read is not None
    return read


@pytest.mark.parametrize("text", [SUBJECT, METHODS])
def test_an_answer_off_the_schema_is_refused(tmp_path: Path, text: str) -> None:
    bundle = bundle_in(tmp_path, text)
    for number in range(20):
        answer = answer_by(bundle.schema.schema, asked_of(TEXT), bytes([number]))
        wrong = damaged("off_schema", answer, number / 20)
        assert judge(bundle, json.dumps(wrong), "stop", RECORD).error == "schema"


def test_an_invented_quotation_is_refused(tmp_path: Path) -> None:
    bundle = bundle_in(tmp_path, METHODS.replace('field = "methods[].quote"', 'field = "*"'))
    for number in range(20):
        answer = answer_by(bundle.schema.schema, asked_of(TEXT), bytes([number]))
        has_quotes = bool(answer["methods"] or answer["datasets"])
        wrong = damaged("invented_quote", answer, number / 20)
        assert (wrong is not None) == has_quotes
        if wrong is not None:
            assert judge(bundle, json.dumps(wrong), "stop", RECORD).error == "quotes_source"


def test_a_translation_meets_neither() -> None:
    rates = ServerSettings(faults=0.06, off_schema=0.05).rates
    assert (rates["off_schema"], rates["invented_quote"], rates["malformed"]) == (0.05, 0.0, 0.06)
    assert damaged("off_schema", {}, 0.5) is damaged("malformed", {"a": 1}, 0.5) is None
