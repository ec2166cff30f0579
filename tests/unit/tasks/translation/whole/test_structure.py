"""An answer brings no structure along that its source has not."""

from __future__ import annotations

import pytest

from handlers.tasks.translation.whole.structure import added_structure, lost_words, one_line
from tests.builders.growth import assert_linear, repeated

SMUGGLED = (
    *(
        "# Title",
        "## ",
        "#1 unit",
        " # x",
        "> said",
        "```",
        "~~~\nx",
        "$$ x $$",
        "\\[x\\]",
        "![](http://a/b.png)",
    ),
    *("a\n\nb", "\n\na", "a\n \t\u3000\nb", "a\r\n\r\nb", "a\r\rb", "a\u2028\u2029b", "a\x85\x85b"),
    *("a</td><td>b", "a</TD >b", "<tr>", "a <td colspan=2", "a</table", "<caption\n>"),
    *("<b>a</b>", "a<br/>", "a<img src=x onerror=alert(1)>", "a<svg/onload=alert(1)>", "a<!-- b", "a<?php"),
    *("a<script>b", "a<my-tag>", "a <a\nhref=x", "<x:y z=1>"),
    *("a ![b](c)", "[a](http://b.c)", "[a](javascript:b)", "a | b", "|", "a\\", "a\\\\\\ "),
    *("- a", " * a", "• a", "[^1]: a", "[a]: b", "---", "===", "* * *", "- - -", "_ _ _"),
    *("a <div", "a<b", "a</td", "a <b c> d", "<http://a.b>", "a http://b.c", "a www.b.c", "ftp://a"),
    *("1. a", " 2) a", "a `b", "`a`"),
    *("a\x00b", "a\x07", "\x1b[m", "\u202ea", "a\x9fb"),
)
HONEST = (
    *(("样品#1", "sample #1"), ("#1机组", "#1 unit"), ("＃1机组", "#1 unit"), ("＞0.5者", "> 0.5")),
    *(("p＜0.05 且 q>2", "p<0.05 and q>2"), ("a<b", "a < b"), ("1<V≤2", "1<V≤2"), ("甲＜V＞乙", "A <V> B")),
    *(("甲|乙", "A|B"), ("甲｜乙", "A | B"), ("见[3](文献)", "see [3](literature)"), ("甲\n乙", "A B")),
    *(("甲。", "A.\n"), ("甲。", "A line\nbroken"), ("甲\\", "A\\"), ("甲", "A # B > C ~~~ D")),
    *(
        ("⟦1⟧为", "⟦1⟧ is"),
        ("甲", "1. A"),
        ("一、样品", "1. Samples"),
        ("第2步", "2. Step"),
        ("样`品", "a`b"),
        ("－甲", "- A"),
        ("· 甲", "• A"),
        ("甲", "A - B [a]: C"),
        ("a < b", "a <b"),
        ("http：／／a.b", "http://a.b"),
        ("甲\x00", "A\x00"),
        ("<温度>", "<temperature>"),
        ("x<sub>2</sub>", "x<sub>2</sub>"),
    ),
)


@pytest.mark.parametrize("answer", SMUGGLED)
def test_added_structure_is_refused(answer: str) -> None:
    assert added_structure("河流的水温", answer)
    assert not added_structure(one_line(answer), one_line(answer))


@pytest.mark.parametrize(("source", "answer"), HONEST)
def test_what_the_source_has_may_stand_and_so_may_prose(source: str, answer: str) -> None:
    assert not added_structure(source, answer)


@pytest.mark.parametrize("answer", ["-", "—", "", "⟦1⟧", "⟦1⟧, ⟦2⟧.", "…"])
def test_signs_and_placeholders_alone_translate_no_word(answer: str) -> None:
    assert lost_words("水温⟦1⟧", answer)
    assert not lost_words("无⟦1⟧", answer)
    assert not lost_words("水温⟦1⟧", f"T{answer}")


def test_a_translation_is_put_back_in_one_line() -> None:
    assert one_line(" A\r\nB\n C\u2028D\t ") == "A B  C D"


@pytest.mark.parametrize("unit", ["\n", "\n ", "<", "<a ", "<a/", "\\", "![", "](", "|", "#", " ", "<a:b ="])
def test_answers_of_anything_are_looked_at_in_linear_time(unit: str) -> None:
    assert_linear(repeated(unit), lambda answer: added_structure("水", f"a{answer}a"))
