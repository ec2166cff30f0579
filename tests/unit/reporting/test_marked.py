"""Texts of papers and models as HTML: escaped, drawn, marked."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.models import Check, Paper
from handlers.reporting.findings import Mark, findings
from handlers.reporting.marked import to_marked_html
from tests.growth import assert_linear, repeated


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


def marks(*checks: Check, paper: Paper | None = None) -> tuple[list[str], list[str], list[str]]:
    found = findings(checks, paper or Paper(id="p", title="题目", language="zh"), full_text=False)
    return (
        [mark.text for mark in found.source],
        [mark.text for mark in found.result],
        [mark.text for mark in found.spans],
    )


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
    assert seen.attributes <= {"data-check", "class", "display", "mathvariant", "stretchy"}


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


def test_numbers_that_the_gate_missed_are_marked_in_the_source() -> None:
    detail = (
        'In "abstract" numbers of the source are missing or changed: 3万, 12.5. '
        'In "title" numbers stand that the source has not: 7.'
    )
    source, result, _ = marks(check("numbers", detail))
    assert source == ["3万", "12.5"]
    assert result == ["7"]
    html = to_marked_html("共3万幅，误差12.5，而非112.5", [Mark(text, "numbers") for text in source])
    assert html.count('<mark data-check="numbers">') == 2
    assert "112.5" in html


def test_words_left_untranslated_are_marked_in_the_translation() -> None:
    _, result, _ = marks(check("source_script", 'In "abstract" “的研究”, “方法” is left untranslated.'))
    assert result == ["的研究", "方法"]


def test_a_lost_placeholder_marks_its_formula() -> None:
    paper = Paper(id="p", title="关于$a$的研究", abstract="在$b$与$c$下", language="zh")
    detail = 'In "abstract" each placeholder must stand exactly once: ⟦3⟧ missing.'
    _, _, spans = marks(check("placeholders", detail), paper=paper)
    assert spans == ["$c$"]
    assert '<mark data-check="placeholders"><math' in to_marked_html(
        paper.abstract, (), [Mark("$c$", "placeholders")]
    )


def test_a_check_that_passed_marks_nothing() -> None:
    passed = Check(name="source_script", verdict="pass", detail="“的”")
    assert marks(passed) == ([], [], [])


@pytest.mark.parametrize("piece", ["$", r"\begin{", "<", "[", "{", "“", "⟦1⟧", "1,", "的"])
def test_a_megabyte_of_anything_is_written_in_linear_time(piece: str) -> None:
    def look(text: str) -> None:
        checks = [check("numbers", text), check("echo", text), check("mathematics", text)]
        findings(checks, Paper(id="p"), full_text=False)

    assert_linear(repeated(piece), look)
    assert_linear(
        repeated(piece), lambda text: to_marked_html(text, [Mark("1", "numbers"), Mark("的", "echo")])
    )
