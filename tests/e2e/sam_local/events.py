"""Each event of events/: whose it is, and what its function answers in the state that ``invoked`` makes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Answer = dict[str, Any]
_POISON = "2e1424d4-f796-459a-8184-9c92662be6da"


@dataclass(frozen=True)
class Case:
    """``holds``: whether an answer is the one that the event should have."""

    function: str
    event: str
    holds: Callable[[Answer], bool]


CASES = (
    Case("ProcessFunction", "process", lambda a: a == {"batchItemFailures": []}),
    Case("ProcessFunction", "poison", lambda a: a == {"batchItemFailures": [{"itemIdentifier": _POISON}]}),
    Case("ShardFunction", "shard", lambda a: a["run_id"] == "sample" and a["emitted"] > 0),
    Case("ShardFunction", "shard-task", lambda a: a["run_id"] == "sample-task" and a["emitted"] > 0),
    Case("ShardFunction", "upload", lambda a: a["run_id"].startswith("june-") and a["emitted"] > 0),
    Case("ReportFunction", "report", lambda a: a["run_id"] == "sample" and a["counts"]["done"] > 0),
    Case("ReportFunction", "schedule", lambda a: "sample" in a["reported"]),
)


def trouble(case: Case, text: str) -> str | None:
    """What is wrong with an answer, None if nothing is. SAM's exit code is 0 at a function's error."""
    try:
        answer = json.loads(text)
    except ValueError:
        return "no answer"
    if not isinstance(answer, dict):
        return "no answer"
    if "errorMessage" in answer or "errorType" in answer:
        return f"{answer.get('errorType', 'an error')}: {answer.get('errorMessage', '')}"
    try:
        return None if case.holds(answer) else "another answer than this event's"
    except (KeyError, TypeError):
        return "another answer than this event's"
