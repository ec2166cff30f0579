"""A machine and a stack of different versions do not mix their results in one run."""

from __future__ import annotations

import pytest

from handlers.bootstrap.wiring import task_of
from handlers.errors import UsageError
from handlers.tasks.translation.masking.masking import MASKING_VERSION
from handlers.tasks.translation.prompt import PROMPT_VERSION
from tests.builders.values import spec


def test_a_run_of_this_version_is_worked_on() -> None:
    task_of(spec(prompt_version=PROMPT_VERSION, masking_version=MASKING_VERSION))


def test_a_run_that_the_first_masking_began_goes_on() -> None:
    task_of(spec(prompt_version=PROMPT_VERSION, masking_version="1"))


@pytest.mark.parametrize(
    "other", [{"prompt_version": "other"}, {"masking_version": "other"}, {"task": "summarise"}]
)
def test_a_run_of_another_version_is_refused(other: dict[str, str]) -> None:
    fixed = {"prompt_version": PROMPT_VERSION, "masking_version": MASKING_VERSION}
    with pytest.raises(UsageError, match="this version"):
        task_of(spec(**fixed | other))
