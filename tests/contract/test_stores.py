"""``ObjectStore``: immutable objects, byte ranges, and parts that are durable when written."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.domain.result import Part, PartPointer
from handlers.errors import CorpusChangedError, DamagedObjectError, UsageError
from handlers.ports import ObjectStore
from tests.builders.examples import fewer

KEY = "corpora/abc.jsonl"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.jsonl"
    path.write_bytes("第一\nsecond\nthird\n".encode())
    return path


def read(store: ObjectStore, where: PartPointer) -> bytes:
    return store.read(where.key, where.offset, where.length)


def part(name: str, *lines: bytes) -> Part:
    return Part("r", name, lines)


def test_a_stored_file_is_read_by_byte_ranges_and_by_lines(store: ObjectStore, source: Path) -> None:
    assert not store.exists(KEY)
    store.put_file(KEY, source)
    assert store.exists(KEY)
    assert store.read(KEY, 7, 6) == b"second"
    assert list(store.lines(KEY)) == ["第一\n".encode(), b"second\n", b"third\n"]


def test_many_ranges_come_in_the_order_that_they_were_asked_in(store: ObjectStore, source: Path) -> None:
    store.put_file("corpora/a.jsonl", source)
    content = source.read_bytes()
    ranges = [(n % len(content), 1) for n in range(7, 7 + 3 * len(content), 3)]
    assert store.read_many("corpora/a.jsonl", ranges) == [
        content[offset : offset + 1] for offset, _ in ranges
    ]
    assert store.read_many("corpora/a.jsonl", []) == []
    with pytest.raises(CorpusChangedError):
        store.read_many("corpora/a.jsonl", [(0, 1), (len(content), 1), (1, 1)])


def test_a_key_that_exists_is_left_as_it_is(store: ObjectStore, source: Path) -> None:
    store.put_file(KEY, source)
    source.write_bytes(b"other\n")
    store.put_file(KEY, source)
    assert store.read(KEY, 7, 6) == b"second"


def test_keys_are_listed_by_their_beginning_in_order(store: ObjectStore, source: Path) -> None:
    for key in ("runs/a/two.jsonl", "runs/a/one.jsonl", "runs/ab/three.jsonl", KEY):
        store.put_file(key, source)
    assert list(store.keys("runs/a/")) == ["runs/a/one.jsonl", "runs/a/two.jsonl"]
    assert list(store.keys("runs/none/")) == []


def test_a_part_can_be_found_and_read_line_by_line(store: ObjectStore) -> None:
    store.write_parts("job-a", [part("b1/1-job-a-1", b"one\n", b"two\n")])
    found = [key for folder in ("segments", "results") for key in store.keys(f"runs/r/{folder}/")]
    assert [line for key in found for line in store.lines(key)] == [b"one\n", b"two\n"]


def test_a_missing_object_says_so(store: ObjectStore) -> None:
    with pytest.raises(CorpusChangedError, match="ingest"):
        store.read(KEY, 0, 1)
    with pytest.raises(CorpusChangedError, match="ingest"):
        next(store.lines(KEY))


def test_a_lost_part_is_no_fault_of_the_corpus_and_names_its_own_cure(store: ObjectStore) -> None:
    for key, cure in (
        ("runs/r/segments/j.jsonl", "paperfleet repair"),
        ("runs/r/results/b.jsonl", "--run-id"),
    ):
        with pytest.raises(DamagedObjectError, match=f"is gone: .*{cure}") as caught:
            store.read(key, 0, 1)
        assert not isinstance(caught.value, CorpusChangedError)


def test_an_upload_that_never_was_is_not_called_gone(store: ObjectStore) -> None:
    with pytest.raises(DamagedObjectError, match=r"incoming/june\.jsonl is not there: put the file there"):
        next(store.lines("incoming/june.jsonl"))


def test_a_range_past_the_end_says_that_the_object_was_cut(store: ObjectStore, source: Path) -> None:
    store.put_file(KEY, source)
    with pytest.raises(CorpusChangedError, match="wanted"):
        store.read(KEY, 15, 50)


@pytest.mark.parametrize(
    "key",
    [
        "../x",
        "a/../../x",
        "/etc/passwd",
        "a//b",
        "",
        ".",
        "a/.hidden",
        "a\n",
        "a/b\x00",
        "C:\\x",
        "a/ü",
        "corpora/" + 241 * "x",
        600 * "a/" + "b",
        "x" * 1_000_000,
        "a/\ud800",
    ],
)
def test_a_key_that_is_no_plain_path_is_refused(store: ObjectStore, source: Path, key: str) -> None:
    for use in (
        lambda: store.exists(key),
        lambda: store.read(key, 0, 1),
        lambda: next(store.lines(key)),
        lambda: store.put_file(key, source),
    ):
        with pytest.raises(UsageError):
            use()


def test_parts_come_back_line_by_line_from_their_pointers(store: ObjectStore) -> None:
    parts = [part("b1/1-job-1", b"one\n", "二\n".encode()), part("b2/1-job-2", b"three\n")]
    pointers = store.write_parts("job", parts)
    assert [[read(store, where) for where in each] for each in pointers] == [
        [b"one\n", "二\n".encode()],
        [b"three\n"],
    ]
    (more,) = store.write_parts("job", [part("b1/1-job-3", b"four\n")])
    assert read(store, more[0]) == b"four\n"
    assert read(store, pointers[0][0]) == b"one\n"


def test_a_job_that_starts_again_adds_to_what_it_wrote(
    store: ObjectStore, open_store: Callable[[], ObjectStore]
) -> None:
    ((first,),) = store.write_parts("job", [part("b1/1-job-1", b"one\n")])
    ((second,),) = open_store().write_parts("job", [part("b1/2-job-1", b"two\n")])
    assert (read(store, first), read(store, second)) == (b"one\n", b"two\n")


def test_another_process_reads_what_was_written(
    store: ObjectStore, open_store: Callable[[], ObjectStore]
) -> None:
    reader = open_store()
    ((first,),) = store.write_parts("job", [part("b1/1-job-1", b"one\n")])
    assert read(reader, first) == b"one\n"
    ((second,),) = store.write_parts("job", [part("b1/1-job-2", b"two\n")])
    assert read(reader, second) == b"two\n"


def test_jobs_that_write_at_once_do_not_disturb_each_other(open_store: Callable[[], ObjectStore]) -> None:
    stores = [open_store() for _ in range(4)]

    def write(number: int) -> list[tuple[PartPointer, bytes]]:
        mine, found = stores[number], []
        for n in range(20):
            line = f"{number}/{n}/{'x' * (n * 7)}\n".encode()
            ((where,),) = mine.write_parts(f"job-{number}", [part(f"b/{n}-{number}", line)])
            found.append((where, line))
        return found

    with ThreadPoolExecutor(4) as pool:
        written = [pair for pairs in pool.map(write, range(4)) for pair in pairs]
    reader = open_store()
    assert all(read(reader, where) == line for where, line in written)


@pytest.fixture
def few_descriptors() -> Iterator[int]:
    """At most so many open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    yield 256
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("open_store", ["file", pytest.param("s3", marks=pytest.mark.slow)], indirect=True)
def test_segments_of_more_jobs_than_open_files_can_be_read(
    open_store: Callable[[], ObjectStore], few_descriptors: int
) -> None:
    pointers = []
    for number in range(few_descriptors + 50):
        writer = open_store()
        ((where,),) = writer.write_parts(f"job-{number}", [part(f"b/1-job-{number}", f"{number}\n".encode())])
        writer.close()
        pointers.append(where)
    reader = open_store()
    assert [int(read(reader, where)) for where in pointers] == list(range(len(pointers)))


_NAMES = st.one_of(
    st.sampled_from(["..", ".", "", "a", KEY, "corpora", "\x00", "x" * 300, "\ud800", "C:", "~"]),
    st.text("ab./\\~\n\x00ü", max_size=300),
)


@settings(fewer(2), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(_NAMES, min_size=1, max_size=5), offset=st.integers(0, 1 << 70))
def test_whatever_a_request_names_is_refused_or_not_there(
    store: ObjectStore, names: list[str], offset: int
) -> None:
    """Keys in requests and messages are anybody's: no error of the disk, and nothing read elsewhere."""
    key = "/".join(names)
    for use in (lambda: store.read(key, offset, 1), lambda: list(store.lines(key))):
        with pytest.raises((UsageError, DamagedObjectError)):
            use()


def test_no_object_is_read_below_another_or_where_a_folder_is(store: ObjectStore, source: Path) -> None:
    store.put_file(KEY, source)
    for key in (KEY.rpartition("/")[0], KEY + "/x"):
        assert not store.exists(key)
        for use in (lambda key=key: store.read(key, 0, 1), lambda key=key: next(store.lines(key))):
            with pytest.raises(DamagedObjectError):
                use()
