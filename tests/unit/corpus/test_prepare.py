"""Records that are prepared by other processes, or by the short way, give the very same files."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import BufferedReader, BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.corpus import normalise as records
from handlers.corpus import prepare as preparing
from handlers.corpus.fields.field_text import RecordError
from handlers.corpus.index import EMPTY, FOLLOWER, IndexEntry
from handlers.corpus.ingest import ingest
from handlers.corpus.normalise import FIELDS, Normaliser
from handlers.corpus.seen_papers import SeenPapers
from handlers.corpus.sources.formats import open_source
from handlers.corpus.sources.json_lines import lines_of
from handlers.corpus.sources.reader import BadLine, numbered_blocks, numbered_lines, unpacked
from handlers.domain.paper import Paper

ROOT = Path(__file__).parents[3]
PAPERS = 4_500
PADDING = "x" * 500
"""So that the papers fill more chunks than are prepared without other processes."""


def mixed(number: int) -> bytes:
    """Papers, equal texts, duplicates, an id with two texts, and lines that are none."""
    kind = number % 11
    paper: dict[str, Any] = {"id": f"p{number}", "title": f"第{number}组", "abstract": "研究" * (number % 90)}
    paper["note"] = PADDING
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
from handlers.corpus import prepare as preparing
from handlers.corpus.sources.formats import open_source
from handlers.corpus.ingest import ingest

prepare, parent, fork, started = preparing.prepare, os.getpid(), os.fork, []

def dies_in_a_worker(chunk, normaliser):
    if os.getpid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
    return prepare(chunk, normaliser)

def counted():
    started.append(1)
    return fork()

os.fork = counted
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


@pytest.mark.slow
def test_a_process_that_is_killed_loses_no_record(source: Path, tmp_path: Path) -> None:
    ingest(open_source(str(source)), tmp_path / "alone")
    assert shared(source, tmp_path / "shared", "killed") == files(tmp_path / "alone")


@pytest.mark.slow
def test_records_that_come_parsed_are_shared_as_well(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    rows = [f"p{number},第{number}组,CC BY 4.0,{PADDING}" for number in range(PAPERS)]
    path.write_text("\n".join(["id,title,license,note", *rows]), encoding="utf-8")
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
    items: list[preparing.Item] = [
        (3, BadLine("cut off", "ab")), (4, b"[1]\n\n[2]\r\n"), (7, {"title": "t"}),
    ]  # fmt: skip
    found = preparing.prepare(items, Normaliser({}))
    assert [each.number for each in found] == [3, 4, 6, 7]
    assert [each.reason[:20] for each in found if isinstance(each, preparing.Refused)] == [
        "cut off", "a JSON list, not an ", "a JSON list, not an ", "no 'id' (fields: tit",
    ]  # fmt: skip


def by_lines(data: bytes, limit: int) -> list[tuple[int, bytes | BadLine]]:
    """What the lines of a stream are, one by one."""
    found = numbered_lines(BufferedReader(BytesIO(data)), limit=limit)
    return [(number, line) for number, line in found if isinstance(line, BadLine) or line.strip()]


def by_blocks(data: bytes, limit: int) -> list[tuple[int, bytes | BadLine]]:
    found: list[tuple[int, bytes | BadLine]] = []
    for number, block in numbered_blocks(BufferedReader(BytesIO(data), buffer_size=7), limit=limit):
        found += [(number, block)] if isinstance(block, BadLine) else lines_of(number, block)
    return found


@given(st.lists(st.sampled_from([b"\n", b"\r\n", b"\n\n", b"a", b"bc", b"defgh" * 3, b" "]), max_size=40))
def test_blocks_hold_the_lines_with_their_numbers(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    for limit in (5, 11, 1000):
        assert by_blocks(data, limit) == by_lines(data, limit)


@pytest.mark.parametrize("cut", [0.001, 0.02, 0.4, 0.9999])
def test_a_gzip_that_breaks_off_gives_every_line_before_by_blocks_too(cut: float) -> None:
    lines = b"".join(b'{"id": "%064x"}\n' % (number**9) for number in range(10_000))
    packed = gzip.compress(lines, mtime=0)
    packed = packed[: int(cut * len(packed))]
    whole = [line for _, line in read(packed, numbered_lines)]
    found: list[bytes] = []
    for number, block in (blocks := read(packed, numbered_blocks)):
        found += [] if isinstance(block, BadLine) else [line for _, line in lines_of(number, block)]
    assert found == [line for line in whole if isinstance(line, bytes)]
    assert blocks[-1] == (len(found) + 1, whole[-1])


def read(packed: bytes, how: Callable[..., Iterator[tuple[int, bytes | BadLine]]]) -> list[Any]:
    return list(how(unpacked(BufferedReader(BytesIO(packed)), name="packed")))


papers_of_few_texts = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 6), st.booleans()), max_size=60)


@given(papers_of_few_texts, st.integers(0, 50))
def test_papers_on_disk_and_in_memory_make_the_same_index(
    papers: list[tuple[int, int, bool]], in_memory: int
) -> None:
    with TemporaryDirectory() as folder:
        assert indexed(papers, Path(folder), in_memory) == indexed(papers, Path(folder), 10**6)


def indexed(papers: list[tuple[int, int, bool]], folder: Path, in_memory: int) -> list[IndexEntry]:
    seen = SeenPapers(folder / f"{in_memory}.sqlite", in_memory=in_memory)
    for start in range(0, len(papers), 7):
        chunk = papers[start : start + 7]
        seen.expect((f"p{number}", b"%d" % text) for number, text, _ in chunk)
        for line, (number, text, empty) in enumerate(chunk, start):
            if seen.by_id(f"p{number}") is None:
                leader = None if empty else seen.leader(b"%d" % text)
                flags = (EMPTY if empty else 0) | (FOLLOWER if leader else 0)
                entry = IndexEntry(line, 9, 5, 0, 0 if leader else 1, flags, "zh", f"p{number}", text // 2)
                seen.add(entry, digest=b"d", text=b"%d" % text, line=line, leader=leader)
    entries = list(seen.entries())
    seen.close()
    (folder / f"{in_memory}.sqlite").unlink(missing_ok=True)
    return entries
