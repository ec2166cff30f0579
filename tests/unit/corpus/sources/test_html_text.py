"""HTML in plain fields is read as the text that it means, and mathematics stays."""

from __future__ import annotations

import pytest

from handlers.corpus.sources.html_text import html_as_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>本文研究&lt;i&gt;E. coli&lt;/i&gt;的耐药性。</p>", " 本文研究E. coli的耐药性。 "),
        ("&amp;amp;lt;", "<"),
        ("a&nbsp;b&mdash;c", "a\xa0b—c"),
        ('<span style="x: y">a</span><font size=3>b</font>', "ab"),
        ('<a href="http://x?a=1&b=2">link</a>', "link"),
        ("H<sub>2</sub>O, <sup>13</sup>C, 10<sup>−3</sup>", "H₂O, ¹³C, 10⁻³"),
        ("v<sub>max</sub>", "v<sub>max</sub>"),
        ("p<0.05 and a<b and c>d", "p<0.05 and a<b and c>d"),
        ("a<b>c", "a<b>c"),
        ("$a<b>c</b>$ <b>d</b>", "$a<b>c</b>$ d"),
        ("<JATS:P>a</JATS:P>", " a "),
        ("&#0;&#55296;&nosuch;&", "  &nosuch;&"),
        ("AT&T", "AT&T"),
    ],
)
def test_html_is_read_as_text(html: str, text: str) -> None:
    assert html_as_text(html) == text
