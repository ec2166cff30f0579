"""The inputs of a session, as a workflow gives them: text, empty where nothing was said."""

from __future__ import annotations

import pytest

from handlers.actions.inputs import SessionInputs


@pytest.mark.parametrize("history", [True, False])
def test_a_switch_that_is_off_is_not_taken_for_one_that_was_not_given(history: bool) -> None:
    assert SessionInputs(corpus="papers.jsonl", history=history).history is history


def test_what_is_empty_is_as_if_it_was_not_given() -> None:
    inputs = SessionInputs.model_validate({"corpus": "papers.jsonl", "total_papers": " ", "job_minutes": ""})
    assert (inputs.total_papers, inputs.job_minutes, inputs.history) == (None, 345.0, True)
