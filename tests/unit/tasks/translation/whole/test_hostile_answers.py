"""Whatever a body is made of and whatever is answered: done means the source's structure."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.domain.call import ChatAnswer, ChatRequest
from handlers.domain.paper import Paper
from handlers.domain.result import PassageResult
from handlers.tasks.translation.passages.blocks import blocks
from handlers.tasks.translation.passages.table_cells import cell_marks
from handlers.tasks.translation.translate import TranslateTask
from tests.builders.bodies import SCRAPS, glossed
from tests.builders.growth import assert_linear, repeated
from tests.builders.whole_papers import WholeRun, run_whole, whole_spec

SMUGGLED = (
    *(
        "# ",
        "## T\n",
        "\n\n",
        "\n# x\n",
        "| a ",
        "|",
        "\\",
        "</td>",
        "<td>",
        "<tr>",
        "</table>",
        "<b>",
        "> q",
    ),
    *(
        "<img src=x onerror=alert(1)>",
        "<script>",
        "<!--",
        "-->",
        "⟦1⟧",
        "⟦9⟧",
        "⟦",
        "$$",
        "$x$",
        "\\[",
        "\\]",
    ),
    *(
        "```",
        "~~~\n",
        "- ",
        "1. ",
        "![a](b)",
        "[a](http://x)",
        "\r",
        "\u2028",
        "\n---\n",
        "===",
        "[1] ",
        "Fig. 1 ",
    ),
    *("\\begin{align}", "References\n", "\t", "    code", "&lt;td&gt;", "\ud800", "\x00", '","title":"'),
)
bodies = st.builds(
    "".join, st.lists(st.one_of(st.sampled_from(SCRAPS), st.just("\n\n")), min_size=1, max_size=20)
)
faults = st.lists(st.tuples(st.sampled_from(SMUGGLED), st.floats(0, 1)), max_size=6)


def spoiled_run(body: str, faults: list[tuple[str, float]]) -> WholeRun:
    """Each text with the next fault put in somewhere."""
    told = 0

    def spoiled(text: str) -> str:
        nonlocal told
        told += 1
        scrap, place = faults[told % len(faults)] if faults else ("", 0.0)
        at = round(place * len(text))
        return text[:at] + scrap + text[at:]

    def ask(request: ChatRequest) -> ChatAnswer:
        asked = json.loads(request.messages[1].content)["segments"]
        texts = {key: spoiled(glossed(text)) for key, text in asked.items()}
        return ChatAnswer(content=json.dumps(texts, ensure_ascii=False), finish_reason="stop")

    paper = Paper(id="p", title="水温", abstract="水温。", body=body, language="zh")
    return run_whole(TranslateTask(whole_spec()), paper, ask)


def structure(text: str) -> list[object]:
    found: list[object] = []
    for block in blocks(text):
        if block.kind in ("html_table", "pipe_table"):
            found.append((block.kind, cell_marks(text, block)))
        elif block.kind in ("mathematics", "environment", "image", "code"):
            found.append(text[block.start : block.end])
        elif block.kind == "heading":
            found.append(block.level)
    return found


@pytest.mark.slow
@settings(max_examples=400)
@given(bodies, faults)
def test_a_paper_that_is_done_has_its_source_s_structure(body: str, faults: list[tuple[str, float]]) -> None:
    assert_sound(body, spoiled_run(body, faults))


@pytest.mark.slow
@pytest.mark.parametrize("scrap", SMUGGLED)
@pytest.mark.parametrize("place", [0.0, 1.0])
def test_what_is_smuggled_into_every_text_changes_no_structure(scrap: str, place: float) -> None:
    assert_nothing_smuggled([(scrap, place)])


@pytest.mark.parametrize("place", [0.0, 1.0])
def test_what_is_smuggled_into_some_texts_changes_no_structure(place: float) -> None:
    assert_nothing_smuggled([(scrap, place) for scrap in SMUGGLED])


def assert_nothing_smuggled(faults: list[tuple[str, float]]) -> None:
    body = "# 引言\n\n水温 $T$。\n\n|甲|乙|\n|-|-|\n|1|丙|\n\n<table><td>丁</td></table>\n\n- 戊\n"
    run = spoiled_run(body, faults)
    assert_sound(body, run)
    joined = run.result.fields.get("body", body)
    assert structure(joined) == structure(body)
    for sign in ("<script", "<img", "<!--", "![", "](", "<td>", "</td>", "$", "⟦"):
        assert joined.count(sign) <= body.count(sign)


def assert_sound(body: str, run: WholeRun) -> None:
    result, coverage = run.result, run.result.coverage
    assert coverage is not None
    sent = sum(
        len(each.texts) + len(set(each.flagged) - each.texts.keys())
        for key, each in run.results.items()
        if key != "head"
    )
    assert coverage.translated + len(coverage.flagged) + len(coverage.failed) >= sent
    joined = result.fields.get("body", body)
    assert list(result.ends) == sorted(result.ends) and (not result.ends or result.ends[-1] <= len(joined))
    if result.status == "done":
        assert structure(joined) == structure(body)
        assert not any(Counter({"⟦": joined.count("⟦")}) - Counter({"⟦": body.count("⟦")}))
    elif structure(joined) != structure(body):
        assert "structure" in [check.name for check in result.checks if check.verdict == "fail"]


UNITS = (
    "热导率，",
    "# 标题\n\n热导率。\n\n",
    "$x$热。",
    "<table><tr><td>热导</td></tr></table>\n\n",
    "|甲|\n|-|\n|乙|\n\n",
    "⟦1⟧热\n\n",
)


@pytest.mark.parametrize("unit", UNITS)
def test_a_body_is_cut_asked_and_joined_in_linear_time(unit: str) -> None:
    def whole(body: str) -> None:
        task = TranslateTask(whole_spec())
        paper = Paper(id="p", title="水温", abstract="水温。", keywords=("热导率",), body=body, language="zh")
        works = task.rest(paper, {"热导率": "heat flow"})
        for _ in task.requests(paper):
            pass
        texts = {"status": "done", "texts": {}}
        task.result(paper, {w.key: PassageResult.model_validate({"key": w.key, **texts}) for w in works})

    assert_linear(repeated(unit), whole, size=100_000)
