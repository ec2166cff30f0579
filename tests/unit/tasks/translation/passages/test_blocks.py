"""A body cut into blocks: nothing is lost or read twice, and what begins where is what Markdown says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.tasks.translation.passages.blocks import blocks
from tests.builders.bodies import SCRAPS, samples
from tests.builders.body_figures import begin_of
from tests.builders.markdown_oracle import begins

bodies = st.lists(st.sampled_from(SCRAPS), max_size=24).map("".join)


@given(bodies)
def test_blocks_and_the_white_space_between_them_are_the_text(text: str) -> None:
    at = 0
    for block in blocks(text):
        assert not text[at : block.start].strip()
        assert at <= block.start <= block.inner <= block.inner_end <= block.end
        assert block.start < block.end
        at = block.end
    assert not text[at:].strip()


@given(bodies)
def test_a_block_by_itself_is_read_as_it_is_within_the_body(text: str) -> None:
    """So the blocks of a translation are those of its source."""
    for block in blocks(text):
        if block.kind in ("heading", "mathematics", "environment", "code", "image", "html_table"):
            (alone,) = blocks(text[block.start : block.end])
            assert (alone.kind, alone.level) == (block.kind, block.level)


@pytest.mark.parametrize("name", samples())
def test_headings_formulas_and_tables_begin_where_another_reader_sees_them(name: str) -> None:
    text, _ = samples()[name]
    ours = {pair for block in blocks(text) if (pair := begin_of(text, block))}
    assert begins(text) <= ours
    # LaTeX's own marks over blank lines and behind a line of text are more than the other knows.
    assert {text[place] for _, place in ours - begins(text)} <= {"\\"}


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("# 一\n二", "heading paragraph"),
        ("#一\n二", "paragraph"),
        ("一\n# 二\n三", "paragraph heading paragraph"),
        ("$$\nx\n\ny\n$$", "mathematics"),
        ("$$\nx\n", "paragraph"),
        ("$$ x $$ (3)，\n一", "mathematics paragraph"),
        ("$$ x $$ 是位移", "paragraph"),
        ("其中 $$\nx\n$$ 是位移，而\n$$\ny\n$$", "paragraph mathematics"),
        ("$$\n这里是很长的一段正文而不是公式\n$$", "paragraph"),
        ("\\[\nx\n\\]\n一", "mathematics paragraph"),
        ("\\begin{align}\nx\n\n\\begin{split}y\\end{split}\n\\end{align}", "environment"),
        ("\\begin{theorem}\n设有一列\n\\end{theorem}", "paragraph"),
        ("\\begin{align}\nx\n一", "paragraph"),
        ("```\n# 一\n\n$$\n```\n二", "code paragraph"),
        ("````\n```\n````", "code"),
        ("```\n# 一\n", "paragraph heading"),
        ("<pre>\n# 一\n</pre>\n<!-- 二\n\n三 -->", "code code"),
        ("<!-- 二\n\n# 三", "paragraph heading"),
        ("<table><tr><td>一</table><table></table>二", "html_table html_table paragraph"),
        ("<table><tr><td>一\n\n二", "paragraph paragraph"),
        ("<table><td><table><td>一</table>二</table>\n三", "html_table paragraph"),
        ("| a | b |\n|--|:-:|\n| 一 | 二 |\n三", "pipe_table paragraph"),
        ("a | b\n一", "paragraph"),
        ("![](a.png)  \n图1 一\nFig. 1 two", "image caption caption"),
        ("如\n图1所示", "paragraph"),
        ("![](a.png) 图1", "paragraph"),
        ("- 一\n  二\n- 三\n1. 四", "list_item list_item list_item"),
        ("在\n1995. 那年", "paragraph"),
        ("> 一\n> 二\n三", "quote quote paragraph"),
        ("[1] 一\n[2] 二", "item item"),
        ("见文献\n[1] 所述", "paragraph"),
        ("【参考文献】\n[1] 一\n[2] 二", "paragraph item item"),
        ("<div align=center>\n图1 一\n</div>", "rule caption rule"),
        ("<b>一</b>\n二", "paragraph"),
        ("一  \n二\\\n三\n四", "paragraph paragraph paragraph"),
        ("设 $a  \n+b$ 为和", "paragraph"),
        ("一\n====\n二\n---\n\n* * *", "paragraph rule paragraph rule rule"),
        ("一\r\n\r\n# 二\r三", "paragraph heading paragraph"),
        ("\u3000\u3000一\n\u3000\n\u3000\u3000二", "paragraph paragraph"),
        ("", ""),
        (" \n\t\r\n", ""),
    ],
)
def test_what_a_line_begins(text: str, kinds: str) -> None:
    assert " ".join(block.kind for block in blocks(text)) == kinds


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("## 一 二 ##", "一 二"),
        ("> > - 一", "一"),
        ("1. # 一", "一"),
        ("- [x] 一", "一"),
        ("[^a]: 一", "一"),
        ("#一", "一"),
        ("一\\\n二", "一"),
        ("# #", ""),
    ],
)
def test_marks_are_no_part_of_a_block_s_own_text(text: str, inner: str) -> None:
    block = blocks(text)[0]
    assert text[block.inner : block.inner_end] == inner


def test_a_stray_mark_ends_a_construct_within_its_bound() -> None:
    far = "\n\n".join(["一"] * 60)
    assert all(block.kind == "paragraph" for block in blocks(f"$$\n{far}\n$$"))
    assert all(block.kind == "paragraph" for block in blocks("```\n" + "一\n\n" * 250 + "```"))
