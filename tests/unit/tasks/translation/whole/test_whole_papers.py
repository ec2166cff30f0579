"""A paper with a body through both stages: what becomes of it by what its passages come to."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from handlers.domain.call import ChatAnswer, ChatRequest
from handlers.domain.call_errors import TransientError
from handlers.domain.paper import Paper
from handlers.domain.result import PassageResult
from handlers.tasks.translation.passages.weights import MOST_PASSAGES, MOST_SEGMENTS
from handlers.tasks.translation.stored_verdict import GATE_VERSION
from handlers.tasks.translation.translate import TranslateTask
from tests.builders.bodies import glossed
from tests.builders.body_checker import complaints
from tests.builders.whole_papers import GlossAnswers, run_whole, sample_papers, whole_spec

BODY = """\
# 引言

河流的水温 $T$ 随季节变化[1]。

$$
T=0
$$

<table><tr><td>水温</td><td>1</td><td>水温</td></tr></table>

![](a.png)

An English line.

## 结论

水温降低。

# 参考文献

[1] 王三. 水温[J]. 学报, 2010.
"""
PAPER = Paper(
    id="p",
    title="水温的研究",
    abstract="本文研究水温。",
    keywords=("水温", "郁闭度"),
    body=BODY,
    language="zh",
)
TASK = TranslateTask(whole_spec())
Change = Callable[[str, str], str]


def answering(change: Change = lambda _key, text: glossed(text)) -> Callable[[ChatRequest], ChatAnswer]:
    def ask(request: ChatRequest) -> ChatAnswer:
        asked = json.loads(request.messages[1].content)["segments"]
        texts = {key: change(key, text) for key, text in asked.items()}
        return ChatAnswer(content=json.dumps(texts, ensure_ascii=False), finish_reason="stop")

    return ask


def test_a_paper_is_done_when_every_passage_is_and_its_structure_is_the_source_s() -> None:
    run = run_whole(TASK, PAPER, answering())
    body = run.result.fields["body"]
    assert list(run.results) == ["head", "body/0"]
    assert (run.result.status, run.result.error, run.result.blamed) == ("done", None, ())
    assert run.result.gate == GATE_VERSION
    assert run.frame == {"水温": "wordss", "郁闭度": "wordsss"}
    assert complaints(BODY, body) == [] and "水温" not in body.split("[1] 王三")[0]
    assert run.result.coverage is not None
    assert run.result.coverage.model_dump() == {
        "translated": 7, "kept": {"image": 1, "mathematics": 1, "other_language": 1, "reference": 1},
        "flagged": (), "failed": (), "notes": {},
    }  # fmt: skip
    assert len(run.result.ends) == 10 and run.result.ends[-1] == len(body) - 1


def test_run_comes_to_the_same_as_the_stages() -> None:
    assert TASK.run(PAPER, answering()) == run_whole(TASK, PAPER, answering()).result


@pytest.mark.slow
def test_samples_are_done_with_the_gloss() -> None:
    for paper in (each for each in sample_papers() if each.language == "zh"):
        run = run_whole(TASK, paper, GlossAnswers())
        assert run.result.status == "done"
        assert complaints(paper.body or "", run.result.fields["body"]) == []


def test_a_refused_passage_flags_the_paper_and_names_its_segments() -> None:
    run = run_whole(
        TASK, PAPER, answering(lambda key, text: "" if key.startswith("body/3/0") else glossed(text))
    )
    assert (run.result.status, run.result.error) == ("flagged", "length")
    coverage = run.result.coverage
    assert coverage is not None
    assert (coverage.translated, coverage.flagged, coverage.failed) == (5, ("body/3/0", "body/3/2"), ())
    assert '"body/3/0"' in next(check.detail for check in run.result.checks if check.name == "length")


def test_a_failed_passage_leaves_the_source_in_its_place_and_is_counted() -> None:
    def ask(request: ChatRequest) -> ChatAnswer:
        if "body/3" in request.messages[1].content:
            raise TransientError("away", code="http_503")
        return answering()(request)

    result = run_whole(TASK, PAPER, ask).result
    assert result.coverage is not None
    assert (result.status, result.error, result.coverage.translated) == ("flagged", "http_503", 0)
    assert len(result.coverage.failed) == 7
    assert result.fields["title"] == "wordsssss" and result.fields["body"] == BODY


def test_a_refused_head_flags_the_paper_and_its_body_is_asked_all_the_same() -> None:
    run = run_whole(TASK, PAPER, answering(lambda key, text: "" if key == "title" else glossed(text)))
    assert (run.result.status, run.results["head"].flagged, run.results["body/0"].status) == (
        "flagged", ("title",), "done",
    )  # fmt: skip
    assert run.frame == {"水温": "wordss", "郁闭度": "wordsss"}


def termed(times: int = 6) -> Paper:
    marks = "，；：。（）"
    text = "".join(f"{'测算比较度量'[n % 6]}{marks[n % 6]}热导率{marks[n % 5]}" for n in range(times))
    return PAPER.model_copy(update={"body": f"# 引言\n\n{text}"})


def test_terms_are_asked_before_the_body_and_reach_it() -> None:
    run = run_whole(
        TASK, termed(), answering(lambda key, text: "heat flow" if key == "terms/0" else glossed(text))
    )
    assert list(run.results) == ["head", "terms", "body/0"]
    assert run.frame == {"水温": "wordss", "郁闭度": "wordsss", "热导率": "heat flow"}


@pytest.mark.parametrize("said", ["", "热导率", "x" * 300])
def test_a_refused_term_is_not_in_the_frame_and_flags_nothing(said: str) -> None:
    run = run_whole(
        TASK, termed(), answering(lambda key, text: said if key[:6] == "terms/" else glossed(text))
    )
    assert run.result.status == run.results["terms"].status == "done"
    assert "热导率" not in run.frame


def test_terms_that_fail_neither_flag_nor_fail_the_paper() -> None:
    def ask(request: ChatRequest) -> ChatAnswer:
        if "terms/0" in request.messages[1].content:
            raise TransientError("away", code="http_503")
        return answering()(request)

    run = run_whole(TASK, termed(), ask)
    assert (run.results["terms"].status, run.result.status) == ("failed", "done")


def test_a_head_s_refused_keyword_is_not_in_the_frame() -> None:
    run = run_whole(
        TASK, PAPER, answering(lambda key, text: "水温" if key == "keywords/0" else glossed(text))
    )
    assert run.frame == {"郁闭度": "wordsss"}


def test_a_head_is_there_before_its_body_is_cut() -> None:
    task = TranslateTask(whole_spec())
    assert next(iter(task.first(PAPER))).key == "head"
    assert "plan" not in vars(task._whole_of(PAPER))


@pytest.mark.slow
def test_too_many_passages_are_refused_before_the_first_call() -> None:
    paper = PAPER.model_copy(update={"body": "标题\n\n" * (MOST_SEGMENTS * MOST_PASSAGES + 1)})
    task = TranslateTask(whole_spec())
    assert task.is_whole(paper)
    assert not list(task.first(paper)) and not task.rest(paper, {}) and not list(task.requests(paper))
    result = task.result(paper, {})
    assert (result.status, result.error, result.fields) == ("flagged", "too_long", {})
    assert task.first_request(paper).kind == "translate"


@pytest.mark.parametrize("body", [None, "", " \n", "An English body.", "$$x$$"])
def test_a_paper_without_a_body_to_send_is_worked_on_as_abstracts_are(body: str | None) -> None:
    paper = PAPER.model_copy(update={"body": body})
    assert not TASK.is_whole(paper)
    result = TASK.run(paper, answering())
    bare = TranslateTask(whole_spec(full_text=False)).run(paper, answering())
    assert result.fields == (bare.fields | {"body": body} if body else bare.fields)
    assert result.model_copy(update={"fields": {}}) == bare.model_copy(update={"fields": {}})


def test_a_body_that_is_kept_whole_and_a_head_without_words_make_no_call() -> None:
    kept = "# 参考文献\n\n[1] 王三. 水温[J]. 学报, 2010.\n"
    paper = Paper(id="p", title="DNA", body=kept.replace("# 参考文献\n\n", ""), language="zh")
    assert TASK.is_whole(paper)
    result = run_whole(TASK, paper, answering()).result
    assert (result.status, result.fields["body"], result.fields["title"]) == ("done", paper.body, "DNA")


def test_a_body_alone_is_no_reason_to_skip_a_paper() -> None:
    paper = Paper(id="p", body="河流的水温。")
    assert TASK.skip_reason(paper) is None
    assert TranslateTask(whole_spec(full_text=False)).skip_reason(paper) == "no title and no abstract"
    assert run_whole(TASK, paper, answering()).result.status == "done"


def test_a_broken_structure_blames_the_passage_that_it_came_of() -> None:
    results = {
        "head": PassageResult(key="head", status="done", texts={"title": "T"}),
        "body/0": PassageResult(
            key="body/0", status="done", texts={"body/1": "a\n\n# b", "body/3/0": "x<td>y"}
        ),
    }
    result = TASK.result(PAPER, results)
    assert (result.status, result.error, result.blamed) == ("flagged", "structure", ("body/0",))
    assert "body/1, body/3" in result.checks[-1].detail


def test_what_is_reckoned_of_a_paper_is_forgotten_with_it() -> None:
    task = TranslateTask(whole_spec())
    paper = PAPER.model_copy()
    task.first(paper)
    assert task._whole_of(paper) is task._whole_of(paper)
    del paper
    assert not task._whole
