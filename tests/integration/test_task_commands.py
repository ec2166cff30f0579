"""``paperfleet task``, and runs with the files that it writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from handlers.errors import UsageError
from handlers.reporting.task_table import task_lines
from handlers.tasks.file_task.first_task import FIRST_KINDS, first_file
from handlers.tasks.file_task.load_task import load_task
from tests.builders.command import here, paperfleet
from tests.builders.task_files import SUBJECT, SUMMARY, written

PAPERS = [
    {"id": f"p{n}", "title": f"Title {n}", "abstract": f"We test {n} methods on the corpus of year {n}."}
    for n in range(8)
]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "papers.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in PAPERS))
    return path


@pytest.mark.parametrize("kind", FIRST_KINDS)
def test_each_first_file_is_whole(tmp_path: Path, kind: Any) -> None:
    path = tmp_path / "own.toml"
    path.write_text(first_file("own", kind), "utf-8")
    assert load_task(path).tables.name == "own"


def test_init_overwrites_nothing_and_knows_its_kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "own.toml is written" in here("task", "init", "own", "--kind", "score").out
    for line, said in (
        (("own",), "overwrites nothing"),
        (("other", "--kind", "embedding"), "nearest: embed"),
        (("other", "--kind", "clasify"), "nearest: classify"),
        (("other", "--kind", "foo"), "no kind; there is classify, extract"),
        (("../own",), "a task's name"),
    ):
        with pytest.raises(UsageError, match=said):
            here("task", "init", *line)


def test_check_says_what_would_be_sent(tmp_path: Path, source: Path) -> None:
    path = written(tmp_path, SUBJECT)
    told = json.loads(here("task", "check", path, "--source", source, "--json").out)
    assert told["reads"] == {"abstract": 1.0, "keywords": 0.0, "title": 1.0}
    assert told["requests"]["count"] == len(PAPERS) and told["requests"]["samples"] == 1
    thrice = told | {"requests": told["requests"] | {"samples": 3}}
    assert any("at most (3 to a record" in line for line in task_lines(thrice))
    assert 0 < told["cost_usd"][0] < told["cost_usd"][1]
    assert told["first"][1][1].startswith("Title: Title")
    assert "keywords" in here("task", "check", path).out


def test_check_says_what_is_wrong_with_file_and_line(tmp_path: Path) -> None:
    path = written(tmp_path, SUBJECT.replace("require", "requires"))
    with pytest.raises(UsageError, match=r"own.toml, line 5: input.requires: unknown; nearest: require"):
        here("task", "check", path)


@pytest.mark.slow
def test_other_checks_judge_again_and_pay_for_repairs_alone(tmp_path: Path, source: Path) -> None:
    def ran(text: str, run_id: str) -> dict[str, Any]:
        path = written(tmp_path, text)
        line = ("run", source, "--task", path, "--state", tmp_path / "state", "--run-id", run_id, "--json")
        report = paperfleet(*line, "--model", "paperfleet-canned").report
        return {"done": report["counts"]["done"], "sent": report["calls"]["sent"], "reused": report["reused"]}

    whole = SUMMARY.replace("maximum = 60", "maximum = 50")
    assert ran(whole, "first") == {"done": 8, "sent": 8, "reused": 0}
    assert ran(SUMMARY, "looser") == {"done": 8, "sent": 0, "reused": 8}
    stricter = ran(SUMMARY.replace("maximum = 60", "maximum = 6"), "stricter")
    assert stricter["sent"] == 8
