"""The cut: complete, bounded, heaviest first, the same every time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.corpus.batching import cut, read_paper
from handlers.corpus.index import EMPTY, FOLLOWER, IndexEntry, index_lines, parse_index
from handlers.domain.batch import BatchMessage
from handlers.errors import CorpusChangedError

SHA256 = "a" * 64


def corpus(tokens: list[int], **changes: Any) -> list[IndexEntry]:
    return [
        IndexEntry(n * 100, 100, count, 0, 1, 0, "zh", f"paper-{n}")._replace(**changes)
        for n, count in enumerate(tokens)
    ]


def batches(entries: list[IndexEntry], **options: Any) -> list[BatchMessage]:
    bounds: dict[str, Any] = {"max_papers": 20, "max_tokens": 10_000} | options
    return list(
        cut(entries, run_id="r", corpus_key=f"corpora/{SHA256}.jsonl", corpus_sha256=SHA256, **bounds)
    )


@given(
    st.lists(st.tuples(st.integers(0, 3000), st.booleans()), max_size=200),
    st.integers(1, 30),
    st.integers(1, 5000),
)
def test_every_leader_is_in_exactly_one_batch_within_the_bounds(
    rows: list[tuple[int, bool]], max_papers: int, max_tokens: int
) -> None:
    entries = [
        IndexEntry(n, 1, tokens, 0, 0 if follows else 2, FOLLOWER if follows else 0, None, f"p{n}")
        for n, (tokens, follows) in enumerate(rows)
    ]
    messages = batches(entries, max_papers=max_papers, max_tokens=max_tokens)
    sent = [
        (paper, span) for message in messages for paper, span in zip(message.ids, message.ranges, strict=True)
    ]
    leaders = [(entry.id, (entry.offset, entry.length)) for entry in entries if not entry.follower]
    assert sorted(sent) == sorted(leaders)
    assert sum(message.papers for message in messages) == 2 * len(leaders)
    for message in messages:
        assert len(message.ids) <= max_papers
        assert message.tokens <= max_tokens or len(message.ids) == 1


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4)), max_size=60), st.integers(0, 61))
def test_papers_sorted_on_disk_and_in_memory_make_the_same_batches(
    papers: list[tuple[int, int]], in_memory: int
) -> None:
    entries = [
        entry._replace(twin=twin)
        for entry, (_, twin) in zip(corpus([tokens for tokens, _ in papers]), papers, strict=True)
    ]
    assert batches(entries, max_papers=4, in_memory=in_memory) == batches(entries, max_papers=4)


def test_heavy_papers_come_first_and_alone() -> None:
    messages = batches(corpus([10, 50_000, 20, 9_000, 30]), max_papers=25)
    assert [message.ids for message in messages[:2]] == [
        ("paper-1",),
        ("paper-3", "paper-4", "paper-2", "paper-0"),
    ]
    assert messages[0].tokens == 50_000


def test_the_tail_is_cut_smaller_so_that_it_is_shared_out() -> None:
    sizes = [len(message.ids) for message in batches(corpus([100] * 2000), max_tokens=10**6)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == 20
    assert sizes[-2:] == [4, 4]
    assert sum(sizes) == 2000


def test_the_same_entries_give_the_same_batches_and_another_cut_other_ids() -> None:
    entries = corpus([5, 5, 5, 7] * 30)
    assert batches(entries) == batches(entries)
    first, other = batches(entries)[0], batches(entries, max_papers=19)[0]
    assert first.batch_id.startswith("b000000-")
    assert first.batch_id != other.batch_id
    assert first.generation == 1


def test_a_message_of_long_ids_stays_under_its_bytes() -> None:
    entries = [entry._replace(id="汉" * 508 + f"{n:04d}") for n, entry in enumerate(corpus([1] * 300))]
    messages = batches(entries, max_papers=300)
    assert max(len(message.model_dump_json().encode()) for message in messages) < 60_000
    assert sum(message.papers for message in messages) == 300


def test_a_full_message_of_ordinary_ids_uses_most_of_its_bytes() -> None:
    messages = batches(corpus([1] * 12_000), max_papers=20_000, max_tokens=10**9)
    sizes = [len(message.model_dump_json().encode()) for message in messages]
    assert 45_000 < max(sizes) < 60_000


def test_papers_that_need_no_call_come_last_and_count_no_tokens() -> None:
    entries = corpus([500, 400, 300])
    entries[0] = entries[0]._replace(language="en")
    entries[1] = entries[1]._replace(flags=EMPTY)
    assert batches(entries)[0].ids == ("paper-0", "paper-2", "paper-1")
    message = batches(entries, costs_nothing=lambda entry: entry.language == "en")[0]
    assert message.ids == ("paper-1", "paper-2", "paper-0")
    assert message.tokens == 700


def test_bodies_weigh_only_when_full_text_is_sent() -> None:
    entries = [corpus([500])[0], corpus([10], id="long", body_tokens=9000)[0]]
    assert batches(entries)[0].ids == ("paper-0", "long")
    assert [message.tokens for message in batches(entries, full_text=True, max_papers=1)] == [9010, 500]


def test_bounds_that_no_paper_fits_are_refused() -> None:
    for bounds in ({"max_papers": 0}, {"max_tokens": 0}, {"max_bytes": 100}):
        with pytest.raises(ValueError, match="batch bounds too small"):
            batches(corpus([1]), **bounds)


def test_a_line_is_read_only_as_the_paper_expected() -> None:
    assert read_paper(b'{"id":"1","title":"x"}\n', "1").title == "x"
    for line in (b'{"id":"2"}\n', b'{"id":"1', b"", b"\xff"):
        with pytest.raises(CorpusChangedError, match="paper '1'"):
            read_paper(line, "1")


def test_an_index_of_another_corpus_or_cut_off_is_refused() -> None:
    entry = IndexEntry(0, 10, 1, 0, 1, 0, "zh", "甲")
    lines = list(index_lines([entry], corpus_sha256="a", papers=1))
    assert list(parse_index(lines, corpus_sha256="a")) == [entry]
    for bad in (lines[:1], [b"", lines[1]], [lines[0], b"[1]"], [lines[0], lines[1][:9]]):
        with pytest.raises(CorpusChangedError):
            list(parse_index(bad))
    with pytest.raises(CorpusChangedError, match="is of corpus 'a'"):
        list(parse_index(lines, corpus_sha256="b"))
