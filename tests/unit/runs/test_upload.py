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
from handlers.settings import Settings, load_settings
from handlers.tasks.file_task.stored_bundle import put_bundle
from tests.builders.command import corpus
from tests.builders.task_files import SUBJECT, bundle_in

SHORT = '\n[[check]]\nkind = "length"\nfield = "reason"\nmaximum = 200\n'
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


def test_an_upload_asks_the_task_that_the_stack_was_given(tmp_path: Path) -> None:
    (tmp_path / "incoming").mkdir()
    corpus(tmp_path / "incoming" / "june.jsonl", 3)
    store = FileStore(tmp_path)
    runs = []
    for text in (SUBJECT, SUBJECT.replace('name = "subject"', 'name = "field"'), SUBJECT + SHORT):
        bundle = bundle_in(tmp_path, text)
        put_bundle(bundle, store)
        settings = Settings(state=tmp_path / "scratch", model="m", task_bundle=bundle.digest)
        request = request_of_upload("incoming/june.jsonl", store=store, settings=settings)
        assert request.spec is not None
        assert (request.spec.task, request.spec.task_bundle) == ("file", bundle.digest)
        runs.append(request.run_id)
    store.close()
    assert runs[0] == runs[1] != runs[2], "a file that checks otherwise is another run"


@pytest.mark.parametrize("content", [None, b"", b"{}", b"[" * 100_000, b"#" * 2_000_000])
def test_a_task_that_is_not_what_its_digest_says_is_refused(tmp_path: Path, content: bytes | None) -> None:
    digest = "0" * 64
    if content is not None:
        (tmp_path / "tasks").mkdir()
        (tmp_path / "tasks" / f"{digest}.json").write_bytes(content)
    store = FileStore(tmp_path)
    settings = Settings(state=tmp_path, model="m", task_bundle=digest)
    with pytest.raises(UsageError, match=f"task_bundle: tasks/{digest}.json"):
        request_of_upload("incoming/june.jsonl", store=store, settings=settings)
    store.close()
    for wrong in ("../../etc/passwd", digest + "0", digest[:63] + "g", "", digest + "\n"):
        with pytest.raises((UsageError, ValueError)):
            load_settings(model="m", task_bundle=wrong)
