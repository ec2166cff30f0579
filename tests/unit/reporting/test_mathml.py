"""Formulas of strangers become MathML and nothing else."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.reporting.review.mathml import is_formula, to_mathml
from tests.builders.growth import assert_linear, repeated

_ELEMENT = re.compile(r"<(/?)(m[a-z]*)((?: [a-z]+=\"[A-Za-z0-9 .%+-]*\")*)>")
LATEX = st.text(alphabet=r"\{}$^_&<>\"'=()[]abxfrcsqtleih 01;#", max_size=60)


@pytest.mark.parametrize(
    ("formula", "inside"),
    [
        (r"$E = m c ^ { 2 }$", "<msup><mi>c</mi><mrow><mn>2</mn></mrow></msup>"),
        (r"$T = 8 7 3 \ \mathrm { K }$", "<mn>873</mn>"),
        (r"$$ \frac { a } { b } \tag { 1 } $$", 'display="block"'),
        (r"\(a < b\)", "<mo>&lt;</mo>"),
        (r"$\text {温度}$", "<mtext>温度</mtext>"),
        (r"$\textcircled{1} 2 0$", "<mi>①</mi><mn>20</mn>"),
        (r"$\textcircled { 10 }$", "<mi>⑩</mi>"),
        (r"$5 \mathrm { \textmu m }$", ">µ<"),
        (r"$3 \mathrm { ~ \AA ~ }$", ">Å<"),
        (r"$3 7 \mathrm { \textdegree } \mathrm { C }$", ">°<"),
        (r"$95%$", "<mn>95</mn><mi>%</mi>"),
        (r"$10 . 5 4 \%$", "<mn>10.54</mn><mi>%</mi>"),
        (r"$\mathrm{a%b}$", ">%<"),
        (r"$\left(\frac{1}{2}\middle]x\right)$", ">]<"),
        (r"$\left[ x \middle [ y \right]$", ">[<"),
        (r"$\left(x\middle| y\right)$", ">|<"),
        (r"$\bigl\{ x \bigr\}$", ">{<"),
        (r"$x \Big\Vert y$", ">‖<"),
        (r"$\left] 0, 1 \right[$", ">]<"),
        (r"$1 0 . 2 4 { \pm } 2 . 9 6 \$", "<mn>2.96</mn></mrow></math>"),
        (r"$^ \textrm { \scriptsize 1 h }$", "1\xa0h\xa0</mtext>"),
        (r"$x \text{ in 5 \% of \$}$", "in\xa05\xa0%\xa0of\xa0$</mtext>"),
    ],
)
def test_formulas_as_papers_have_them_are_drawn(formula: str, inside: str) -> None:
    assert is_formula(formula)
    assert inside in (to_mathml(formula) or "")


@pytest.mark.parametrize(
    "formula",
    [
        r"$\textcircled{P}$",
        r"$a ^ b ^ c$",
        r"$\frac$",
        "$" + "x" * 3000 + "$",
        r"$\middle]$",
        r"$\middle$",
        r"$\left(x\middle\foo y\right)$",
        r"$\left\foo x\right)$",
        r"$\left( x$",
        r"$x \right)$",
        r"$\foo{x}$",
        r"$\frac{1}$",
        r"$\sqrt[$",
        r"$\overset$",
        r"${x$",
        r"$x}$",
        r"$\frac{a}{b$",
        "$a % b\nc$",
        r"$a_$",
        r"$\Big\foo x$",
        r"$a & b$",
        r"$\begin{cases} 1 & x \end$",
        r"$\char$",
        r"$\textrm{\textsf{BS}}$",
        r"$\text{cost $x$ now}$",
        r"$a$ and $b$",
        r"$\hline$",
    ],
)
def test_what_cannot_be_drawn_faithfully_is_left_as_its_source(formula: str) -> None:
    assert to_mathml(formula) is None


@pytest.mark.parametrize(
    "formula",
    [
        r"$\text{<script>alert(1)</script>}$",
        r"$\text{&lt;img src=x onerror=alert(1)&gt;}$",
        r"$\href{javascript:alert(1)}{x}$",
        r'$\class{a" onclick="alert(1)}{y}$',
        r"$\style{background:url(//evil.example)}{y}$",
        r'$\color{red" onload="alert(1)}{y}$',
    ],
)
def test_hostile_formulas_keep_no_markup_link_style_or_handler(formula: str) -> None:
    made = to_mathml(formula) or ""
    assert "<script" not in made
    assert "<img" not in made
    for word in ("href", "class", "style=", "onclick", "onload", "mathcolor", "evil"):
        assert not re.search(rf"<[^>]*{word}", made)


@given(LATEX.map(lambda body: f"${body}$"))
def test_only_known_elements_and_harmless_attributes_come_out(formula: str) -> None:
    made = to_mathml(formula)
    if made is not None:
        ElementTree.fromstring(made)
        assert "<" not in _ELEMENT.sub("", made)


@pytest.mark.parametrize(
    "piece", ["{", r"\frac", r"\left(", "x_{", r"\begin{matrix}", r"\tag{", "1 ", "$", "<"]
)
def test_a_flood_of_anything_is_answered_in_linear_time(piece: str) -> None:
    assert_linear(lambda size: f"${repeated(piece)(size)}$", to_mathml)
    assert_linear(lambda size: f"${(piece * size)[:size]}$", to_mathml, size=1990)
