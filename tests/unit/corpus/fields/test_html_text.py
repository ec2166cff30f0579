"""HTML in plain fields is read as the text that it means, and mathematics stays."""

from __future__ import annotations

import pytest

from handlers.corpus.fields.html_text import entities_as_characters, html_as_text
from tests.builders.growth import assert_linear, repeated


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>本文研究&lt;i&gt;E. coli&lt;/i&gt;的耐药性。</p>", "\n本文研究E. coli的耐药性。\n"),
        ("&amp;amp;lt;", "<"),
        ("a&nbsp;b&mdash;c", "a\xa0b—c"),
        ('<span style="x: y">a</span><font size=3>b</font>', "ab"),
        ('<a href="http://x?a=1&b=2">link</a>', "link"),
        ("H<sub>2</sub>O, <sup>13</sup>C, 10<sup>−3</sup>", "H₂O, ¹³C, 10⁻³"),
        ("v<sub>max</sub>", "v<sub>max</sub>"),
        ("p<0.05 and a<b and c>d", "p<0.05 and a<b and c>d"),
        ("a<b>c", "a<b>c"),
        ("$a<b>c</b>$ <b>d</b>", "$a<b>c</b>$ d"),
        ("<JATS:P>a</JATS:P>", "\na\n"),
        (
            "<jats:title>Abstract</jats:title><jats:p>One\n  two.</jats:p><jats:p>Three.</jats:p>",
            "\nOne two.\nThree.\n",
        ),
        ("<jats:sub><jats:italic>i</jats:italic></jats:sub>", "<sub>i</sub>"),
        (
            "a <mml:math>\n<mml:mo>&lt;</mml:mo></mml:math> &lt; b",
            "a <mml:math>\n<mml:mo>&lt;</mml:mo></mml:math> < b",
        ),
        ("&lt;math&gt;&amp;lt;&lt;/math&gt;", "<math>&lt;</math>"),
        ("<jats:tex-math>$&lt;i&gt;$</jats:tex-math>", "<jats:tex-math>$&lt;i&gt;$</jats:tex-math>"),
        ("<math>never closed <i>x</i>", "<math>never closed x"),
        ("line\n\nbreaks <i>stay</i>", "line\n\nbreaks stay"),
        ("&#146;&#x93;", "’“"),
        ("&#0;&#55296;&nosuch;&", "  &nosuch;&"),
        ("AT&T", "AT&T"),
    ],
)
def test_html_is_read_as_text(html: str, text: str) -> None:
    assert html_as_text(html) == text


@pytest.mark.parametrize(
    "piece", ["<", "&", "<math>", "</math>", "<p ", "<sub>", "$", "<!--", "&amp;", "<jats:title>"]
)
def test_a_flood_of_anything_is_read_in_linear_time(piece: str) -> None:
    assert_linear(repeated(piece), html_as_text)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("P&lt;0.05，37&#8451;", "P<0.05，37℃"),
        ("P&amp;lt;0.05", "P<0.05"),
        ("<jats:p>a &lt; b &amp;alpha;</jats:p>", "<jats:p>a < b α</jats:p>"),
        ("CO&lt;sub&gt;2&lt;/sub&gt; &amp; P&lt;0.05", "CO&lt;sub&gt;2&lt;/sub&gt; &amp; P&lt;0.05"),
        ("<mml:math><mml:mo>&lt;</mml:mo></mml:math> &beta;", "<mml:math><mml:mo>&lt;</mml:mo></mml:math> β"),
    ],
)
def test_of_a_text_that_somebody_prepared_entities_alone_are_read(html: str, text: str) -> None:
    assert entities_as_characters(html) == text
