"""Translations of cells that have changed places, told by what names a cell."""

from __future__ import annotations

import json
import time

import pytest

from handlers.domain.call import ChatAnswer, ChatRequest
from handlers.domain.paper import Paper
from handlers.tasks.translation.translate import TranslateTask
from handlers.tasks.translation.whole.exchanged_texts import exchanged
from tests.builders.whole_papers import run_whole, whole_spec

CONTROL, TEST = ["control group"], ["experimental group"]


def keys(pairs: list[tuple[str, str]], targets: dict[str, list[str]] | None = None) -> set[str]:
    sources = {str(number): source for number, (source, _) in enumerate(pairs)}
    answers = {str(number): answer for number, (_, answer) in enumerate(pairs)}
    return set(exchanged(sources, targets or {}, answers))


@pytest.mark.parametrize(
    "pairs",
    [
        [("DNA含量", "RNA content"), ("RNA含量", "DNA content")],
        [("Fe", "Zn"), ("Zn含量", "Fe content"), ("pH值", "pH value")],
        [("II期", "Stage III"), ("III期", "Stage II")],
        [("ICU患者", "CCU patients"), ("CCU患者", "ICU patients")],
        [("IL-6水平", "IL8 level"), ("IL-8水平", "IL6 level")],
        [("Fe含量", "Fe3O4 content"), ("Fe3O4含量", "Fe content")],
        [("PM2.5", "PM 10 load"), ("PM10浓度", "PM-2.5")],
        [("CTAB浓度", "SDS level"), ("SDS浓度", "PEG level"), ("PEG浓度", "CTAB level")],
    ],
)
def test_latin_words_tell_that_cells_have_changed_places(pairs: list[tuple[str, str]]) -> None:
    moved = {str(number) for number, (source, answer) in enumerate(pairs) if source[:2] != answer[:2]}
    assert keys(pairs) == (moved if len(pairs) > 2 else {"0", "1"})


def test_so_do_terms_whose_translation_is_known() -> None:
    moved = [("对照组", "The experimental groups"), ("实验组", "Control group")]
    assert keys(moved, {"0": CONTROL, "1": TEST}) == {"0", "1"}
    assert keys(moved) == set()


@pytest.mark.parametrize(
    "pairs",
    [
        [("DNA含量", "DNA content"), ("RNA含量", "RNA contents")],
        [("Fe含量", "Iron content"), ("Zn含量", "Zinc content")],
        [("DNA与RNA", "Nucleic acids"), ("核酸", "DNA and RNA")],  # one drops, the other adds
        [("用PCR法", "by polymerase chain reaction"), ("PCR产物", "PCR product")],
        [("II期", "Phase 2"), ("III期", "Phase 3")],
        [("T检验", "t-test"), ("F检验", "F-test")],
        [("GPS站点", "GPS sites"), ("GIS图层", "GIS layers")],
        [("IL6水平", "IL-6 level"), ("IL-6表达", "IL6 expression")],
        [("IL6水平", "IL 6 level"), ("IL–6表达", "IL6 expression")],
        [("CA125（U/ml）", "CA-125 (U/mL)"), ("CA-199", "CA199"), ("ca 125比", "CA-125 ratio")],
        [("ＤＮＡ", "DNA"), ("Ⅱ期DNA", "stage II DNA"), ("II期RNA", "Stage Ⅱ RNA")],
        [("株/mm-2", "plants/mm²"), ("株/cm²", "plants/cm-2")],
        [("Fe₃O₄", "Fe3O4"), ("Fe2O3", "Fe₂O₃")],
        [("SARS-CoV-2", "SARS-CoV2"), ("SARS-CoV", "SARS CoV")],
        [("PCR法", "PCR-based method"), ("RT-PCR法", "RT–PCR method")],
        [("IL-6水平", "level"), ("IL-6与CRP", "IL-6 and C-reactive protein"), ("CRP", "IL-6")],  # its own
    ],
)
def test_a_good_translation_is_not_refused(pairs: list[tuple[str, str]]) -> None:
    assert keys(pairs, {"0": CONTROL, "1": CONTROL}) == set()


def test_long_texts_may_change_words_with_the_next() -> None:
    assert keys([("经过长期的" * 20 + "DNA", "x RNA"), ("的RNA" + "提取" * 30, "DNA y")]) == set()


def test_it_takes_no_time_with_as_many_cells_as_a_passage_has() -> None:
    names = [f"A{chr(97 + number % 26)}{number}" for number in range(60)]
    pairs = [(f"{name}组", f"group {names[number - 1]}") for number, name in enumerate(names)]
    begun = time.process_time()
    assert len(keys(pairs)) == 60
    assert time.process_time() - begun < 0.5


@pytest.mark.parametrize("mends", [True, False])
def test_a_table_whose_cells_have_changed_places_is_asked_again_or_flags_its_paper(mends: bool) -> None:
    right = {"DNA含量": "DNA content", "RNA含量": "RNA content"}
    wrong = dict(zip(right, reversed(right.values()), strict=True))
    body = "<table><tr><td>DNA含量</td><td>RNA含量</td></tr></table>"

    def ask(request: ChatRequest) -> ChatAnswer:
        message = json.loads(request.messages[-1].content)
        said = right if mends and "problems" in message else wrong
        texts = {key: said.get(text, "A title") for key, text in message["segments"].items()}
        return ChatAnswer(content=json.dumps(texts), finish_reason="stop")

    paper = Paper(id="p", title="标题", body=body, language="zh")
    result = run_whole(TranslateTask(whole_spec()), paper, ask).result
    assert (result.status, result.error) == (("done", None) if mends else ("flagged", "structure"))
    assert mends == (
        result.fields["body"] == body.replace("DNA含量", "DNA content").replace("RNA含量", "RNA content")
    )
