"""What a run's fixed settings may be."""

from __future__ import annotations

from pathlib import Path

import pytest

from handlers.corpus.ingest import IngestResult
from handlers.corpus.profile import Profile
from handlers.errors import UsageError
from handlers.runs.specification import specification
from handlers.settings import Settings

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
