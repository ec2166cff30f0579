"""What a model thinks is never its answer: the last complete object counts, and no draft is published."""

from __future__ import annotations

import pytest

from handlers.tasks.translation.raw_answer import parse
from tests.unit.tasks.translation.reading.samples import DRAFT, GOOD, SOURCES, dump

D, A = dump(DRAFT), dump(GOOD)

ANSWERED = [
    f"<think>a draft: {D} hm</think>{A}",
    f"<thinking>{D}</thinking>\n```json\n{A}\n```",
    f"<reasoning>{D}</reasoning>{A}",
    f"[THINK]{D}[/THINK]{A}",
    f"◁think▷{D}◁/think▷{A}",
    f"<|begin_of_thought|>{D}<|end_of_thought|><|begin_of_solution|>{A}<|end_of_solution|>",
    f"<|channel|>analysis<|message|>{D}<|end|><|start|>assistant<|channel|>final<|message|>{A}",
    f"analysisWe need {D}assistantfinal{A}",
    f"Thinking Process:\n1. {D}\n2. Check.\n\n{A}",
    f"the opening tag is lost {D} </think>\n{A}",
    f"<think>a</think><think>{D}</think>{A}",
    f"<thinking>a<reflection>b</reflection>{D}</thinking>{A}",
    f"<musing>{D}</musing>{A}",
    f"&lt;think&gt;{D}&lt;/think&gt;{A}",
    f"{D}\nBetter, and final:\n{A}",
    f"{D}\nfinal: " + A.replace('\\"', '"'),
]
CUT_OFF = [
    f"<think>{D}",
    f"<think>{D}</think>",
    f"the opening tag is lost {D}</think>",
    f"<think>a</think>{D}<think>hm",
    f"[THINK]{D}",
    f"◁think▷{D}",
    f"<musing>a draft {D} and so",
    f"<|channel|>analysis<|message|>{D}",
    f"analysisWe need {D} so",
    f"Thinking Process: {D} and so on",
    f"{D}\nWait, I should say it better.",
    f"{D}\nfinal: {A[:60]}",
]


@pytest.mark.parametrize("content", ANSWERED)
def test_the_last_complete_object_after_the_thoughts_is_the_answer(content: str) -> None:
    assert parse(content, SOURCES).fields == GOOD


@pytest.mark.parametrize("content", CUT_OFF)
def test_thoughts_without_an_answer_publish_no_draft(content: str) -> None:
    assert parse(content, SOURCES).fields is None


def test_a_paper_may_write_about_thoughts() -> None:
    texts = {"title": "When </think> is missing: <think> tags, and what [THINK] does"}
    assert parse(f"<think>a</think>{dump(texts)}", {"title": "标签"}).fields == texts
