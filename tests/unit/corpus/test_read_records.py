"""Records of any shape, with a task that says what it reads of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.corpus.batching import read_paper
from handlers.corpus.fields.field_text import RecordError
from handlers.corpus.index import EMPTY, FOLLOWER, IndexEntry, parse_index
from handlers.corpus.ingest import IngestResult, ingest
from handlers.corpus.read_records import RecordNormaliser
from handlers.corpus.sources.formats import open_source
from handlers.corpus.sources.json_lines import parsed_line
from handlers.corpus.sources.reader import BadLine
from handlers.domain.paper import Paper
from handlers.domain.tasks.reads import Reads, is_filled
from handlers.errors import UsageError

REVIEWS = Reads(shape="record", fields=("text",), id="nr", title="Headline")
TEXTS = Reads(fields=("text", "title"))


def ingested(folder: Path, reads: Reads | None, *rows: Any, **options: Any) -> IngestResult:
    source = folder / "in.jsonl"
    source.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return ingest(open_source(str(source)), folder / "state", reads=reads, **options)


def papers(result: IngestResult) -> list[Paper]:
    return [Paper.model_validate_json(line) for line in result.corpus.read_bytes().splitlines()]


def entries(result: IngestResult) -> list[IndexEntry]:
    return list(parse_index(result.index.read_bytes().splitlines(), corpus_sha256=result.sha256))


def rejects(result: IngestResult) -> dict[int, str]:
    rows = map(json.loads, result.rejects_path.read_text("utf-8").splitlines())
    return {row["line"]: row["reason"] for row in rows}


def test_what_is_read_tells_records_apart(tmp_path: Path) -> None:
    rows = [{"id": str(n), "title": "t", "text": text, "n": n} for n, text in enumerate(["a", "b", "a"])]
    result = ingested(tmp_path, TEXTS, *rows, {**rows[0], "text": "c"}, {**rows[1], "n": 9}, rows[2])
    assert [paper.same_as for paper in papers(result)] == [None, None, "0"]
    assert (result.papers, result.same_as, result.duplicates, result.differing, result.rejects) == (
        3,
        1,
        2,
        1,
        1,
    )
    assert "another text" in rejects(result)[4]
    assert "other here: n" in rejects(result)[5]
    plain = ingested(tmp_path, None, *rows)
    assert [paper.same_as for paper in papers(plain)] == [None, "0", "0"], "a translation reads no `text`"


def test_the_corpus_of_a_task_is_another_even_where_its_lines_are_the_same(tmp_path: Path) -> None:
    rows = [{"id": "1", "title": "t", "text": "a"}, {"id": "2", "title": "u", "text": "a"}]
    found = {
        ingested(tmp_path, reads, *rows).sha256: reads
        for reads in (None, TEXTS, Reads(fields=("text",)), Reads(fields=("title",)))
    }
    assert len(found) == 4
    again = ingested(tmp_path, Reads(fields=("title", "text"), required=("text",)), *rows)
    assert found[again.sha256] == TEXTS


def test_tokens_emptiness_and_twins_are_of_what_is_read(tmp_path: Path) -> None:
    rows = [
        {"id": "1", "title": "t" * 400, "text": "word " * 100},
        {"id": "2", "title": "t" * 400, "text": " "},
        {"id": "3", "title": "t", "text": "word " * 100, "license": "CC BY-ND 4.0"},
    ]
    first, empty, forbidden = entries(ingested(tmp_path, Reads(fields=("text",)), *rows))
    assert (first.tokens, first.body_tokens, empty.tokens, empty.flags & EMPTY) == (125, 0, 0, EMPTY)
    assert first.twin == forbidden.twin > 0
    assert forbidden.no_derivatives
    assert not forbidden.flags & FOLLOWER


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (
            {
                "nr": 7, "Headline": ["a\x00", {"b": 2}], "text": "e\u0301 x", "date": {"y": 1}, "stars": 4.5,
                "none": None, "language": "en",
            },
            {
                "id": "7", "title": "a 2", "language": "en",
                "record": {
                    "nr": 7, "Headline": ["a", {"b": 2}], "text": "é x", "date": {"y": 1}, "stars": 4.5,
                    "language": "en",
                },
            },
        ),
        (
            {
                "nr": "x", "Headline": 12, "text": {"en": "one"}, "language": "de", "url": "10.1000/1",
                "same_as": "q",
            },
            {
                "id": "x", "title": "12", "language": "de", "url": "https://doi.org/10.1000/1",
                "record": {
                    "nr": "x", "Headline": 12, "text": {"en": "one"}, "language": "de", "url": "10.1000/1",
                    "same_as": "q",
                },
            },
        ),
        (
            {"nr": "z", "text": ["研究石墨烯的热导率"], "license": 5, "language": {"a": []}, "title": None},
            {
                "id": "z", "title": "", "language": "zh",
                "record": {"nr": "z", "text": ["研究石墨烯的热导率"], "license": 5, "language": {"a": []}},
            },
        ),
        (
            {"nr": "r", "text": "x", "record": {"text": "inner"}, "id": 3, "title": True},
            {
                "id": "r", "title": "true",
                "record": {"nr": "r", "text": "x", "record": {"text": "inner"}, "id": 3, "title": True},
            },
        ),
    ],
    ids=["numbers and lists", "a tag and an address", "what no paper could have", "a record called record"],
)  # fmt: skip
def test_a_record_keeps_its_fields_as_they_came(
    tmp_path: Path, row: dict[str, Any], line: dict[str, Any]
) -> None:
    reads = REVIEWS if "Headline" in row else REVIEWS.model_copy(update={"title": None})
    result = ingested(tmp_path, reads, row)
    assert json.loads(result.corpus.read_bytes()) == line
    assert list(json.loads(result.corpus.read_bytes())["record"]) == list(line["record"])


def test_a_record_without_an_id_is_named_by_what_is_read_of_it(tmp_path: Path) -> None:
    reads = REVIEWS.model_copy(update={"id": "#digest"})
    rows = [{"text": "a"}, {"text": "b", "nr": 1}, {"text": "a"}, {"text": "a", "Headline": "h"}]
    result = ingested(tmp_path, reads, *rows)
    assert [paper.id for paper in papers(result)] == [reads.digest(paper)[:32] for paper in papers(result)]
    assert (result.papers, result.duplicates, result.differing) == (2, 2, 1)
    unnamed = ingested(tmp_path, REVIEWS, {"text": "a", "nr": 1}, {"text": "a"}, {"text": "a", "nr": [2]})
    assert all('`id = "#digest"`' in rejects(unnamed)[line] for line in (2, 3))
    of_papers = ingested(
        tmp_path, TEXTS.model_copy(update={"id": "#digest"}), *({**row, "title": "t"} for row in rows)
    )
    assert (of_papers.papers, of_papers.duplicates) == (2, 2)


@pytest.mark.parametrize(
    "reads",
    [
        REVIEWS,
        REVIEWS.model_copy(update={"id": "#digest"}),
        Reads(fields=("text", "title"), id="nr"),
        Reads(fields=("Headline", "text"), id="#digest"),
    ],
)
def test_lines_of_a_corpus_make_the_same_lines_again(tmp_path: Path, reads: Reads) -> None:
    rows = [
        {"nr": n, "text": f"{n} e\u0301", "Headline": {"a": n}, "title": "t", "language": "fr"}
        for n in range(3)
    ]
    first = ingested(tmp_path, reads, *rows)
    sample = tmp_path / "sample.jsonl"
    sample.write_bytes(b"".join(first.corpus.read_bytes().splitlines(keepends=True)[1:]))
    again = ingest(open_source(str(sample)), tmp_path / "again", reads=reads, of_corpus=True)
    assert again.corpus.read_bytes() == sample.read_bytes()
    assert [entry[2:] for entry in entries(again)] == [entry[2:] for entry in entries(first)][1:]
    few = ingested(
        tmp_path, Reads(shape="record", fields=("text", "rare"), id="nr"), *rows, {"nr": 9, "rare": 1}
    )
    sample.write_bytes(few.corpus.read_bytes().splitlines(keepends=True)[0])
    rare = Reads(shape="record", fields=("text", "rare"), id="nr")
    assert ingest(open_source(str(sample)), tmp_path / "few", reads=rare, of_corpus=True).papers == 1


@pytest.mark.parametrize(
    ("reads", "said"),
    [
        (Reads(fields=("text", "abstrct")), "no record has 'abstrct'; nearest: abstract"),
        (
            Reads(fields=("txt",)),
            "no record has 'txt'; nearest: text; the source has id, title, text, none, a",
        ),
        (Reads(shape="record", fields=("Text",)), "no record has 'Text'; nearest: text"),
        (Reads(shape="record", fields=("abstract",)), "no record has 'abstract'; the source has"),
        (
            Reads(fields=("text", "abstract"), required=("abstract",)),
            "no record has 'abstract'; the source has",
        ),
        (Reads(shape="record", fields=("none",)), "no record has anything in 'none'"),
        (Reads(shape="record", fields=("a.c",)), "no record has 'a.c'"),
        (Reads(shape="record", fields=("__class__",)), "no record has '__class__'"),
    ],
)
def test_a_field_that_no_record_has_ends_the_command(tmp_path: Path, reads: Reads, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        ingested(tmp_path, reads, {"id": "1", "title": "t", "text": "x", "none": "", "a": {"b": "y"}})
    assert said in str(refused.value)
    assert not list(tmp_path.glob("state/corpora/*.jsonl"))


def test_a_papers_own_field_may_be_missing_where_it_is_not_required(tmp_path: Path) -> None:
    reads = Reads(fields=("text", "keywords", "a.b"), required=("text",))
    result = ingested(tmp_path, reads, {"id": "1", "text": "x", "a": {"b": "y"}})
    assert {name: result.profile.filled[name] for name in reads.fields} == {
        "text": 1,
        "keywords": 0,
        "a.b": 1,
    }


def test_a_record_nested_as_deep_as_may_be_is_read_again_or_refused(tmp_path: Path) -> None:
    rows = [{"nr": 0, "text": "sure"}]
    for depth in (10, 150, 190, 197, 198, 199, 900):
        rows.append({"nr": depth, "text": json.loads("[" * depth + '"x"' + "]" * depth)})
    result = ingested(tmp_path, REVIEWS, *rows)
    assert len(papers(result)) + result.rejects == len(rows)
    assert len(papers(result)) > 2


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["a", "甲\ud800", "=1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(
    ["id", "nr", "text", "title", "record", "same_as", "language", "license", "url", "a.b", "a"]
)


@settings(max_examples=15, deadline=None)
@given(
    st.dictionaries(names, values), st.sampled_from(["paper", "record"]), st.sampled_from(["nr", "#digest"])
)
def test_of_any_record_the_worker_reads_what_ingest_did(row: dict[str, Any], shape: Any, name: str) -> None:
    reads = Reads(shape=shape, fields=("a.b", "text", "title"), id=name)
    (record,) = parsed_line(json.dumps(row).encode())
    assert not isinstance(record, BadLine)
    try:
        found = RecordNormaliser({}, reads).prepare(1, record)
    except RecordError:
        return
    if found.refusal:
        return
    paper = read_paper(found.line, found.id)
    assert bytes.fromhex(reads.digest(paper)[:32]) == found.digest
    empty = not any(map(is_filled, reads.values(paper).values()))
    assert empty is bool(found.flags & EMPTY)
    assert name == "nr" or found.id == reads.digest(paper)[:32]
