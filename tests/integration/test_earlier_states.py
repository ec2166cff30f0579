"""State folders and stacks that an earlier version left behind go on under this one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.domain.paper import Paper
from handlers.pipeline.result_names import ResultNames, kindred
from handlers.tasks.translation.masking.masking import MASKING_VERSION
from handlers.tasks.translation.translate import TranslateTask
from tests.builders import earlier_states
from tests.builders.command import PRICES, Ran, lines, paperfleet
from tests.builders.earlier_states import MODEL, SERVER, Sample
from tests.builders.local_aws import LocalAws, moto_server, name_of
from tests.builders.warm import start

VERSIONS = ("before-rooms",)
ENDS = ("killed", "parked")
FINAL = {"done", "flagged", "failed", "skipped"}

Command = Callable[..., Ran]


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with moto_server() as local:
        yield local


@pytest.mark.parametrize("end", ["killed", pytest.param("parked", marks=pytest.mark.slow)])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_state_folder_goes_on(version: str, end: str, tmp_path: Path) -> None:
    sample = earlier_states.load(f"{version}-state-{end}")
    state = tmp_path / "state"
    earlier_states.restore_folder(sample, state)
    source = earlier_states.write_source(sample, tmp_path / "papers.jsonl")

    def command(*arguments: object) -> Ran:
        return paperfleet(*arguments, "--state", state, "--run-id", "r")

    def finish(base_url: str) -> Ran:
        return command("run", source, "--batch-papers", 4, "--base-url", base_url, "--model", MODEL,
                       *PRICES, "--jobs", 1, "--workers", 4, "--max-failed", "100%", "--json")  # fmt: skip

    assert_goes_on(sample, command, finish, tmp_path)


@pytest.mark.parametrize("changed", [{}, {"max_tokens": 60_000}, {"masking_version": MASKING_VERSION}])
@pytest.mark.parametrize("version", VERSIONS)
def test_its_results_are_found_by_a_run_that_asks_the_same(
    version: str, changed: dict[str, Any], tmp_path: Path
) -> None:
    """The version named results by their settings; a cap that binds nowhere is one, and masking another."""
    earlier_states.restore_folder(earlier_states.load(f"{version}-state-parked"), tmp_path)
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3")
    before = ledger.run("r").spec
    now = before.model_copy(update=changed | {"batch_papers": 7})
    names = ResultNames(TranslateTask(now), now, TranslateTask, kindred(now, ledger))
    papers = [
        Paper.model_validate_json(line) for line in (tmp_path / before.corpus).read_bytes().splitlines()
    ]
    done = {row.paper_id for row in ledger.entries("r") if row.status == "done"}
    found = {paper.id for paper in papers if ledger.reusable(names.all(paper, now))}
    ledger.close()
    assert done
    assert found >= done


@pytest.mark.parametrize("version", VERSIONS)
def test_a_stack_of_an_earlier_layout_is_refused_by_name(version: str, tmp_path: Path, aws: LocalAws) -> None:
    sample = earlier_states.load(f"{version}-stack-killed")
    stack = aws.stack(name_of(tmp_path))
    earlier_states.restore_stack(sample, aws, stack)
    environment = aws.environment | stack.settings()
    for verb in ("status", "resume"):
        ran = paperfleet(verb, "--run-id", "r", **environment)
        assert ran.code == 2
        assert "run 'r' was begun by an earlier release: finish it with the release that began it" in ran.err
    listed = paperfleet("runs", "--json", **environment)
    assert (listed.code, json.loads(listed.out)) == (0, [])
    assert "finish it with the release that began it" in listed.err


@pytest.mark.slow
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("version", VERSIONS)
def test_what_an_earlier_stack_has_done_is_taken_over(
    version: str, end: str, tmp_path: Path, aws: LocalAws
) -> None:
    """By a run that is started anew, at no cost; messages of the one before are no fault of anybody's."""
    sample = earlier_states.load(f"{version}-stack-{end}")
    stack = aws.stack(name_of(tmp_path))
    earlier_states.restore_stack(sample, aws, stack)
    source = earlier_states.write_source(sample, tmp_path / "papers.jsonl")
    environment = aws.environment | stack.settings()

    def command(*arguments: object) -> Ran:
        return paperfleet(*arguments, "--state", tmp_path / "state", "--run-id", "anew", **environment)

    shard = command("shard", source, "--batch-papers", 4, "--budget", 1, "--model", MODEL)
    assert shard.code == 0, shard.err
    with start(SERVER) as server:
        ran = command("work", "--base-url", server.base_url, *PRICES, "--jobs", 1, "--workers", 4,
                      "--max-failed", "100%", "--json")  # fmt: skip
        bill = server.stats()
    assert ran.code == 0, ran.err
    before, report = sample["report"], command("report", "--json").report
    assert (report["state"], report["counts"]["pending"]) == ("finished", 0)
    assert report["reused"] >= before["counts"]["done"] > 0
    assert report["spend_nano_usd"] - lost(report) == bill["bill_nano_usd"]


