"""A language is one whatever it is called: a tag, a code of the library's, a name."""

from __future__ import annotations

import pytest

from handlers.domain.language_names import primary_subtag
from handlers.domain.paper import Paper
from handlers.domain.writing_systems import scripts_of
from handlers.tasks.translation.policy import skip_reason
from handlers.tasks.translation.scripts import is_foreign
from tests.builders import values

ENGLISH = "A method that measures the temperature of the plasma is proposed."


@pytest.mark.parametrize(
    ("called", "tag"),
    [
        *((each, "en") for each in ("en", "EN", "en-US", "en_GB", "eng", "English", "英语", "Englisch")),
        *((each, "zh") for each in ("zh-Hant", "chi", "中文", "Chinese", "繁體中文", "zh_CN", "cmn-Hans")),
        *(("Deutsch", "de"), ("русский", "ru"), ("klingon", "klingon"), ("sr-Latn", "sr"), ("", "")),
    ],
)
def test_names_codes_and_tags_of_a_language_are_one(called: str, tag: str) -> None:
    assert primary_subtag(called) == tag
    assert scripts_of(called) == scripts_of(tag)


@pytest.mark.parametrize("target", ["en", "eng", "English", "英语", "en-GB"])
def test_a_paper_in_the_target_language_is_not_sent_whatever_that_is_called(target: str) -> None:
    spec = values.spec().model_copy(update={"target_language": target})
    paper = Paper(id="a", title="Plasma", abstract=ENGLISH, language="en")
    assert skip_reason(paper, spec) == f"already in {target}"
    assert skip_reason(Paper(id="b", title="等离子体", abstract="测量方法", language="zh"), spec) is None


@pytest.mark.parametrize("target", ["zh", "中文", "Chinese", "日本語", "русский"])
def test_an_answer_in_another_script_is_foreign_to_a_target_that_is_called_by_name(target: str) -> None:
    assert is_foreign(ENGLISH, target)
