"""The inputs of a session, as a workflow gives them: text, empty where nothing was said."""

from __future__ import annotations

import pytest

from handlers.actions.inputs import SessionInputs, session_inputs
from handlers.errors import UsageError


@pytest.mark.parametrize("history", [True, False])
def test_a_switch_that_is_off_is_not_taken_for_one_that_was_not_given(history: bool) -> None:
    assert SessionInputs(corpus="papers.jsonl", history=history).history is history


def test_what_is_empty_is_as_if_it_was_not_given() -> None:
    inputs = SessionInputs.model_validate({"corpus": "papers.jsonl", "total_papers": " ", "job_minutes": ""})
    assert (inputs.total_papers, inputs.job_minutes, inputs.history) == (None, 345.0, True)


@pytest.mark.parametrize(
    ("job", "checkpoint", "said"),
    [
        (345, 15, ""),
        (345, 14.375, ""),
        (345, 14.37, "checkpoint_minutes 14.37: the 24 checkpoints of a job end 344.88 minutes"),
        (345, 5, "give 14.4 or more"),
        (120, 5, ""),
        (120.1, 5, "give 5.1 or more"),
        (0.2, 0.1, ""),
        (350, 15, ""),
        (350.5, 60, "at most 350"),
        (360, 15, "at most 350"),
        (100_000, 10, "at most 350"),
    ],
)
def test_a_job_ends_within_its_checkpoints_and_its_six_hours(
    job: float, checkpoint: float, said: str
) -> None:
    """A job that works on after its last checkpoint, or that GitHub ends, has paid for what nobody finds."""
    given = {"corpus": "papers.jsonl", "job_minutes": str(job), "checkpoint_minutes": str(checkpoint)}
    if not said:
        assert session_inputs(**given).job_minutes == job
        return
    with pytest.raises(UsageError) as refused:
        session_inputs(**given)
    assert said in str(refused.value)
