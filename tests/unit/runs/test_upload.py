"""Uploads as EventBridge tells of them."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from handlers.adapters.file_store import FileStore
from handlers.domain.money import NANO
from handlers.errors import SourceError, UsageError
from handlers.runs.submit import RunRequest
from handlers.runs.upload import request_of_upload, uploaded_key
from handlers.settings import Settings
from tests.builders.command import corpus

EVENTS = Path(__file__).parents[3] / "events"


def _request(folder: Path, key: str) -> RunRequest:
    settings = Settings(state=folder / "scratch", model="m", budget=2)
    store = FileStore(folder)
    try:
        return request_of_upload(key, store=store, settings=settings)
    finally:
        store.close()


def test_the_example_event_names_its_object() -> None:
    assert uploaded_key(json.loads((EVENTS / "upload.json").read_text())) == "incoming/june.jsonl"


def test_a_run_request_is_no_upload() -> None:
    assert uploaded_key(json.loads((EVENTS / "shard.json").read_text())) is None


@pytest.mark.parametrize("detail", [{}, {"object": {}}, {"object": {"key": "runs/r/results.jsonl"}}])
def test_an_event_without_an_object_under_incoming_is_refused(detail: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        uploaded_key({"source": "aws.s3", "detail": detail})


def test_an_upload_becomes_a_corpus_and_a_request(tmp_path: Path) -> None:
    (tmp_path / "incoming").mkdir()
    source = corpus(tmp_path / "incoming" / "june.jsonl", 12)
    request = _request(tmp_path, "incoming/june.jsonl")
    assert request.spec is not None
    assert request.papers == 12
    assert request.budget == 2 * NANO
    assert request.run_id == f"june-{request.spec.corpus_sha256[:8]}"
    assert (tmp_path / request.spec.corpus).is_file()
    assert (tmp_path / request.spec.corpus.replace(".jsonl", ".index")).is_file()
    assert list((tmp_path / "scratch").iterdir()) == [], "nothing is left on the function's disk"
    corpus(source, 13)
    assert _request(tmp_path, "incoming/june.jsonl").run_id != request.run_id, "a corpus that grew"


def test_a_file_without_papers_or_of_no_known_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "incoming").mkdir()
    for name in ("empty.jsonl", "picture.png"):
        (tmp_path / "incoming" / name).write_bytes(b"\x00\xff\n")
        with pytest.raises(SourceError):
            _request(tmp_path, f"incoming/{name}")


@pytest.mark.parametrize(("alone", "left"), [(True, set()), (False, {"upload-new"})])
def test_what_an_invocation_that_was_cut_off_left_is_removed(
    tmp_path: Path, alone: bool, left: set[str]
) -> None:
    """At once where nobody else can be at work; of a folder that several use, what is older than a day."""
    state = tmp_path / "scratch"
    for name, age in (("upload-old", 90_000), ("upload-new", 60)):
        (state / name).mkdir(parents=True)
        (state / name / "june.jsonl").write_bytes(b"x" * 1000)
        then = time.time() - age
        os.utime(state / name, (then, then))
    (state / "corpora").mkdir()
    (tmp_path / "incoming").mkdir()
    corpus(tmp_path / "incoming" / "june.jsonl", 2)
    settings = Settings(state=state, model="m")
    store = FileStore(tmp_path)
    request_of_upload("incoming/june.jsonl", store=store, settings=settings, alone=alone)
    store.close()
    assert {each.name for each in state.glob("upload-*")} == left
    assert (state / "corpora").is_dir()
