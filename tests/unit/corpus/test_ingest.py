"""Ingest: what comes of records, and what the files promise."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.corpus.batching import read_paper
from handlers.corpus.index import EMPTY, FOLLOWER, NO_DERIVATIVES, IndexEntry, parse_index
from handlers.corpus.ingest import IngestResult, ingest
from handlers.corpus.profile import Profile
from handlers.corpus.sources.formats import open_source
from handlers.corpus.sources.reader import BadLine
from handlers.domain.paper import Paper
from handlers.errors import SourceError, UsageError

ROOT = Path(__file__).parents[3]


def ingested(folder: Path, *records: Any, **options: Any) -> IngestResult:
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in records]
    (folder / "in.jsonl").write_bytes(b"\n".join(lines))
    return ingest(open_source(str(folder / "in.jsonl")), folder / "state", **options)


def papers(result: IngestResult) -> list[Paper]:
    return [Paper.model_validate_json(line) for line in result.corpus.read_bytes().splitlines()]


def entries(result: IngestResult) -> list[IndexEntry]:
    return list(parse_index(result.index.read_bytes().splitlines(), corpus_sha256=result.sha256))


def rejects(result: IngestResult) -> dict[int, str]:
    rows = [json.loads(line) for line in result.rejects_path.read_text("utf-8").splitlines()]
    return {row["line"]: row["reason"] for row in rows}


def test_a_paper_is_normalised_and_its_unknown_fields_are_carried(tmp_path: Path) -> None:
    result = ingested(
        tmp_path,
        {
            "id": " 7 ", "title": "e\u0301tude\x00",
            "abstract": "本文研究\u202e石墨烯\ud800的热导率", "language": "",
            "keywords": "石墨烯；热导率, 声子;、", "license": "CC BY 4.0", "url": "https://example.org/7",
            "doi": "10.1/x", "nested": {"b": [1, "\ud800"]}, "same_as": "9", "none": None, "date": 2020,
        },
    )  # fmt: skip
    expected = {
        "id": "7", "title": "étude", "abstract": "本文研究石墨烯的热导率",
        "keywords": ["石墨烯", "热导率", "声子"],
        "language": "zh", "license": "CC-BY-4.0", "url": "https://example.org/7", "date": "2020",
        "doi": "10.1/x", "nested": {"b": [1, ""]},
    }  # fmt: skip
    assert json.loads(result.corpus.read_bytes()) == expected


def test_fields_are_mapped_by_name_and_numbers_become_ids(tmp_path: Path) -> None:
    mapping = {"id": "nr", "title": "Title", "abstract": "Summary", "keywords": "kw"}
    record = {"nr": 12, "Title": "t", "Summary": "s", "kw": "a|b", "title": "not this one"}
    result = ingested(tmp_path, record, mapping=mapping)
    paper = papers(result)[0]
    assert (paper.id, paper.title, paper.abstract, paper.keywords) == ("12", "t", "s", ("a", "b"))
    assert paper.model_extra == {}


def test_the_corpus_is_addressed_by_its_bytes_and_the_index_points_at_each_line(tmp_path: Path) -> None:
    result = ingested(tmp_path, *({"id": f"p{n}", "title": "标题" * n} for n in range(1, 9)))
    data = result.corpus.read_bytes()
    assert result.corpus.name == f"{hashlib.sha256(data).hexdigest()}.jsonl" == f"{result.sha256}.jsonl"
    assert result.key == f"corpora/{result.corpus.name}"
    for entry in entries(result):
        line = data[entry.offset : entry.offset + entry.length]
        assert line.endswith(b"\n")
        assert read_paper(line, entry.id).id == entry.id


def test_the_same_source_gives_the_same_files_and_leaves_them_as_they_are(tmp_path: Path) -> None:
    rows = [{"id": "1", "title": "a"}, b"{", {"title": "no id"}, {"id": "1", "title": "b"}]
    first = ingested(tmp_path, *rows)
    folder = first.corpus.parent
    before = {path.name: (path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.iterdir()}
    second = ingested(tmp_path, *rows)
    assert second == first
    assert {path.name: (path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.iterdir()} == before
    suffixes = (".jsonl", ".index", ".profile.json", ".rejects.jsonl")
    assert sorted(before) == sorted(first.sha256 + suffix for suffix in suffixes)


def test_what_a_killed_ingest_left_is_removed_a_day_later(tmp_path: Path) -> None:
    corpora = tmp_path / "state" / "corpora"
    dead, alive = corpora / ".ingest-dead", corpora / ".ingest-alive"
    for folder in (dead, alive):
        folder.mkdir(parents=True)
        (folder / "corpus").write_bytes(b"x" * 100)
        os.utime(folder, (0, 0))
    os.utime(dead / "corpus", (0, 0))
    ingested(tmp_path, {"id": "a", "title": "题"})
    assert [path.name for path in corpora.glob(".ingest-*")] == [".ingest-alive"]


def test_a_damaged_file_beside_the_corpus_is_mended_by_the_next_ingest(tmp_path: Path) -> None:
    first = ingested(tmp_path, {"id": "1", "title": "a"})
    good = first.index.read_bytes()
    first.index.write_bytes(b"half")
    assert ingested(tmp_path, {"id": "1", "title": "a"}).index.read_bytes() == good


def test_equal_ids_are_dropped_with_equal_text_and_rejected_with_another(tmp_path: Path) -> None:
    result = ingested(
        tmp_path,
        {"id": "1", "title": "a", "keywords": ["x"]},
        {"id": "1", "title": " a\x00", "keywords": "x", "date": "2020"},
        {"id": "1", "title": "b", "keywords": ["x"]},
    )
    assert (result.papers, result.duplicates, result.rejects) == (1, 1, 1)
    assert "line 1 " in rejects(result)[3]
    assert "line 3" in rejects(result)[3]
    assert rejects(result)[2] == "dropped, for its id and text stand in line 1; other here: date"
    assert (result.differing, result.differing_lines) == (1, (2,))


@pytest.mark.parametrize(
    ("second", "differs"),
    [
        ({"id": "1", "title": "甲", "text": "one"}, ""),
        ({"title": "甲", "text": "one", "id": " 1", "same_as": "9", "none": None}, ""),
        ({"id": "1", "title": "甲", "text": "two"}, "text"),
        ({"id": "1", "title": "甲"}, "text"),
        ({"id": "1", "title": "甲", "text": "one", "nested": {"a": [1]}}, "nested"),
        ({"id": "1", "title": "甲", "text": "one", "license": "CC BY-ND", "url": "x"}, "license"),
        ({"id": "1", "title": "甲", "text": "one", "language": "ja"}, "language"),
    ],
)
@pytest.mark.parametrize("leader", [[], [{"id": "0", "title": "甲", "text": "?"}]], ids=["", "follower"])
def test_what_a_dropped_record_says_besides_is_told(
    tmp_path: Path, leader: list[Any], second: dict[str, Any], differs: str
) -> None:
    result = ingested(tmp_path, *leader, {"id": "1", "title": "甲", "text": "one"}, second)
    assert (result.duplicates, result.differing) == (1, bool(differs))
    first = len(leader) + 1
    told = {line: reason for line, reason in rejects(result).items() if line == first + 1}
    assert bool(told) is bool(differs)
    assert all(f"line {first}" in reason and differs in reason for reason in told.values())


def test_dropped_records_are_set_against_earlier_ones_that_are_long_in_the_file(tmp_path: Path) -> None:
    rows = [{"id": str(n), "title": "题" * 9, "n": n} for n in range(700)]
    result = ingested(tmp_path, *rows, *rows[::100], *({**row, "n": -1} for row in rows[::50]))
    assert (result.papers, result.duplicates, result.differing) == (700, 7 + 14, 14)
    assert result.differing_lines == tuple(range(708, 713))


def test_equal_texts_follow_the_first_paper_and_count_in_its_weight(tmp_path: Path) -> None:
    rows = [
        {"id": name, "title": text} for name, text in [("a", "甲"), ("b", "乙"), ("c", "甲"), ("d", "甲")]
    ]
    result = ingested(tmp_path, *rows)
    assert [paper.same_as for paper in papers(result)] == [None, None, "a", "a"]
    assert [(entry.id, entry.weight, entry.follower) for entry in entries(result)] == [
        ("a", 3, False), ("b", 1, False), ("c", 0, True), ("d", 0, True),
    ]  # fmt: skip
    assert result.same_as == result.profile.same_as == 2


def test_a_paper_that_may_be_translated_does_not_follow_one_that_may_not(tmp_path: Path) -> None:
    nd = {"license": "CC BY-ND 4.0"}
    result = ingested(
        tmp_path, {"id": "a", "title": "甲"} | nd, {"id": "b", "title": "甲"}, {"id": "c", "title": "甲"} | nd
    )
    assert [paper.same_as for paper in papers(result)] == [None, None, "a"]
    assert [entry.flags for entry in entries(result)] == [NO_DERIVATIVES, 0, NO_DERIVATIVES | FOLLOWER]


def test_papers_without_text_are_marked_and_never_follow(tmp_path: Path) -> None:
    result = ingested(tmp_path, {"id": "a"}, {"id": "b", "title": " ", "keywords": []})
    assert [(entry.flags, entry.weight, entry.tokens) for entry in entries(result)] == [(EMPTY, 1, 0)] * 2


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"title": "x", "handle": "1"}, "no 'id' (fields: handle, title); map it with --map id=handle"),
        ({"id": True}, "id is a bool"),
        ({"id": "x", "title": 2.5}, "title is the number 2.5, which may have been another"),
        ({"id": "x", "keywords": [{"a": 1}]}, "keywords is an object that has no words"),
        ({"id": "x" * 513}, "id: String should have at most 512 characters"),
        ({"id": "x", "extra": json.loads("[" * 300 + "]" * 300)}, "recursion limit"),
    ],
)
def test_a_record_that_is_no_paper_is_rejected_with_the_reason(
    tmp_path: Path, record: dict[str, Any], reason: str
) -> None:
    result = ingested(tmp_path, {"id": "good"}, record)
    assert (result.papers, result.rejects) == (1, 1)
    assert reason in rejects(result)[2]


@pytest.mark.parametrize(
    ("url", "kept"),
    [("javascript:alert(1)", None), ("10.1000/abc", "https://doi.org/10.1000/abc"), ("HTTP://a.b/c", "HTTP://a.b/c"),
     ("https://a.b/\"><script>", None), ("../../etc/passwd", None)],
)  # fmt: skip
def test_only_web_addresses_are_carried_as_urls(tmp_path: Path, url: str, kept: str | None) -> None:
    assert papers(ingested(tmp_path, {"id": "1", "url": url}))[0].url == kept


def test_a_source_with_no_good_line_is_an_error_with_the_first_reason(tmp_path: Path) -> None:
    with pytest.raises(
        SourceError, match=r"in\.jsonl: none of its 2 records is a paper; the first: line 1: not JSON"
    ):
        ingested(tmp_path, b"{", {"title": "x"})
    with pytest.raises(SourceError, match="is empty"):
        ingested(tmp_path, b"")
    assert list((tmp_path / "state" / "corpora").iterdir()) == []


@pytest.mark.parametrize("name", ["in.csv", "in.jsonl"])
@pytest.mark.parametrize("encoding", ["utf-16le", "utf-16", "utf-16be", "utf-32"])
@pytest.mark.parametrize("mapping", [{}, {"id": "key"}])
def test_a_wrong_encoding_is_named_where_nothing_was_understood(
    tmp_path: Path, name: str, encoding: str, mapping: dict[str, str]
) -> None:
    path = tmp_path / name
    path.write_text("key,title\na,One\nb,Two\n" if name == "in.csv" else '{"key": "a", "title": "One"}\n')
    with pytest.raises(UsageError, match=r"read as UTF-\d\d.*: is it\? Without --encoding") as caught:
        ingest(open_source(str(path), encoding=encoding), tmp_path / "state", mapping=mapping)
    assert "empty" not in str(caught.value)


def test_a_table_of_a_header_alone_is_not_called_empty(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,title\n")
    with pytest.raises(SourceError, match="has no record below the columns' names: give a source"):
        ingest(open_source(str(tmp_path / "in.csv")), tmp_path / "state")


def test_wrong_options_are_usage_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--map name=\.\.\.: no such field"):
        ingested(tmp_path, {"id": "1"}, mapping={"name": "x"})
    (tmp_path / "state").write_text("a file")
    with pytest.raises(UsageError, match="cannot be written to"):
        ingested(tmp_path, {"id": "1"})


def test_a_hostile_id_names_no_file(tmp_path: Path) -> None:
    ingested(tmp_path, {"id": "../../etc/passwd", "title": "x"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "state"]


def test_a_cut_gzip_leaves_its_good_papers_and_a_reject(tmp_path: Path) -> None:
    lines = b"".join(
        json.dumps({"id": str(n), "title": os.urandom(60).hex()}).encode() + b"\n" for n in range(900)
    )
    packed = gzip.compress(lines)
    (tmp_path / "cut.jsonl.gz").write_bytes(packed[: len(packed) * 2 // 3])
    result = ingest(open_source(str(tmp_path / "cut.jsonl.gz")), tmp_path / "state")
    assert result.papers > 200
    assert "cut off" in rejects(result)[result.papers + 1]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
records = st.dictionaries(
    st.sampled_from(
        ["id", "title", "abstract", "keywords", "language", "license", "url", "body", "x", "same_as"]
    ),
    json_values | st.sampled_from(["a", "b", "甲"]),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(records, max_size=12))
def test_every_record_is_a_paper_a_duplicate_or_a_reject(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("ingest")
    result = ingested(folder, {"id": "sure"}, *rows)
    assert result.papers + result.duplicates + result.rejects == len(rows) + 1
    listed = entries(result)
    assert [entry.id for entry in listed] == [paper.id for paper in papers(result)]
    assert sum(entry.weight for entry in listed) == result.papers == result.profile.papers
    assert Profile.model_validate_json(result.profile_path.read_bytes()) == result.profile


def test_the_profile_adds_up(tmp_path: Path) -> None:
    result = ingested(
        tmp_path,
        {"id": "1", "title": "汉" * 400, "language": "zh", "license": "CC-BY-4.0", "body": "x" * 400},
        {"id": "2", "title": "汉" * 400, "language": "zh", "body": "x" * 400},
        {"id": "3", "title": "quux", "keywords": ["a"]},
    )
    profile = result.profile
    assert (profile.papers, profile.same_as, profile.characters) == (3, 1, 800 + 800 + 5)
    assert (profile.tokens_in, profile.tokens_out) == (302, 360 + 33)
    assert (profile.body_tokens_in, profile.body_tokens_out) == (100, 140)
    assert profile.languages["zh"].model_dump() == {
        "papers": 2,
        "sent": 1,
        "tokens_in": 300,
        "tokens_out": 360,
    }
    assert profile.languages["unknown"].papers == 1
    assert profile.licenses == {"CC-BY-4.0": 1, "unknown": 2}
    assert profile.filled["body"] == 2
    assert profile.sizes == {2: 1, 512: 2}


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_papers(tmp_path: Path) -> None:
    script = (
        "import io, resource, sys\n"
        "from pathlib import Path\n"
        "from handlers.corpus.sources.json_lines import JsonlSource\n"
        "from handlers.corpus.ingest import ingest\n"
        "n = int(sys.argv[1])\n"
        "with open(sys.argv[2], 'wb') as f:\n"
        '    f.writelines(b\'{"id":"%d","title":"t%d"}\\n\' % (i, i) for i in range(n))\n'
        "ingest(JsonlSource('x', lambda: open(sys.argv[2], 'rb')), Path(sys.argv[3]))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    peaks = [
        int(
            subprocess.run(
                [sys.executable, "-c", script, str(count), str(tmp_path / "in"), str(tmp_path / str(count))],
                check=True, capture_output=True, cwd=ROOT,
            ).stdout
        )
        for count in (100, 10_000)
    ]  # fmt: skip
    assert peaks[1] - peaks[0] < 12 * 1024


def test_a_source_of_another_kind_joins_by_the_protocol(tmp_path: Path) -> None:
    class Listed:
        name = "a list"

        def records(self) -> Iterator[tuple[int, dict[str, Any] | BadLine]]:
            yield 1, {"id": "1", "title": "x"}
            yield 2, BadLine("torn")

    result = ingest(Listed(), tmp_path)
    assert (result.papers, rejects(result)) == (1, {2: "torn"})
