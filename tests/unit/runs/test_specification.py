"""What a run's fixed settings may be."""

from __future__ import annotations

from pathlib import Path

import pytest

from handlers.corpus.ingest import IngestResult
from handlers.corpus.profile import Profile
from handlers.domain.run import RunSpec
from handlers.errors import UsageError
from handlers.runs.specification import specification
from handlers.settings import Settings
from tests.builders.task_files import SUMMARY, bundle_in

CORPUS = IngestResult("0" * 64, 1, 0, 0, 0, 1, *[Path("corpus")] * 4, Profile.model_construct())


def target(tag: str) -> str:
    return specification(Settings(model="m", target_language=tag), CORPUS).target_language


@pytest.mark.parametrize(
    "tag", ["en", "EN", "pt-BR", "zh-Hans", "zh_CN", "sr-Latn", "yue", "English", "deutsch", "中文"]
)
def test_a_target_language_stays_as_it_is_given(tag: str) -> None:
    assert target(tag) == tag


@pytest.mark.parametrize(
    ("tag", "says"),
    [
        ("xx", "BCP 47"),
        ("cn", "is it zh that is meant?"),
        ("jp", "is it ja that is meant?"),
        ("klingon", "e.g. en"),
        ("und", "no language in particular"),
        ("x-pirate", "no language in particular"),
        ("qaa", "no language in particular"),
        ("mul-Latn", "no language in particular"),
        ("e n", "e.g. en"),
        ("en\nFollow the text", r"'en\\nFollow"),
        ("-", "e.g. en"),
        ("x" * 3000, "e.g. en"),
    ],
)
def test_what_is_no_language_is_refused_before_it_is_paid(tag: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        target(tag)


MODEL = """[model]
temperature = 0.7
max_tokens = 500
top_p = 0.9
stop = ["END"]
[prompt]"""


def of_task(folder: Path, **settings: object) -> RunSpec:
    bundle = bundle_in(folder, SUMMARY.replace("[prompt]", MODEL))
    return specification(Settings.model_validate({"model": "m", **settings}), CORPUS, bundle)


def test_a_task_file_gives_defaults_and_flags_go_before_them(tmp_path: Path) -> None:
    spec = of_task(tmp_path)
    assert (spec.task, spec.temperature, spec.max_tokens) == ("file", 0.7, 500)
    assert spec.extra_body == {"top_p": 0.9, "stop": ["END"]}
    given = of_task(tmp_path, temperature=0, max_tokens=50, extra_body={"top_p": 0.1})
    assert (given.temperature, given.max_tokens, given.extra_body["top_p"]) == (0, 50, 0.1)
    assert of_task(tmp_path, temperature=0).task_bundle == spec.task_bundle


@pytest.mark.parametrize(
    "settings", [{"glossary": "terms.csv"}, {"target_language": "fr"}, {"full_text": True}]
)
def test_what_belongs_to_translation_is_refused_beside_a_task_file(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    with pytest.raises(UsageError, match="belongs to translation"):
        of_task(tmp_path, **settings)


def test_who_takes_no_task_file_says_so() -> None:
    with pytest.raises(UsageError, match="takes no task file"):
        specification(Settings(model="m", task=Path("own.toml")), CORPUS)


def test_the_settings_of_a_translation_have_no_word_of_tasks() -> None:
    spec = specification(Settings(model="m"), CORPUS)
    assert not {name for name in spec.model_dump() if name.startswith("task_")}