def assert_goes_on(sample: Sample, command: Command, finish: Callable[[str], Ran], folder: Path) -> None:
    before = sample["report"]
    assert_reads_alike(before, sample["export"], command, folder)
    with start(SERVER) as server:
        ran = finish(server.base_url)
        bill = server.stats()
    assert ran.code == 3, ran.err
    report = command("report", "--json").report
    assert report["state"] == "finished"
    assert sum(report["counts"].values()) == report["papers"] == before["papers"]
    assert report["counts"]["pending"] == 0
    for status in ("flagged", "failed"):
        assert report["counts"][status] == before["counts"][status]
    assert bill["duplicates"] == 0
    assert 0 < bill["charged"] <= before["counts"]["pending"], "nothing that was done is paid again"
    assert (
        report["spend_nano_usd"] - lost(report)
        == before["spend_nano_usd"] - lost(before) + (bill["bill_nano_usd"])
    ), "the ledger is the bill of the calls that ended"
    assert report["calls"]["sent"] == before["calls"]["sent"] + bill["requests"]
    assert_kept(sample["export"], command, folder)
    audit = command("audit", "--json")
    assert audit.code == 0, audit.out + audit.err


def as_it_was(now: Any, before: Any) -> Any:
    """Without what is counted since."""
    return {key: now[key] for key in before} if isinstance(before, dict) else now


def assert_reads_alike(before: dict[str, Any], results: str, command: Command, folder: Path) -> None:
    """The run stands as the earlier version said, and its results are the same to the byte in the columns
    that there were."""
    for verb in ("status", "report"):
        now = command(verb, "--json").report
        assert now.keys() >= before.keys()
        for name in ("counts", "papers", "same_as", "spend_nano_usd", "calls", "tokens", "budget_usd"):
            assert as_it_was(now[name], before[name]) == before[name], name
        assert [job["id"] for job in now["jobs"]] == [job["id"] for job in before["jobs"]]
    output, columns = folder / "before.jsonl", ",".join(json.loads(results.partition("\n")[0]))
    assert command("export", "--output", output, "--columns", columns).code == 0
    assert output.read_text(encoding="utf-8") == results


def assert_kept(results: str, command: Command, folder: Path) -> None:
    """What had ended before ended as it did, with the same text."""
    output = folder / "after.jsonl"
    assert command("export", "--output", output).code == 0
    after = {line["id"]: line for line in lines(output)}
    earlier_lines = [json.loads(line) for line in results.splitlines()]
    assert [line["id"] for line in earlier_lines] == list(after)
    for line in earlier_lines:
        if line["status"] in FINAL:
            now = after[line["id"]]
            assert {name: now[name] for name in line} == line


def lost(report: dict[str, Any]) -> int:
    """nano-USD that are booked for calls of which nobody knows whether they were charged."""
    return round(report["indeterminate_usd"] * 10**9)
