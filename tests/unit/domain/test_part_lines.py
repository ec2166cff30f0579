from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.domain.part_lines import decode, encode
from handlers.domain.result import PartPointer
from handlers.errors import DamagedObjectError
from tests.builders.values import part_line

LINE = part_line(
    fields={"title": "公式 $E = mc^2$", "abstract": 'a "quoted" line,"seal":"0123456789abcdef"}'}
)
DATA = encode(LINE)
WHERE = PartPointer(key="runs/r/segments/job-a.jsonl", offset=4711, length=len(DATA))


def test_an_encoded_line_is_one_line_and_comes_back_as_it_was() -> None:
    assert DATA.endswith(b"\n")
    assert DATA.count(b"\n") == 1
    assert decode(DATA, WHERE) == LINE


@given(st.integers(0, len(DATA) - 2), st.integers(0, 7))
def test_a_flipped_bit_is_seen_or_changes_nothing(place: int, bit: int) -> None:
    altered = bytearray(DATA)
    altered[place] ^= 1 << bit
    with suppress(DamagedObjectError):
        assert decode(bytes(altered), WHERE) == LINE, "only bits of the checksum's own frame may go unseen"


def test_a_changed_letter_of_a_result_is_seen_and_named() -> None:
    with pytest.raises(DamagedObjectError, match=r"job-a\.jsonl, byte 4711.*paperfleet repair"):
        decode(DATA.replace(b"quoted", b"quotes"), WHERE)


def test_a_line_that_was_cut_off_is_seen() -> None:
    for length in range(len(DATA) - 1):
        with pytest.raises(DamagedObjectError):
            decode(DATA[:length], WHERE)


def test_a_line_of_a_version_without_checksums_is_read() -> None:
    assert decode(LINE.model_dump_json().encode() + b"\n", WHERE) == LINE


def test_half_a_surrogate_pair_in_a_reason_keeps_no_line_from_disk() -> None:
    line = part_line(
        status="failed", reason="HTTP 400: cut in the middle of \ud83d", fields={"title": "\udc00 e"}
    )
    read = decode(encode(line), WHERE)
    assert (read.id, read.status, read.reason) == (line.id, "failed", "HTTP 400: cut in the middle of ?")
    assert read.fields == {"title": "? e"}
