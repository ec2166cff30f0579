"""A body of anything is cut in time that grows with its length."""

from __future__ import annotations

import time

import pytest

from handlers.tasks.translation.passages.body_segments import plan_body
from handlers.tasks.translation.passages.joined_body import join_body
from handlers.tasks.translation.passages.passages import passages
from tests.builders.growth import assert_linear, repeated

UNITS = (
    *(
        "$$\n",
        "$$a\n",
        "$$ 中文中文中文中文\n",
        "\\[\n",
        "\\[a\n",
        "\\begin{align}\n",
        "\\begin{align}x\\end{align}\n",
    ),
    *(
        "\\end{align}\n\\begin{a}\n",
        "```\n",
        "```a\n",
        "````a\n```\n",
        "~~~\n",
        "<table>",
        "<table>\n",
        "</table>\n",
    ),
    *(
        "<table><tr><td>中</td></table>",
        "<td>中",
        "<td ",
        "<!--\n",
        "<pre>\n",
        "</pre>\n",
        "<html><body><div>",
    ),
    *(
        "# 标题\n",
        "#",
        "- 中\n",
        "1. 中\n",
        "> ",
        "> 中\n",
        ">>>>\n",
        "|\n",
        "|a|\n|-|\n",
        "|-",
        "中|",
        "![](a) ",
        "![",
    ),
    *(
        "[1] 中文[J] 2010.\n",
        "[1]",
        "图1 中  \n",
        "中\\\n",
        "中。",
        "$中$",
        "\\$",
        "\r",
        "---\n",
        "- - ",
        "参考文献\n",
    ),
    *(
        "<b>\n",
        "<a ",
        "<a>\n<a ",
        "参考文献\n[1] 中\n",
        "参考文献:[1] 中\n",
        "中。参考文献：[1]",
        "中。参考文献 ",
        "⟦1⟧中",
        "\\",
        "第1章  \n$ a\n",
        "[^1]: 中\n",
        "\\begin{verbatim}\n",
        "<script>\n",
        "[ ] ",
    ),
)


def cut(text: str) -> None:
    plan = plan_body(text, "zh")
    list(passages(plan.sent))
    join_body(text, plan, {})


def test_many_openers_and_no_end_among_them_cost_next_to_nothing() -> None:
    before = time.thread_time()
    for unit in ("$$\n", "```a\n", "<table>", "<!--\n", "\\begin{align}\n"):
        cut(unit * (2_000 // len(unit)))
    assert time.thread_time() - before < 1.0


@pytest.mark.slow
@pytest.mark.parametrize("unit", UNITS)
def test_a_body_takes_time_in_proportion_to_its_length(unit: str) -> None:
    assert_linear(repeated(unit), cut, size=400_000)
