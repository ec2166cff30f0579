"""What is said of a run that is begun again with something else."""

from __future__ import annotations

import pytest

from handlers.errors import RunChangedError
from tests.builders import values

ANOTHER = {"corpus": "corpora/b.jsonl", "corpus_sha256": "b" * 64}
SOURCE, MODEL = (
    "another corpus: its source was another file",
    "other settings (model: 'a' there, 'b' asked for)",
)


TASK = {"task_bundle": "c" * 64, "task_asks": "d" * 64, "task_gate": "e" * 64}
ASKS = "another task: its prompts, examples or output"


@pytest.mark.parametrize(
    ("changes", "words", "same"),
    [
        (ANOTHER, [SOURCE], "source"),
        ({"model": "b"}, [MODEL], "settings"),
        ({**ANOTHER, "model": "b"}, [SOURCE, MODEL], "source and settings"),
        (TASK, [ASKS], "task file"),
        ({"task_asks": "d" * 64}, [ASKS], "task file"),
        ({**TASK, "model": "b"}, [ASKS, MODEL], "task file and settings"),
        ({**TASK, **ANOTHER}, [SOURCE, ASKS], "source and task file"),
    ],
)
def test_another_source_or_task_is_named_as_one_and_not_by_its_digests(
    changes: dict[str, str], words: list[str], same: str
) -> None:
    spec = values.spec().model_copy(update={"model": "a"})
    told = str(RunChangedError("june", spec.diff(spec.model_copy(update=changes))))
    assert all(each in told for each in words)
    assert f"Give the same {same} to go on" in told
    assert not any(digit * 64 in told for digit in "bcde")
    assert ("takes over what is finished" in told) == ("corpus" in changes)
