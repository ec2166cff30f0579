"""Encodings by their names and by their bytes: known, or refused in words, never read as something else."""

from __future__ import annotations

from io import BytesIO

import pytest

from handlers.corpus.sources.source_notes import SourceNotes
from handlers.corpus.sources.text_encoding import encoding_named, encoding_of, marked
from handlers.corpus.sources.utf8_stream import as_utf8
from handlers.errors import SourceError, UsageError

CHINESE = "10.1000/1,土壤水分的时空变化研究，本文研究了黄土高原土壤水分的变化规律。\n" * 4
JAPANESE = "土壌水分の時空間変化に関する研究\n本研究では農業への影響を分析した。ｶﾀｶﾅ\n" * 4
KOREAN = "토양 수분의 시공간 변화\n본 연구에서는 토양 수분의 변화를 조사하였다.\n" * 4


@pytest.mark.parametrize(
    ("text", "encoding"),
    [(CHINESE, "gb18030"), (JAPANESE, "euc_jp"), (JAPANESE, "cp932"), (KOREAN, "cp949"), (KOREAN, "johab")],
)
def test_bytes_tell_their_encoding_or_that_it_is_none_of_those_known(text: str, encoding: str) -> None:
    assert encoding_of(text.encode(encoding)) == (None if encoding == "johab" else encoding)


def test_traditional_characters_in_an_encoding_that_nothing_reads_are_not_guessed() -> None:
    euc_tw = bytes.fromhex("c8cec5d5c5a1ced0cdc8cfbfc8c5a7d2cba9c6bbcbb8") * 20
    assert encoding_of(euc_tw) is None


@pytest.mark.parametrize("encoding", ["utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be", "hz", "iso2022_kr"])
def test_what_has_no_byte_beyond_ascii_or_no_mark_is_known(encoding: str) -> None:
    text = KOREAN if encoding == "iso2022_kr" else CHINESE
    found = marked(text.encode(encoding))
    assert found is not None
    assert text.encode(encoding).decode(found) == text


def test_seven_bits_that_nothing_reads_are_refused_and_plus_signs_are_not() -> None:
    for text in (CHINESE.encode("utf-7"), b"\x1b$)A0!1\n"):
        with pytest.raises(SourceError, match="save it as UTF-8"):
            marked(text)
    assert marked(b"a+b=c, SGVsbG8gd29ybGQ= +SGVsbG8gd29ybGQ+abcdefgh/ ~{x~}\n" * 9) is None


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("x-gbk", "gb18030"), ("Windows-936", "gb18030"), ("GB 2312", "gb18030"), ("gb-18030", "gb18030"),
        ("x-sjis", "cp932"), ("Windows-31J", "cp932"), ("UTF-8-BOM", "utf_8"), ("Unicode", "utf_16"),
        ("latin1", "latin_1"),
    ],
)  # fmt: skip
def test_names_as_people_write_them(name: str, codec: str) -> None:
    assert encoding_named(name) == encoding_named(codec)


@pytest.mark.parametrize("name", ["utf-7", "UTF7", "euc-tw", "ISO-2022-CN", "rot13"])
def test_what_is_not_read_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(UsageError, match=r"UTF-8|no such encoding"):
        encoding_named(name)


@pytest.mark.parametrize("encoding", ["utf_16", "utf_32"])
@pytest.mark.parametrize("order", ["", "_le", "_be"])
def test_a_family_that_is_said_is_read_in_its_own_order(encoding: str, order: str) -> None:
    stream = as_utf8(BytesIO(CHINESE.encode(encoding + order)), SourceNotes(), encoding)
    assert stream.read().decode().removeprefix("\ufeff") == CHINESE
