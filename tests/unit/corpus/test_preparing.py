"""Records that are prepared by other processes, or by the short way, give the very same files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.corpus import preparing, records
from handlers.corpus.formats import open_source
from handlers.corpus.ingest import ingest
from handlers.corpus.reader import BadLine
from handlers.corpus.records import FIELDS, Normaliser, RecordError
from handlers.models import Paper

ROOT = Path(__file__).parents[3]
PAPERS = 9 * preparing.CHUNK_ITEMS


def mixed(number: int) -> bytes:
    """Papers, equal texts, duplicates, an id with two texts, and lines that are none."""
    kind = number % 11
    paper: dict[str, Any] = {"id": f"p{number}", "title": f"第{number}组", "abstract": "研究" * (number % 90)}
    if kind == 1:
        paper |= {"title": "同一题目", "abstract": "同一文本"}
    elif kind == 2:
        paper |= {"id": f"q{number // 700}", "title": "题", "abstract": "" if number % 2 else "文"}
    elif kind == 3:
        paper |= {"n": [1.5, {"a": None}], "x": "\ud800", "abstract": "e\u0301" * 40 + "\x00"}
    elif kind == 4:
        return b'{"id": "broken'
    elif kind == 5:
        paper["id"] = None
    return json.dumps(paper).encode()


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "corpora").iterdir()}


_SHARED = """
import os, signal, sys
from pathlib import Path
from handlers.corpus import preparing
from handlers.corpus.formats import open_source
from handlers.corpus.ingest import ingest

prepare, parent, started = preparing.prepare, os.getpid(), []

def dies_in_a_worker(chunk, normaliser):
    if os.getpid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
    return prepare(chunk, normaliser)

class Counted(preparing._Worker):
    def __init__(self, *given):
        started.append(1)
        super().__init__(*given)

preparing._Worker = Counted
if sys.argv[3] == "killed":
    preparing.prepare = dies_in_a_worker
ingest(open_source(sys.argv[1]), Path(sys.argv[2]), processes=2)
print(len(started))
"""


def shared(source: Path, folder: Path, fate: str = "spared") -> dict[str, bytes]:
    """Ingested with two more processes, from one that has no other threads."""
    line = [sys.executable, "-W", "error", "-c", _SHARED, str(source), str(folder), fate]
    ran = subprocess.run(line, check=True, capture_output=True, cwd=ROOT, timeout=120)
    assert ran.stdout == b"2\n"
    assert not ran.stderr
    return files(folder)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"".join(mixed(number) + b"\n" for number in range(PAPERS)))
    return path


def test_other_processes_give_the_same_files_to_the_byte(source: Path, tmp_path: Path) -> None:
    alone = ingest(open_source(str(source)), tmp_path / "alone")
    assert alone.rejects and alone.duplicates and alone.same_as
    assert shared(source, tmp_path / "shared") == files(tmp_path / "alone")


def test_a_process_that_is_killed_loses_no_record(source: Path, tmp_path: Path) -> None:
    ingest(open_source(str(source)), tmp_path / "alone")
    assert shared(source, tmp_path / "shared", "killed") == files(tmp_path / "alone")


def test_records_that_come_parsed_are_shared_as_well(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    rows = [f"p{number},第{number}组,CC BY 4.0" for number in range(PAPERS)]
    path.write_text("\n".join(["id,title,license", *rows]), encoding="utf-8")
    assert ingest(open_source(str(path)), tmp_path / "alone").papers == PAPERS
    assert shared(path, tmp_path / "shared") == files(tmp_path / "alone")


def test_chunks_are_bounded_by_bytes_too() -> None:
    items = [(number, b"x" * preparing.CHUNK_BYTES) for number in range(3)]
    found = list(preparing.prepared(iter(items), Normaliser({})))
    assert [len(chunk) for chunk, _ in found] == [1, 1, 1]


values = st.text() | st.none() | st.booleans() | st.integers() | st.floats() | st.lists(st.text(), max_size=2)
names = st.sampled_from([*FIELDS, "same_as", "doi", "i\ud800d", "same\ud800_as", "model_config"]) | st.text(
    max_size=5
)


@given(st.dictionaries(names, values, max_size=8), st.text(min_size=1) | st.just("x" * 513))
def test_the_short_way_writes_what_the_long_way_validates(record: dict[str, Any], paper_id: str) -> None:
    try:
        found = Normaliser({}).prepare(1, record | {"id": paper_id})
    except RecordError:
        return
    assert bool(found.line) != bool(found.refusal)
    if not found.line:
        return
    paper = Paper.model_validate_json(found.line)
    fields = json.loads(found.line)
    assert records._ENCODER.encode(fields).encode() + b"\n" == found.line
    assert (paper.id, paper.language, paper.license) == (found.id, found.language, found.license)
    assert paper.same_as is None
    assert found.filled == sum(1 << bit for bit, name in enumerate(FIELDS) if fields.get(name))
    assert Paper.model_validate_json(found.following('首"')).same_as == '首"'


def test_a_stranger_does_not_become_a_field_of_ours_by_cleaning() -> None:
    record = {"id": "mine", "title": "题目", "i\ud800d": "another's", "bo\ud800dy": "文" * 9}
    found = Normaliser({}).prepare(1, record)
    assert json.loads(found.line) == {
        "id": "mine",
        "title": "题目",
        "abstract": "",
        "keywords": [],
        "language": "zh",
    }


def test_what_cannot_be_read_is_refused_with_its_line() -> None:
    items: list[preparing.Item] = [(3, BadLine("cut off", "ab")), (4, b"[1]"), (5, {"title": "t"})]
    found = preparing.prepare(items, Normaliser({}))
    assert [each.number for each in found] == [3, 4, 5]
    assert [each.reason[:20] for each in found if isinstance(each, preparing.Refused)] == [
        "cut off", "a JSON list, not an ", "no 'id' (fields: tit",
    ]  # fmt: skip
