"""Pages of OAI-PMH as repositories send them: what is damaged costs a character or a record."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.corpus.sources.oai_page import Page, PageError, parse_page
from handlers.corpus.sources.reader import BadLine
from tests.builders.growth import assert_linear

TEXT = "本文对黄土高原的土壤水分进行了研究，结果表明该方法有效。"
TRADITIONAL = "本研究探討黃土高原的土壤水分，結果顯示該方法對數據應用有效。"
HEAD = '<?xml version="1.0" encoding="UTF-8"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><ListRecords>'
END = "<resumptionToken>t&amp;1</resumptionToken></ListRecords></OAI-PMH>"
SPACES = (
    'xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" xmlns:dc="http://purl.org/dc/elements/1.1/"'
)


def record(name: str, abstract: str = TEXT, fields: str = "", spaces: str = SPACES) -> str:
    content = f"<dc:title>题{name}</dc:title><dc:description>{abstract}</dc:description>{fields}"
    return (
        f"<record><header><identifier>{name}</identifier></header><metadata><oai_dc:dc {spaces}>{content}"
        "</oai_dc:dc></metadata></record>"
    )


def page(*records: str) -> str:
    return HEAD + "".join(records) + END


def papers(read: Page) -> list[dict[str, Any] | BadLine | None]:
    return [each.paper for each in read.records]


def abstracts(read: Page) -> list[str | None]:
    return [each.get("abstract") if isinstance(each, dict) else None for each in papers(read)]


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("A & B", "A & B"),
        ("P&L; Q&A;", "P&L; Q&A;"),
        ("a &copy b &amp; c", "a &copy b & c"),
        ("第1&ndash;3页&nbsp;止", "第1–3页 止"),
        ("&hellip;&Omega;&lt;&sup2;", "…Ω<²"),
        ("&nosuch;", "&nosuch;"),
        ("含&#11;控&#x0;制&#31;符", "含控制符"),
        ("含\x0b控\x00制符\ufffe", "含控制符"),
        ("&#X41;&#xFFFFFFF;", "A�"),
        ("&#55357;&#56832;", "😀"),
        ("p < 0.05, q<3, r <= 1", "p < 0.05, q<3, r <= 1"),
        ("a]]>b", "a]]>b"),
        ("<![CDATA[<p>a & b</p>]]> & c", "a & b & c"),
        ("一<br>二<hr/>三", "一 二 三"),
        ("<p>未完<p>续", "未完 续"),
        ("if a<b then", "if a<b then"),
        ("<!-- x -- y -->文", "文"),
        ("10<sup>-3</sup> m", "10⁻³ m"),
        ("<jats:p>段</jats:p>", "段"),
        ("&amp;lt;p&amp;gt;段&amp;lt;/p&amp;gt;", "段"),
    ],
)
def test_one_damaged_character_costs_no_record(sent: str, meant: str) -> None:
    read = parse_page(page(record("1", sent), record("2")).encode())
    assert abstracts(read) == [meant, TEXT]
    assert (read.token, read.whole) == ("t&1", True)


@pytest.mark.parametrize(
    "broken",
    [
        record("1", "<![CDATA[no end"),
        record("1", "<dc:b>no end"),
        record("1").replace("</dc:title>", "</dc:titel>"),
        record("1").replace("</record>", ""),
        record("1").replace("</oai_dc:dc>", ""),
        record("1").replace("<header>", "<header status=deleted>"),
        record("1").replace("<dc:title>", '<dc:title xml:lang="zh" xml:lang="en">'),
    ],
)
def test_a_record_that_cannot_be_mended_costs_itself_and_is_named(broken: str) -> None:
    read = parse_page(page(record("0"), broken, record("2")).encode())
    assert [each.name for each in read.records] == ["0", "1", "2"]
    first, bad, last = papers(read)
    assert isinstance(first, dict)
    assert isinstance(last, dict)
    assert isinstance(bad, BadLine)
    assert bad.reason.startswith("1: XML that cannot be read (")
    assert read.token == "t&1"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("\n \n", ""),
        ("\ufeff", ""),
        ("<br />\n<b>Warning</b>: Undefined index &nbsp; in /var/www\n", ""),
        ("", "<br />\n<b>Notice</b>: done & gone"),
        ("", page(record("9"))),
        ("", "\n<!-- 0.2 s -->\n"),
        ("", "\x00\x00"),
    ],
)
def test_what_stands_around_the_document_is_no_part_of_it(before: str, after: str) -> None:
    assert abstracts(parse_page((before + page(record("1")) + after).encode())) == [TEXT]


@pytest.mark.parametrize(
    ("declared", "encoding", "text"),
    [
        ("GBK", "gbk", TEXT),
        ("gb2312", "gb18030", TEXT),
        ("GB_2312-80", "gbk", TEXT),
        ("Big5", "big5", TRADITIONAL),
        ("UTF-16", "utf-16", TEXT),
        ("UTF-16", "utf-16-le", TEXT),
        ("UTF-16", "utf-16-be", TEXT),
        ("UTF-32", "utf-32", TEXT),
        ("Shift_JIS", "cp932", "本研究では土壌水分の測定方法を検討した。"),
        ("EUC-KR", "cp949", "토양 수분을 연구하였다."),
        ("windows-1251", "cp1251", "Исследование влажности почвы"),
        # what is declared is wrong
        ("UTF-8", "gbk", TEXT),
        ("UTF-8", "big5", TRADITIONAL),
        ("ISO-8859-1", "gbk", TEXT),
        ("GBK", "utf-8", TEXT),
        ("GBK", "utf-8-sig", TEXT),
        ("ISO-8859-1", "utf-8", TEXT),
        ("UTF-16", "utf-8", TEXT),
        ("no-such", "utf-8", TEXT),
        ("unicode_escape", "utf-8", TEXT),
    ],
)
def test_a_page_is_read_in_the_encoding_that_it_is_in(declared: str, encoding: str, text: str) -> None:
    written = page(record("1", text)).replace("UTF-8", declared)
    written = written.replace("题1", text[:4])
    assert abstracts(parse_page(written.encode(encoding))) == [text]


def test_a_byte_that_is_none_costs_a_character_and_records_may_be_in_encodings_of_their_own() -> None:
    broken = page(record("1")).encode().replace("黄".encode(), b"\xe9\xbb")
    assert abstracts(parse_page(broken)) == [TEXT.replace("黄", "�")]
    mixed = HEAD.encode() + record("1").encode() + record("2").encode("gbk") + END.encode()
    assert abstracts(parse_page(mixed)) == [TEXT, TEXT]
    latin = page(record("1", "Université de Québec")).replace("题", "T").encode("latin-1")
    assert abstracts(parse_page(latin)) == ["Université de Québec"]


def test_namespaces_that_the_page_forgot_are_those_that_it_means() -> None:
    assert abstracts(parse_page(page(record("1", spaces="")).encode())) == [TEXT]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        # (title, abstract, language) of the same paper in two languages
        ([("en-US", "zh-CN"), ("zh-CN", "en-US"), "zh"], "zh"),
        ([("en", "zh"), ("en", "zh"), "chi"], "zh"),
        ([("en", "zh"), ("en", "zh"), "eng"], "en"),
        ([("", ""), ("", ""), "zh_CN"], "zh"),
        ([("en", "zh"), ("en", "zh"), ""], "zh"),
        ([("en", "zh"), ("en",), "zh"], "en"),
        ([("zh",), ("en", "zh"), ""], "zh"),
    ],
)
def test_a_record_in_two_languages_is_read_in_the_one_that_the_paper_is_in(
    fields: list[Any], expected: str
) -> None:
    titles, descriptions, language = fields
    words = {"en": "The study of soil moisture in the loess", "zh": "黄土高原土壤水分研究"}

    def element(name: str, tag: str, place: int) -> str:
        word = words[tag[:2] or ("en", "zh")[place]]
        stated = f' xml:lang="{tag}"' if tag else ""
        return f"<dc:{name}{stated}>{word}</dc:{name}>"

    content = "".join(
        element(name, tag, place)
        for name, tags in (("title", titles), ("description", descriptions))
        for place, tag in enumerate(tags)
    )
    stated = f"<dc:language>{language}</dc:language>" if language else ""
    bare = record("1").replace("<dc:title>题1</dc:title>", "")
    bare = bare.replace(f"<dc:description>{TEXT}</dc:description>", content + stated)
    (paper,) = papers(parse_page(page(bare).encode()))
    assert isinstance(paper, dict)
    assert (paper["title"], paper["abstract"]) == (words[expected], words[expected])
    assert paper["language"] == expected


def test_a_refusal_is_heard_whatever_its_words_are() -> None:
    body = '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><error code="badArgument">a & <b> c</error>'
    assert parse_page(body.encode()).error == "badArgument"
    for answer in ("", "not XML", "<html><p>Login & go", HEAD.replace("ListRecords", "Identify")):
        with pytest.raises(PageError):
            parse_page(answer.encode())


@pytest.mark.parametrize(
    "piece", ["&", "<", "<a ", "<![CDATA[", "]]>", "<record>", "</record>", "&#1", "\xff"]
)
def test_a_flood_of_what_must_be_mended_is_read_in_linear_time(piece: str) -> None:
    def flooded(size: int) -> bytes:
        return (HEAD + record("1", piece * (size // len(piece))) + END).encode("latin-1", "replace")

    assert_linear(flooded, parse_page)
