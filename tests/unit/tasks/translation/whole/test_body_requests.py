"""What a body asks: the same bytes wherever and whenever, for users have paid for them."""

from __future__ import annotations

import json

import pytest

from handlers.domain.paper import Paper
from handlers.domain.value import sha256_of
from handlers.tasks.translation.passages import BODY_VERSION
from handlers.tasks.translation.prompt import system_prompt
from handlers.tasks.translation.translate import TranslateTask
from tests.builders.bodies import said_under_other_seeds
from tests.builders.whole_papers import first_requests, request_digests, sample_papers, whole_spec

GOLDEN = {"1": "94eb16bedba8fe72a64e9c2e72c6d02f0e9081df34e70f46db82e38f3fa658e2"}
"""By ``BODY_VERSION``, of all requests of three bodies: one that changes without its version would have every
body paid for again."""
BODY = "# 引言\n\n河流的水温 $T$ 随季节变化。\n\n## 方法\n\n" + "测定了断面的水温与郁闭度 $C$，见[3]。" * 60
PAPER = Paper(id="p", title="水温 $T_w$ 的研究", abstract="本文研究水温。", body=BODY, language="zh")


def user_messages(paper: Paper, frame: dict[str, str], **settings: object) -> list[dict[str, object]]:
    works = TranslateTask(whole_spec(**settings)).rest(paper, frame)
    return [json.loads(request.messages[1].content) for work in works for request in first_requests(work)]


def test_requests_of_a_version_never_change() -> None:
    assert sha256_of(request_digests()) == GOLDEN[BODY_VERSION]


@pytest.mark.slow
def test_neither_a_hash_s_seed_nor_the_process_changes_a_request() -> None:
    said = said_under_other_seeds("tests.builders.whole_papers", "request_digests")
    assert said == {f"{request_digests()}\n"}


def test_a_head_asks_what_an_abstracts_run_asks() -> None:
    for paper in (*sample_papers(), PAPER):
        head = next(iter(TranslateTask(whole_spec()).first(paper)))
        alone = TranslateTask(whole_spec(full_text=False, body_version=None))
        bare = paper.model_copy(update={"body": None})
        assert [each.digest for each in first_requests(head)] == [alone.first_request(bare).digest]
        assert (
            alone.fingerprint(paper)
            == alone.fingerprint(bare)
            == TranslateTask(whole_spec()).fingerprint(bare)
        )


def test_the_body_s_prompt_begins_with_the_abstracts_byte_for_byte() -> None:
    for target in ("en", "de", "xx"):
        begin, _, rules = system_prompt(target, body=True).partition("9. ")
        assert begin == system_prompt(target)
        assert [line.split(".")[0] for line in rules.splitlines()[1:]] == ["10", "11"]


def test_what_stands_beside_a_passage_is_context_in_a_fixed_order() -> None:
    first, *_, last = user_messages(PAPER, {"水温": "water temperature", "季节": "season"})
    assert list(first) == ["target_language", "paper", "glossary", "segments"]
    assert list(last) == ["target_language", "paper", "section", "before", "glossary", "segments"]
    assert (last["paper"], last["section"]) == ("水温 … 的研究", "方法")
    assert (
        str(last["before"]).endswith("测定了断面的水温与郁闭度 …，见…。") and len(str(last["before"])) == 200
    )
    assert last["glossary"] == {"水温": "water temperature"}


def test_the_run_s_terms_go_before_the_frame_s() -> None:
    glossary = {"断面的水温": "section's temperature", "郁闭度": "closure"}
    last = user_messages(PAPER, {"郁闭度": "density", "水温": "temperature"}, glossary=glossary)[-1]
    assert last["glossary"] == glossary


def test_no_placeholder_of_another_text_stands_in_the_context() -> None:
    paper = PAPER.model_copy(update={"title": "⟦1⟧水温", "body": f"# ⟦2⟧引言\n\n{BODY}"})
    for message in user_messages(paper, {}):
        for name in ("paper", "section", "before"):
            assert "⟦" not in str(message.get(name, ""))
