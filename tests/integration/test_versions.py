"""A machine and a stack of different versions do not mix their results in one run."""

from __future__ import annotations

from pathlib import Path

import pytest

from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.bootstrap.wiring import result_names, task_of
from handlers.domain.paper import Paper
from handlers.errors import UsageError
from handlers.tasks.translation.masking.masking import MASKING_VERSION
from handlers.tasks.translation.prompt import PROMPT_VERSION
from tests.builders.values import spec

CURRENT = spec(prompt_version=PROMPT_VERSION, masking_version=MASKING_VERSION)


def test_a_run_of_this_version_is_worked_on() -> None:
    task_of(CURRENT)


def test_a_run_that_the_first_masking_began_goes_on_with_it() -> None:
    """It took the words between two prices for a formula."""
    begun = spec(prompt_version=PROMPT_VERSION, masking_version="1")
    priced = Paper(id="p", title="碳价由每吨$25上升至$50", language="zh")
    asked = [task_of(each).first_request(priced).messages[-1].content for each in (begun, CURRENT)]
    assert ["$50" in text for text in asked] == [False, True]


def test_names_of_the_first_masking_are_looked_for_whichever_runs_the_ledger_has(tmp_path: Path) -> None:
    paper = Paper(id="p", title="样本", language="zh")
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3")
    names = result_names(CURRENT, ledger).all(paper, CURRENT)
    ledger.close()
    assert CURRENT.model_copy(update={"masking_version": "1"}).fingerprint(paper.text_digest()) in names


@pytest.mark.parametrize(
    "other",
    [
        {"prompt_version": "other"},
        {"masking_version": "other"},
        {"task": "summarise"},
        {"full_text": True, "body_version": "0"},
        {"full_text": True},
    ],
)
def test_a_run_of_another_version_is_refused(other: dict[str, object]) -> None:
    fixed = {"prompt_version": PROMPT_VERSION, "masking_version": MASKING_VERSION}
    with pytest.raises(UsageError, match=r"this (version|one)"):
        task_of(spec(**{**fixed, **other}))
