"""What of a body is sent, what is kept and by which rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.tasks.translation.masking.masking import unmask
from handlers.tasks.translation.passages.body_segments import plan_body
from handlers.tasks.translation.passages.passages import passages
from tests.builders.bodies import SCRAPS, samples

bodies = st.lists(st.sampled_from(SCRAPS), max_size=24).map("".join)


@given(bodies, st.sampled_from(["zh", "en", "ru"]))
def test_segments_are_disjoint_in_order_and_each_in_one_passage(text: str, language: str) -> None:
    plan = plan_body(text, language)
    at = 0
    for number, segment in plan.segments:
        block = plan.blocks[number]
        assert at <= segment.start < segment.end
        assert block.inner <= segment.start and segment.end <= block.inner_end
        assert not plan.kept[number]
        assert unmask(segment.masked.text, segment.masked.spans) == text[segment.start : segment.end]
        at = segment.end
    asked = [segment.key for passage in passages(plan.sent) for segment in passage.segments]
    assert asked == [segment.key for segment in plan.sent]
    assert len({segment.key for _, segment in plan.segments}) == len(plan.segments)
    assert all(
        bool(rule) != any(n == number for n, _ in plan.segments) for number, rule in enumerate(plan.kept)
    )


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("$$ x $$", "mathematics"),
        ("\\begin{equation}x\\end{equation}", "mathematics"),
        ("![图](a.png)", "image"),
        ("```\n代码\n```", "code"),
        ("<table><tr><td>1</td><td>2.5</td></tr></table>", "table"),
        ("Abstract: nothing to be translated", "other_language"),
        ("$x$ = $y$ [1-3]", "other_language"),
        ("# 参考文献\n\n[1] 王三. 水温[J]. 水科学, 2010.", "reference"),
        ("# 参考文献\n\n1. 玻恩. 晶格动力学理论. 北京, 1989.", "reference"),
        ("参考文献：\n[1] 王三. 水温[J]. 水科学, 2010.", "reference"),
        ("水温降低。参考文献：\n\n[1] 王三. 水温. 2010.", "reference"),
        ("水温降低。 参考文献: [1] 王三. 水温. 2010.", "reference"),
        ("水温降低。\nReferences:[1] 王三. 水温. 2010.", "reference"),
        ("水温降低\n参考文献：\n[1] 王三. 水温. 2010.", "reference"),
        ("<div align=center>", "other_language"),
    ],
)
def test_a_block_is_kept_by_a_rule_that_has_a_name(text: str, rule: str) -> None:
    assert plan_body(text, "zh").kept[-1] == rule
    assert plan_body(text, "zh").coverage.kept[rule] == 1


def test_an_empty_or_blank_body_has_nothing() -> None:
    for text in ("", "\n \n", "\u3000"):
        assert plan_body(text, "zh").coverage.model_dump() == plan_body("", "zh").coverage.model_dump()
        assert not plan_body(text, "zh").blocks


def test_cells_with_words_are_segments_and_equal_ones_are_sent_once() -> None:
    html = "<table><tr><td rowspan=2>样地</td><td>4.06</td></tr><tr><td>样地<td>1<V≤2 组</table>"
    text = html + "\n\n|样地|b|\n|-|-|\n|a\\|组|样地|"
    plan = plan_body(text, "zh")
    assert [(s.key, text[s.start : s.end], s.same_as) for _, s in plan.segments] == [
        ("body/0/0", "样地", ""),
        ("body/0/2", "样地", "body/0/0"),
        ("body/0/3", "1<V≤2 组", ""),
        ("body/1/0", "样地", "body/0/0"),
        ("body/1/2", "a\\|组", ""),
        ("body/1/3", "样地", "body/0/0"),
    ]
    assert plan.notes == {"half_table": 1}


def test_paragraphs_and_headings_of_one_cell_are_texts_of_their_own() -> None:
    text = "<table><tr><td># 甲\n\n## 乙\r\n丙\n \t\n丁</td><td>\n#1 戊</td></tr></table>"
    found = [text[segment.start : segment.end] for _, segment in plan_body(text, "zh").segments]
    assert found == ["甲", "乙\r\n丙", "丁", "#1 戊"]


@pytest.mark.parametrize("within", ["水温变化", "# 结果", "表1 水温\n\n又一段", "x = y\n\n水温"])
@pytest.mark.parametrize(
    ("opened", "closed"), [("$$", "$$"), ("\\[", "\\]"), ("\\begin{align}", "\\end{align}")]
)
def test_a_formula_without_an_end_does_not_keep_the_prose_up_to_the_next(
    opened: str, closed: str, within: str
) -> None:
    text = f"{opened}\nx\n\n{within}\n\n{opened if opened == '$$' else 'z'}\ny\n{closed}\n"
    plan = plan_body(text, "zh")
    han = [letter for letter in text if letter >= "\u4e00"]
    assert [each for s in plan.sent for each in text[s.start : s.end] if each >= "\u4e00"] == han
    text = f"{opened}\nx\n# 结果\ny\n{closed}\n"
    assert "heading" in [block.kind for block in plan_body(text, "zh").blocks]
    whole = f"{opened}\nx &= \\text{{水温}}\n\n\\text{{若}} y\n{closed}"
    assert plan_body(whole, "zh").kept == ("mathematics",)


def test_a_stray_dollar_costs_its_own_segment_alone() -> None:
    plan = plan_body("取 x$ 的固定值。\n\n其中 $x$ 为位移，$y$ 为时间。", "zh")
    assert [s.masked.spans for _, s in plan.segments] == [("$",), ("$x$", "$y$")]
    assert plan.notes == {"odd_dollars": 1}


def test_what_is_odd_in_the_samples_is_counted() -> None:
    text, language = samples()["river"]
    coverage = plan_body(text, language).coverage
    assert coverage.notes == {"half_table": 1, "odd_dollars": 1}
    assert coverage.kept == {"image": 1, "mathematics": 2, "other_language": 3, "reference": 4, "table": 1}


def test_a_long_block_is_cut_at_sentences_and_never_through_a_formula() -> None:
    formula = "$" + "x + " * 60 + "y$"
    text = f"河流的水温随着季节变化。其中{formula}为位移。" * 60
    plan = plan_body(text, "zh")
    pieces = [text[s.start : s.end] for _, s in plan.segments]
    assert "".join(pieces) == text
    assert len(pieces) > 1
    assert all(piece.endswith("。") for piece in pieces)
    assert [s.key for _, s in plan.segments] == [f"body/0/{n}" for n in range(len(pieces))]


def test_a_heading_in_its_first_entry_s_line_is_translated_and_the_prose_before_it_too() -> None:
    plan = plan_body("水温见参考文献[1]。降低。参考文献:[1]王三. 水温. 2010.\n[2]李四. 2011.", "zh")
    assert [segment.masked.text for segment in plan.sent] == ["水温见参考文献⟦1⟧。降低。", "参考文献:"]
    assert plan.kept == ("", "", "reference", "reference")
