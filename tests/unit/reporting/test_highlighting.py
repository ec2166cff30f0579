"""Texts of papers and models as HTML: escaped, drawn, marked."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.domain.paper import Paper
from handlers.domain.result import Check
from handlers.reporting.review.findings import Mark, findings
from handlers.reporting.review.highlighting import to_marked_html
from handlers.tasks.translation.gate.gate import GateInput
from handlers.tasks.translation.gate.gate import check as check_answer
from handlers.tasks.translation.masking.masking import mask
from tests.builders.growth import assert_linear, repeated


class Seen(HTMLParser):
    """Elements, attributes and text of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def check(name: str, detail: str) -> Check:
    return Check(name=name, verdict="fail", detail=detail)


def found(*checks: Check, field: str = "abstract", paper: Paper | None = None) -> dict[str, list[str]]:
    """Texts to be marked in a field, by what they are."""
    given = paper or Paper(id="p", title="题目", language="zh")
    about = findings(checks, given, full_text=False)[field]
    lists = {"source": about.source, "result": about.result, "numbers": about.numbers, "spans": about.spans}
    return {name: [mark.text for mark in marks] for name, marks in lists.items() if marks}


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg/onload=alert(1)>",
        '"><a href="javascript:alert(1)">x</a>',
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
        "$x$<iframe srcdoc='<script>alert(1)</script>'>$y$",
        "</div></article><style>*{display:none}</style>",
        "[x](javascript:alert(1)) ![](http://evil.example/x.png)",
    ],
)
def test_markup_in_a_text_is_shown_and_not_obeyed(text: str) -> None:
    seen = Seen(to_marked_html(text, [Mark("alert", "numbers")], [Mark(text, "mathematics")]))
    assert not seen.tags & {"script", "img", "svg", "a", "iframe", "style", "table", "div"}
    assert seen.attributes <= {"data-check", "title", "class", "display", "mathvariant", "stretchy"}


@given(st.text(alphabet="<>&\"'ab/=! $\\{}()[]⟦⟧1研;#", max_size=80))
def test_nothing_of_a_text_is_lost_when_it_has_no_formula(text: str) -> None:
    html = to_marked_html(text.replace("$", "").replace("\\", ""))
    seen = Seen(html)
    assert seen.text == text.replace("$", "").replace("\\", "")
    assert seen.tags <= {"code"}


def test_formulas_are_drawn_and_prose_stands_around_them() -> None:
    html = to_marked_html("在 $x ^ { 2 }$ 时")
    assert html.startswith("在 <math")
    assert html.endswith("</math> 时")


def marked(source: str, answer: str, *, field: str = "abstract") -> tuple[str, str]:
    """Both sides of a field as the site shows them, after the gate has looked at them."""
    asked = GateInput({field: mask(source).text}, "zh", "en", "")
    checks = check_answer(asked, json.dumps({field: mask(answer).text}), "stop").checks
    about = findings(checks, Paper(id="p"), full_text=False)[field]
    return (
        to_marked_html(source, (), about.spans, about.source),
        to_marked_html(answer, about.result, about.spans, about.numbers),
    )


@pytest.mark.parametrize(
    ("source", "answer", "lost", "invented"),
    [
        ("共3万幅，误差12.5，编号112.5", "30,000 images, error 7, number 112.5", ["12.5"], ["7"]),
        ("温度为3~5万度的范围内", "The temperature lies in a certain range", ["3~5万"], []),
        ("取１２组样品与①号方案比较", "We compare some samples with a plan", ["１２", "①"], []),
        ("2 0 1 7 年以后的观测资料", "The observations since 1999 are shown", ["2 0 1 7"], ["1999"]),
        ("面积为10⁴平方米的区域", "An area of a certain size is studied", ["10", "⁴"], []),
        ("在$T = 12$时共有12组样品", "There are groups of samples at $T = 12$", ["12"], []),
        ("比例为1／3左右的样品", "A share of the samples was analysed", ["1／3"], []),
    ],
)
def test_numbers_are_marked_where_they_stand_however_they_are_written(
    source: str, answer: str, lost: list[str], invented: list[str]
) -> None:
    shown = [re.findall(r"<mark [^>]*>([^<]*)", side) for side in marked(source, answer)]
    assert all(any(number in mark for mark in shown[0]) for number in lost), shown
    assert all(any(number in mark for mark in shown[1]) for number in invented), shown
    assert len(shown[0]) == len(lost)


def test_a_number_is_marked_in_its_own_field_alone() -> None:
    detail = 'In "abstract" numbers of the source are missing or changed: 3万, 12.5. '
    detail += 'In "title" numbers stand that the source has not: 7.'
    assert found(check("numbers", detail)) == {"source": ["3万", "12.5"]}
    assert found(check("numbers", detail), field="title") == {"numbers": ["7"]}


def test_what_a_check_says_of_a_whole_text_is_told_beside_it() -> None:
    detail = (
        'In "keywords/3" the text is empty. In "title" the translation is much too short: a part is missing.'
    )
    about = findings([check("length", detail)], Paper(id="p"), full_text=False)
    assert {name: each.whole for name, each in about.items() if each.whole} == {
        "title": ("length",), "keywords": ("length",)
    }  # fmt: skip


def test_words_left_untranslated_are_marked_in_the_translation() -> None:
    seen = found(check("source_script", 'In "abstract" “的研究”, “方法” is left untranslated.'))
    assert seen == {"result": ["的研究", "方法"]}


def test_a_lost_placeholder_marks_its_formula() -> None:
    paper = Paper(id="p", title="关于$a$的研究", abstract="在$b$与$c$下", language="zh")
    detail = 'In "abstract" each placeholder must stand exactly once: ⟦3⟧ missing.'
    assert found(check("placeholders", detail), paper=paper) == {"spans": ["$c$"]}
    assert '<mark data-check="placeholders" title="placeholders"><math' in to_marked_html(
        paper.abstract, (), [Mark("$c$", "placeholders")]
    )


def test_a_check_that_passed_marks_nothing() -> None:
    passed = Check(name="source_script", verdict="pass", detail="“的”")
    assert found(passed) == {}


@pytest.mark.parametrize("piece", ["$", r"\begin{", "<", "[", "{", "“", "⟦1⟧", "1,", "的"])
def test_a_flood_of_anything_is_written_in_linear_time(piece: str) -> None:
    def look(text: str) -> None:
        checks = [check("numbers", text), check("echo", text), check("mathematics", text)]
        findings(checks, Paper(id="p"), full_text=False)

    assert_linear(repeated(piece), look)
    marks = [Mark("1", "numbers"), Mark("的", "echo")]
    assert_linear(repeated(piece), lambda text: to_marked_html(text, marks, (), marks))


def test_formulas_that_are_masked_together_are_drawn_one_by_one() -> None:
    html = to_marked_html(r"$6 0 \%$ \~$7 0 \%$")
    assert (html.count("<math"), html.count("$")) == (2, 0)
