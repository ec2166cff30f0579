"""Bodies of papers as HTML: drawn, escaped, in linear time, with nothing out of sight."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.reporting.review.findings import Mark
from handlers.reporting.review.highlighting import Highlighter
from handlers.reporting.review.whole_text import LONGEST, side_by_side, to_whole_html
from tests.builders.growth import assert_linear, repeated

ALLOWED = re.compile(
    r"</?(?:p|h[3-6]|ul|ol|li|blockquote|table|thead|tbody|tr|th|td|em|strong|pre|code|br|hr|su[bp]|mark|math"
    r"|m[a-z]+|div|span|a)"
    r"(?: (?:class|title|aria-label|start|rel|href|colspan|rowspan|data-check|display|[a-z]+)=\"[^\"<>]*\")*>"
)


def drawn(text: str) -> str:
    return to_whole_html(text, Highlighter())


def words(html: str) -> str:
    """What a reader sees."""
    return unescape(ALLOWED.sub("", html))


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("# 引言\n\n文字", "<h3>引言</h3><p>文字</p>"),
        ("## Results", "<h4>Results</h4>"),
        ("- a\n- b", "<ul><li>a\n</li><li>b\n</li></ul>"),
        ("3. a\n4. b", '<ol start="3"><li>a\n</li><li>b\n</li></ol>'),
        ("**a** *b* `c<d`", "<p><strong>a</strong> <em>b</em> <code>c&lt;d</code></p>"),
        ("> a", "<blockquote><p>a</p></blockquote>"),
        ("a  \nb", "<p>a<br>b</p>"),
        ("    not code", "<p>not code</p>"),
        ("[a]: http://e.org/", "<p>[a]: http://e.org/</p>"),
        ("&lt;b&gt;", "<p>&amp;lt;b&amp;gt;</p>"),
        ("|a|b|\n|-|-:|\n|1|2|", '<tbody><tr><td>1</td><td class="right">2</td></tr></tbody>'),
        ("see [it](https://e.org/a?b=1&c)", '<a href="https://e.org/a?b=1&amp;c" rel='),
        ("![图1](images/a.jpg)", '<span class="image" title="images/a.jpg">Image: 图1 (images/a.jpg)</span>'),
        ("![](https://e.org/a.png)", 'rel="noopener noreferrer nofollow external">Image: https://e.org/a.png</a>'),
    ],
)  # fmt: skip
def test_markdown_is_drawn(text: str, html: str) -> None:
    assert html in drawn(text)


def test_formulas_are_drawn_wherever_they_stand() -> None:
    html = drawn("# Of $x^2$\n\n|$a|b$|\n|-|\n|$$\\frac a b$$|\n\n**$y$** and `$z$`")
    assert html.count("<math") == 4
    assert "<code>$z$</code>" in html
    assert "⟦" not in html


def test_tables_of_html_are_drawn_with_their_spans_and_nothing_else() -> None:
    html = drawn(
        'before\n\n<html><body><table><tr><td rowspan="2" onclick=x>A<sup>2</sup></td><td>$y$<img src=x></td>'
        "</tr><tr><TD colspan='999'>b<br>c</TD></tr>stray</table></body></html>\n\nafter"
    )
    assert html.startswith("<p>before</p><div ")
    assert 'tabindex="0"><table><tr><td rowspan="2">A<sup>2</sup></td>' in html
    assert "<td>b<br>c</td>" in html
    assert "&lt;img src=x&gt;" in html
    assert "stray" in html
    assert "html&gt;" not in html
    assert html.endswith("<p>after</p>")


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[x](javascript:alert(1))",
        "![x](javascript:alert(1))", "<javascript:alert(1)>", "[x](data:text/html,<script>)",
        '[x](https://e.org/" onmouseover="a)', "<table><tr><td><script>alert(1)</script></td></tr></table>",
        "<table><tr><td colspan=2 onclick=alert(1)>a</td></tr></table>", "```<script>\n</code></pre><b>\n```",
        "`</code><script>`", "&#60;script&#62;", "$\\text{<script>}$", "[<script>](https://e.org)",
        '<table onload="a"><tr></tr>', "x\n<svg/onload=a>\n", "[a](//evil.org)", "![<b>](<b>)",
        "</details></article>", "<!-- a -->", "[x](vbscript:a)",
    ],
)  # fmt: skip
def test_nothing_of_a_stranger_becomes_markup(text: str) -> None:
    rest = ALLOWED.sub("", drawn(text))
    assert not set("<>") & set(rest)
    assert not re.search(r'href="(?!https?://)|<[^>]* on[a-z]+=|<[^>]*style=', drawn(text))


@pytest.mark.parametrize(
    "text",
    [
        "> " * 60 + "SEEN", "- " * 60 + "SEEN", "".join("  " * n + "- x\n" for n in range(60)) + "SEEN",
        "```info SEEN\n```", "<table><tr>SEEN</tr></table>", "<table>SEEN", "<table><table>SEEN</table>",
        '[a]: http://e.org "SEEN"', "a\n\tSEEN", "<SEEN>", "<tr>SEEN</tr>", "x" * LONGEST + " SEEN",
    ],
)  # fmt: skip
def test_nothing_is_left_out_of_sight(text: str) -> None:
    assert "SEEN" in words(drawn(text))


@given(st.text(alphabet="ab 12#*_`-+>|$<td>/\n\t\\", max_size=60))
def test_every_letter_of_any_text_is_shown(text: str) -> None:
    html = drawn(text)
    if "<math" not in html and "<table" not in html:
        shown = words(html)
        assert [char for char in text if char in "ab"] == [char for char in shown if char in "ab"]


def test_findings_are_marked_in_headings_lists_and_tables() -> None:
    html = to_whole_html(
        "# At 12 K\n\n- 12 times $y$\n\n<table><tr><td>12</td></tr></table>",
        Highlighter((), (Mark("$y$", "mathematics"),), (Mark("12", "numbers"),)),
    )
    assert html.count('<mark data-check="numbers" title="numbers">') == 3
    assert '<mark data-check="mathematics" title="mathematics"><math' in html


def beside(source: str, result: str) -> list[tuple[str, str]]:
    rows = side_by_side((source, Highlighter()), (result, Highlighter()))
    return [(words(left), words(right)) for left, right in rows]


def test_blocks_stand_beside_each_other_and_sections_where_blocks_cannot() -> None:
    source = "一\n\n# 二\n\n三\n\n<table><tr><td>四</td></tr></table>\n\n# 五\n\n六\n\n七"
    result = "1\n\n# 2\n\n3\n\n<table><tr><td>4</td></tr></table>\n\n# 5\n\n6 7"
    assert beside(source, result) == [("一", "1"), ("二", "2"), ("三", "3"), ("四", "4"), ("五六七", "56 7")]
    assert beside("# 一\n\n# 二", "# 1") == [("一二", "1")]
    assert beside("一\n\n二", "") == [("一二", "")]
    assert beside("", "") == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    ["[", "![", "*_", "<table><td>", "<table></table>", "> - ", "a|b\n-|-\n", "`a", "$x$", "\\", "<", "[a]("],
)
def test_a_flood_of_anything_is_drawn_in_linear_time(piece: str) -> None:
    assert_linear(repeated(piece), drawn, size=60_000)
