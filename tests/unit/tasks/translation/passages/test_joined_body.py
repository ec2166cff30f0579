"""A joined body has its source's structure, whatever stands in the translations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.tasks.translation.passages.blocks import blocks
from handlers.tasks.translation.passages.body_segments import plan_body
from handlers.tasks.translation.passages.joined_body import join_body
from tests.builders.bodies import SCRAPS, samples, translated
from tests.builders.body_checker import complaints, untranslated

bodies = st.lists(st.sampled_from(SCRAPS), max_size=24).map("".join)


@given(bodies)
def test_a_body_joined_from_its_own_texts_is_itself(text: str) -> None:
    plan = plan_body(text, "zh")
    copied = {segment.key: text[segment.start : segment.end] for segment in plan.sent}
    joined = join_body(text, plan, copied)
    assert joined.text.replace(" ", "") == text.replace(" ", "")
    assert len(joined.ends) == len(plan.blocks)


@pytest.mark.parametrize("name", samples())
def test_a_translated_sample_has_every_formula_heading_table_and_reference(name: str) -> None:
    text, language = samples()[name]
    plan = plan_body(text, language)
    joined = join_body(text, plan, translated(plan))
    assert complaints(text, joined.text) == []
    kept = [text[block.start : block.end] for block, rule in zip(plan.blocks, plan.kept, strict=True) if rule]
    assert all(part in joined.text for part in kept)
    if language == "zh":
        assert untranslated(text, joined.text, kept) == []
    assert [block.end for block in blocks(joined.text)] == list(joined.ends)


def test_equal_cells_have_the_translation_of_the_first() -> None:
    text = "<table><tr><td>样地</td><td>样地 </td></tr></table>"
    joined = join_body(text, plan_body(text, "zh"), {"body/0/0": "Plot"})
    assert joined.text == "<table><tr><td>Plot</td><td>Plot </td></tr></table>"


def test_pieces_of_a_long_text_do_not_run_together() -> None:
    text = "河流的水温随着季节变化。" * 400
    plan = plan_body(text, "zh")
    joined = join_body(text, plan, {segment.key: "It changes." for segment in plan.sent})
    assert joined.text == " ".join(["It changes."] * len(plan.sent))
    assert len(plan.sent) > 1


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda text: text.replace("$T _ { w }$", "$T_w$", 1), "formula"),
        (lambda text: text.replace("# 1 ", "## 1 ", 1), "heading"),
        (lambda text: text.replace("18.2", "18.3"), "table"),
        (lambda text: text.replace('colspan="2"', 'colspan="3"'), "table"),
        (lambda text: text.replace("map01", "map02"), "image"),
        (lambda text: text.replace("[1-3]", "[1-4]"), "citation"),
        (lambda text: text.replace("/data/river", "/data/rivers"), "link"),
        (lambda text: text.replace("\n\n式中", "\n式中"), "paragraphs"),
        (lambda text: text.replace("[J]", "[J].", 1), "reference"),
    ],
)
def test_the_checker_sees_damage(damage: object, complaint: str) -> None:
    text, _ = samples()["river"]
    damaged = damage(text)
    assert [found.split(":")[0] for found in complaints(text, damaged)] == [complaint]


def test_the_checker_sees_what_was_left_in_chinese_and_lets_a_bibliography_stand() -> None:
    text = "# 引言\n\n2015年夏季的水温。\n\n[1] 王三. 水温[J]. 水科学, 2010, 21(3): 300-306.\n"
    half = text.replace("引言", "Introduction")
    assert untranslated(text, half) == ["2015年夏季的水温。"]
    assert untranslated(text, half.replace("2015年夏季的水温。", "$T_{水}$ of 2015.")) == []
    run_on = "结论。参考文献:[1]王三. 水温[J]. 水科学, 2010."
    assert untranslated(run_on, run_on.replace("结论。参考文献", "It ends. References")) == []
    assert untranslated(run_on, run_on.replace("参考文献", "References")) != []
    assert untranslated(text, half.replace("水温[J]", "气温[J]")) == [
        "2015年夏季的水温。",
        "[1] 王三. 气温[J]. 水科学, 2010, 21(3): 300-306.",
    ]
