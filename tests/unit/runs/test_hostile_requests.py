"""Run requests and uploads that anybody may send: each is refused in words, or read as what it is."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from pydantic import ValidationError

from handlers.adapters.file_store import FileStore
from handlers.bootstrap.state import State, connect
from handlers.corpus.ingest import IngestResult, ingest
from handlers.corpus.sources.formats import open_source
from handlers.errors import PaperfleetError, UsageError
from handlers.runs.submit import RunRequest, submit_run
from handlers.runs.upload import request_of_upload, uploaded_key
from handlers.settings import Settings
from tests.builders import values
from tests.builders.growth import assert_linear

LINE = b'{"id":"a","title":"t"}\n'
KEYS = [
    "../../etc/passwd", "/etc/passwd", "corpora/../../x.jsonl", "", ".", "corpora/", "a\0b", "tasks/x.json",
    "s3://bucket/x", "file:///etc/passwd", "C:\\x", "corpora//x", "-", "~/.ssh/id_rsa", "corpora/\ud800",
    "corpora/none.jsonl", "corpora/folder.jsonl", "corpora/bare.jsonl", "corpora/" + "x" * 5_000, "x" * 10**6,
]  # fmt: skip
packed = partial(gzip.compress, mtime=0)  # a test's name has its bytes, and is the same in each process
INDEXES = [b"", b"\0" * 10_000, b"[" * 10**5 + b"\n", b"9" * 10**6, bytes(range(256)), b"a\tb\n", b"{}\n"]


@pytest.fixture
def found(tmp_path: Path) -> IngestResult:
    (tmp_path / "in.jsonl").write_bytes(LINE + b'{"id":"b","title":"u"}\n')
    return ingest(open_source(str(tmp_path / "in.jsonl")), tmp_path)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    opened = connect(Settings(state=tmp_path), "r")
    yield opened
    opened.close()


def asked(corpus: str, sha256: str, **counts: int) -> RunRequest:
    return RunRequest(run_id="r", spec=values.spec(corpus=corpus, corpus_sha256=sha256), **counts)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: ascii(key)[:30])
def test_a_corpus_that_is_none_is_refused(
    tmp_path: Path, state: State, found: IngestResult, key: str
) -> None:
    (tmp_path / "corpora" / "folder.jsonl").mkdir()
    (tmp_path / "corpora" / "bare.jsonl").write_bytes(LINE)
    with pytest.raises(PaperfleetError) as refused:
        submit_run(state, asked(key, found.sha256))
    assert len(str(refused.value)) < 400
    assert state.ledger.run_ids() == []


@pytest.mark.parametrize("index", INDEXES, ids=lambda index: repr(index[:9]))
def test_an_index_that_is_none_is_refused(
    tmp_path: Path, state: State, found: IngestResult, index: bytes
) -> None:
    (tmp_path / "corpora" / "x.jsonl").write_bytes(LINE)
    (tmp_path / "corpora" / "x.index").write_bytes(index)

    with pytest.raises(PaperfleetError, match="ingest it again"):
        submit_run(state, asked("corpora/x.jsonl", found.sha256))
    assert state.ledger.run_ids() == []


@pytest.mark.parametrize("piece", [b"\0", b"[", b"9", b"a\tb\n", b"{}\n", b"\n"])
def test_an_index_that_is_none_is_refused_in_linear_time(
    tmp_path: Path, state: State, found: IngestResult, piece: bytes
) -> None:
    (tmp_path / "corpora" / "x.jsonl").write_bytes(LINE)

    def refused(index: bytes) -> None:
        (tmp_path / "corpora" / "x.index").write_bytes(index)
        with pytest.raises(PaperfleetError, match="ingest it again"):
            submit_run(state, asked("corpora/x.jsonl", found.sha256))

    assert_linear(lambda size: piece * (size // len(piece)), refused)


def test_a_run_has_as_many_papers_as_its_corpus(state: State, found: IngestResult) -> None:
    for counts in ({"papers": 1}, {"papers": 3}, {"papers": 2, "same_as": 3}):
        with pytest.raises(UsageError, match=r"the corpus corpora/\S+ has 2"):
            submit_run(state, asked(found.key, found.sha256, **counts))
    for wrong in ({"papers": -1}, {"papers": 10**30}, {"same_as": -1}):
        with pytest.raises(ValidationError):
            asked(found.key, found.sha256, **wrong)
    assert state.ledger.run_ids() == []
    assert submit_run(state, asked(found.key, found.sha256)).papers == 2


class _Bucket(FileStore):
    """Has one object under whatever key."""

    def __init__(self, folder: Path, data: bytes) -> None:
        super().__init__(folder)
        self._data = data

    def lines(self, key: str) -> Iterator[bytes]:
        yield self._data


def upload(folder: Path, key: str, data: bytes = LINE) -> RunRequest:
    event = {"source": "aws.s3", "detail": {"object": {"key": key}}}
    named = uploaded_key(event)
    assert named is not None
    settings = Settings(state=folder / "state", model="m")
    return request_of_upload(named, store=_Bucket(folder / "bucket", data), settings=settings)


TAKEN = {
    "incoming/../tasks/x.json": "x",
    "incoming/\0x.jsonl": "x",
    "incoming/" + "x" * 900 + ".jsonl": "x" * 48,
    "incoming/" + "é" * 300 + ".jsonl": "upload",
    "incoming/-rf $(id);.jsonl": "rf-id",
    "incoming/a\n.jsonl": "a",
    "incoming/.hidden.jsonl": "upload",
}
REFUSED = [
    ("incoming/", LINE, "no format goes by the suffix"), ("incoming/..", LINE, "no format goes by"),
    ("incoming/a/..", LINE, "no format goes by"), ("incoming//etc/passwd", LINE, "no format goes by"),
    ("tasks/x.json", LINE, "only objects under incoming/"), ("", LINE, "not an Object Created event"),
    ("incoming/\ud800.jsonl", LINE, "not an Object Created event"),
    ("incoming/x.zip", LINE, "an archive is not read"), ("incoming/x.jsonl.gz", LINE, "is not gzip"),
    ("incoming/x.jsonl.gz", packed(packed(LINE)), "no paper"),
    ("incoming/x.jsonl.gz", packed(LINE * 1_000)[:40], "cut off"),
    ("incoming/x.jsonl.gz", packed(b" " * 20_000_000), "longer than"),
    ("incoming/x.jsonl.gz", packed(b"\n" * 1_000_000), "is empty"),
    ("incoming/x.jsonl", b"[" * 10**5, "does not end"), ("incoming/x.jsonl", b"\0" * 10**5, "no paper"),
    ("incoming/x.jsonl", b"", "is empty"), ("incoming/x.jsonl", b"%PDF-1.4\n\x80", "not JSON"),
]  # fmt: skip


@pytest.mark.parametrize("key", TAKEN, ids=lambda key: ascii(key)[:30])
def test_the_name_of_an_object_may_be_no_name_of_a_file(tmp_path: Path, key: str) -> None:
    assert upload(tmp_path, key).run_id.rpartition("-")[0] == TAKEN[key]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["bucket", "state"]


@pytest.mark.parametrize(("key", "data", "said"), REFUSED, ids=lambda each: ascii(each)[:30])
def test_an_upload_that_is_no_corpus_is_refused_by_its_key(
    tmp_path: Path, key: str, data: bytes, said: str
) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        upload(tmp_path, key, data)
    assert str(tmp_path) not in str(refused.value)
    assert not list((tmp_path / "state").glob("upload-*"))
