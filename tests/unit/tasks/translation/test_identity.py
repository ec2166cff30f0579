"""What identifies a result: the requests as sent. Golden digests hold what users have paid for."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.domain.paper import Paper
from handlers.tasks.translation.identity import usual_tag
from handlers.tasks.translation.translate import TranslateTask
from tests.builders.values import spec

PAPER = Paper(
    id="p",
    title="样本的热导率 $\\kappa$",
    abstract="本文研究了样本的热导率,并与理论值进行了比较。",
    keywords=("热导率",),
    language="zh",
)
LONG = Paper(id="p", title="样本", abstract="样本", body="本文研究了样本的热导率。" * 900, language="zh")


def fingerprint(paper: Paper = PAPER, **settings: Any) -> str:
    return TranslateTask(spec(**settings)).fingerprint(paper)


@pytest.mark.parametrize(
    ("paper", "settings", "digest"),
    [
        (PAPER, {}, "2:4c6cdc32fa2dddf2cd045616c5359ca06d6d409fa6684006cf28f8e76bae1fed"),
        (
            PAPER,
            {"max_tokens": 100, "temperature": None, "extra_body": {"b": 1, "a": [2.0]}},
            "2:5f554604bf09d040d668e37cd56f513b7eaa5092c8ba2ca8e6124d0d6ea2ee45",
        ),
        (
            PAPER,
            {"glossary": {"热导率": "thermal conductivity"}, "target_language": "de"},
            "2:84fdc3581ed60373d5baf0a4ffd850596b68ea09537efeeecef24f98b68f4ec6",
        ),
        (
            LONG,
            {"full_text": True, "body_version": "1", "json_mode": "off"},
            "2:5f79f05a54e142cf0a36ee42eab054c543db7b0b85b3f74206995a3365df08fd",
        ),
        (
            Paper(id="p", title="DNA", abstract="", language="zh"),
            {},
            "2:68c1830cde5ab93066d848b0865d3bf664db6ca7c74f7d0096b058503131d946",
        ),
    ],
)
def test_fingerprints_stay_as_they_are(paper: Paper, settings: dict[str, Any], digest: str) -> None:
    assert fingerprint(paper, **settings) == digest


@pytest.mark.parametrize(
    "settings",
    [
        {"max_tokens": 8_192},
        {"max_tokens": 1_000},
        {"glossary": {"超导": "superconductivity"}},
        {"glossary": {"κ": "kappa", "kappa": "κ"}},  # in a formula, which is not sent
        {"target_language": "EN"},
        {"temperature": 0},
        {"json_mode": "on"},
        {"full_text": True},  # it has no body
        {"skip_no_derivatives": False},
        {"batch_papers": 3},
        {"batch_tokens": 9},
        {"corpus": "corpora/other.jsonl", "corpus_sha256": "d" * 64},
    ],
)
def test_a_setting_that_changes_no_byte_of_the_requests_buys_nothing_anew(settings: dict[str, Any]) -> None:
    assert fingerprint(**settings) == fingerprint()


@pytest.mark.parametrize(
    "settings",
    [
        {"max_tokens": 50},
        {"max_tokens": 51},
        {"glossary": {"热导率": "heat conductivity"}},
        {"target_language": "de"},
        {"target_language": "en-GB"},
        {"temperature": None},
        {"temperature": 0.1},
        {"json_mode": "off"},
        {"model": "model-b"},
        {"masking_version": "m2"},
        {"extra_body": {"thinking": False}},
        {"max_tokens_field": "max_completion_tokens"},
    ],
)
def test_a_setting_that_changes_what_is_sent_or_how_it_is_judged_does(settings: dict[str, Any]) -> None:
    others = [fingerprint(), fingerprint(max_tokens=52)]
    assert fingerprint(**settings) not in others


def test_results_of_the_first_masking_stay_for_papers_that_are_asked_the_same() -> None:
    assert fingerprint(masking_version="2") == fingerprint(masking_version="1")


def test_a_paper_that_the_second_masking_asks_otherwise_is_another() -> None:
    """With its golden digest of the first, which took the words between two prices for a formula."""
    priced = Paper(id="p", title="碳价由每吨$25上升至$50，减排成本随之下降。", language="zh")
    first = "2:4e0796405805d325eb6d6ef4b0c1905b9864a539646ce38c010d25f92e8210ac"
    assert fingerprint(priced, masking_version="1") == first != fingerprint(priced, masking_version="2")


def test_a_text_that_nobody_sends_is_part_of_the_result() -> None:
    """Its request is the same to the byte, the paper that comes of it is not."""
    other = PAPER.model_copy(update={"title": "样本的热导率 $\\lambda$"})
    untold = PAPER.model_copy(update={"keywords": ("热导率", "DNA")})
    assert len({fingerprint(PAPER), fingerprint(other), fingerprint(untold)}) == 3


@pytest.mark.parametrize("cap", [None, 8_192, 480, 479])
def test_a_cap_counts_exactly_where_it_is_below_what_is_sent(cap: int | None) -> None:
    task = TranslateTask(spec(max_tokens=cap, full_text=True))
    sent = [request.max_tokens for request in task.requests(PAPER)]
    uncapped = [request.max_tokens for request in TranslateTask(spec(full_text=True)).requests(PAPER)]
    assert (fingerprint(max_tokens=cap, full_text=True) == fingerprint(full_text=True)) is (sent == uncapped)


def test_the_longer_papers_alone_are_told_apart_by_a_cap() -> None:
    """Of a body's passages none takes so many tokens as the larger."""
    uncapped = fingerprint(LONG, full_text=True)
    assert fingerprint(LONG, full_text=True, max_tokens=1_000) != uncapped
    assert fingerprint(LONG, full_text=True, max_tokens=8_192) == uncapped


def test_a_fingerprint_does_not_change_what_is_asked() -> None:
    """Nor with the masked texts that are kept from it, nor where another paper has taken their place."""
    task, plain = TranslateTask(spec()), TranslateTask(spec())
    for paper in (PAPER, PAPER.model_copy(), LONG):
        task.fingerprint(paper)
    asked: list[str] = []

    def ask(request: Any) -> Any:
        asked.append(request.digest)
        raise InterruptedError

    for paper in (PAPER, LONG, PAPER):
        for each in (task, plain):
            with pytest.raises(InterruptedError):
                each.run(paper, ask)
    assert asked[::2] == asked[1::2]


@pytest.mark.parametrize(
    ("tag", "usual"),
    [
        ("EN", "en"),
        ("en", "en"),
        ("pt_BR", "pt-BR"),
        ("PT-br", "pt-BR"),
        ("ZH-hans-cn", "zh-Hans-CN"),
        ("", ""),
    ],
)
def test_tags_are_written_as_usual(tag: str, usual: str) -> None:
    assert usual_tag(tag) == usual
