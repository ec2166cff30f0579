"""``paperfleet actions``: the commands of a session, one after the other, as the workflow calls them."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import typer

from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.cli.main import app_of
from handlers.model_server import RunningServer, ServerSettings
from tests.builders.actions_session import KEY, PAPERS, Actions
from tests.builders.command import Running, corpus, paperfleet, until, whole_papers
from tests.builders.github_server import REPOSITORY, github_server, stamp
from tests.builders.warm import start
from tests.builders.webhook_ear import Ear, listening

pytestmark = pytest.mark.slow


@pytest.fixture
def server() -> Iterator[RunningServer]:
    prices = {"price_in": Decimal("0.15"), "price_out": Decimal("0.60")}
    with start(ServerSettings(mode="canned", latency=0.05, api_key=KEY, **prices)) as running:
        yield running


@pytest.fixture
def ear() -> Iterator[Ear]:
    with listening() as heard:
        yield heard


@pytest.fixture
def actions(tmp_path: Path, server: RunningServer) -> Iterator[Actions]:
    with github_server(tmp_path / "artifacts") as github:
        yield Actions(tmp_path, github, server)


def test_a_session_is_forecast_as_the_plan_on_actions_is(actions: Actions) -> None:
    assert actions.plan("--budget", "1").code == 0
    flags = ["--platform", "actions", "--public", "--state", actions.folder / "planned", "--json"]
    planned = paperfleet("plan", actions.source, *flags, timeout=90, **actions.environment())
    assert planned.code == 0, planned.err
    for row, told in zip(planned.report["rows"], actions.planned["table"], strict=True):
        for name in ("tier", "papers_per_hour", "sessions", "cost_usd", "cost_low_usd", "cost_high_usd"):
            assert told[name] == row[name], name
        assert told["hours"] == round(row["hours"], 2)
    assert actions.planned["verdict"]["cost_usd"] == planned.report["rows"][0]["cost_usd"] > 0


def test_plan_work_collect_and_a_next_session_without_work(actions: Actions) -> None:
    ran = actions.plan("--budget", "1")
    assert ran.code == 0, ran.err
    assert json.loads(actions.outputs["matrix"]) == {"job": [1, 2]}
    assert sum(job["budget"] for job in actions.planned["jobs"]) == 10**9, "shares add up to the budget"
    assert "GitHub's terms" in ran.out
    for job in (1, 2):
        assert actions.begin(job).code == 0
        assert actions.outputs["more"] == "true"
        ran = actions.work(job)
        assert ran.code == 0, ran.err
        assert actions.outputs["more"] == "false"
    ran = actions.collect("--continue", "true")
    assert ran.code == 0, ran.err
    assert ran.report["counts"]["done"] == PAPERS
    assert ran.report["spend_nano_usd"] == actions.server.stats()["bill_nano_usd"]
    assert actions.outputs["go_on"] == "false"
    summary = (actions.folder / "summary.md").read_text()
    assert "```mermaid\npie" in summary
    assert KEY not in summary + ran.out + ran.err

    actions.next_run()
    ran = actions.plan("--budget", "1")
    assert ran.code == 0, ran.err
    assert "as the last session showed" in ran.out
    assert actions.outputs["jobs"] == "0"
    assert actions.planned["last"]["papers"] == PAPERS, "what the last session showed"


def test_a_job_that_saved_nothing_since_it_began_is_booked_at_its_allowance(actions: Actions) -> None:
    assert actions.plan("--budget", "1").code == 0
    for job in (1, 2):
        assert actions.begin(job).code == 0
    assert actions.work(1).code == 0
    allowance = json.loads((actions.job_folder(2) / "job.json").read_text())["allowance"]
    ran = actions.call("work", "--state", actions.job_folder(2))  # and its runner dies: nothing is saved
    assert ran.code == 0
    bill = actions.server.stats()["bill_nano_usd"]
    ran = actions.collect()
    assert ran.code == 0, ran.err
    assert ran.report["counts"]["pending"] > 0
    assert ran.report["spend_nano_usd"] >= bill, "fail closed: the allowance covers what nobody saw"
    assert [job for job in ran.report["lost_jobs"] if "job-002-step-01" in job]
    assert allowance == round(ran.report["indeterminate_usd"] * 1e9)


def test_a_session_that_nobody_collected_is_found_by_the_next_one(actions: Actions) -> None:
    assert actions.plan("--budget", "1").code == 0
    assert actions.begin(1).code == 0
    assert actions.work(1).code == 0
    done = actions.server.stats()["requests"]
    assert done > 0
    actions.next_run()
    assert actions.plan("--budget", "1").code == 0
    assert actions.planned["pending"] == PAPERS - done
    for job in json.loads(actions.outputs["matrix"])["job"]:
        assert actions.begin(job).code == 0
        assert actions.work(job).code == 0
    ran = actions.collect()
    assert ran.report["counts"]["done"] == PAPERS
    assert actions.server.stats()["duplicates"] == 0
    assert ran.report["spend_nano_usd"] == actions.server.stats()["bill_nano_usd"]


def test_a_session_with_papers_left_asks_for_the_next_one_only_if_it_got_further(actions: Actions) -> None:
    assert actions.plan("--budget", "1").code == 0
    assert actions.begin(1).code == 0
    assert actions.work(1).code == 0
    assert actions.collect("--continue", "true").code == 0
    assert actions.outputs["go_on"] == "true"
    actions.next_run()
    assert actions.plan("--budget", "1").code == 0
    assert actions.collect("--continue", "true").code == 0  # no job of it ever began
    assert (actions.outputs["go_on"], actions.outputs["papers"]) == ("false", "0")


def test_a_job_that_is_run_again_goes_on_where_its_last_checkpoint_stood(actions: Actions) -> None:
    assert actions.plan("--budget", "1", "--total-papers", 0).code == 0
    assert actions.begin(1).code == 0
    first_plan = actions.plan_folder
    with_limit = json.loads((first_plan / "plan.json").read_text())
    assert with_limit["jobs"][0]["limit"] is None
    assert actions.work(1).code == 0
    actions.save(actions.job_folder(1), "paperfleet-job-1-1-z")
    asked = actions.server.stats()["requests"]
    actions.attempt = 2  # "Re-run failed jobs": the plan of the first attempt, and no other
    shutil.copytree(first_plan, actions.plan_folder)
    for job in range(2, 200):  # what the others saved is more than a page
        (actions.github.root / str(actions.run_id) / f"paperfleet-job-1-{job}-a").mkdir()
    actions.github.requests.clear()
    ran = actions.begin(1)
    assert ran.code == 0, ran.err
    assert "paperfleet-job-1-1-z merged" in ran.err
    asks = [each for each in actions.github.requests if "/artifacts?" in each]
    assert all("name=" in each for each in asks), "its own names alone, however many jobs there are"
    assert len([each for each in actions.github.requests if "/blob/" not in each]) <= 4
    assert actions.work(1).code == 0
    assert actions.server.stats()["requests"] == asked, "nothing of it is asked again"


def test_what_only_a_damaged_checkpoint_knew_is_booked_as_the_rest_of_its_share(actions: Actions) -> None:
    assert actions.plan("--budget", "1", jobs=1).code == 0
    assert actions.begin(1).code == 0
    assert actions.work(1).code == 0
    damaged = actions.github.root / str(actions.run_id) / "paperfleet-job-1-1-a" / "ledger.sqlite3"
    damaged.write_bytes(damaged.read_bytes()[:10_000])
    state, results = actions.folder / "collected", actions.folder / "results"
    ran = actions.call("collect", "--plan", actions.plan_folder, "--state", state, "--output", results)
    assert ran.code == 4, "parked: it was the only job, and the budget is its share"
    assert (ran.report["spend_nano_usd"], ran.report["indeterminate_usd"]) == (10**9, 1)
    assert "the rest of its share is booked as indeterminate" in ran.err
    for each in (actions.github.root / str(actions.run_id)).glob("paperfleet-job-1-1-*/ledger.sqlite3"):
        each.write_bytes(b"")
    actions.next_run()
    ran = actions.plan("--budget", "1")
    assert ran.code == 2
    assert "paperfleet-job-1-1" in ran.err
    assert "pay again" in ran.err


def test_a_session_more_than_two_hundred_runs_back_is_found(actions: Actions) -> None:
    assert actions.plan("--budget", "1").code == 0
    assert actions.begin(1).code == 0
    assert actions.work(1).code == 0
    done = actions.server.stats()["requests"]
    for _ in range(205):  # runs that planned nothing
        actions.next_run()
    assert actions.plan("--budget", "1").code == 0
    assert actions.planned["pending"] == PAPERS - done


def test_a_checkpoint_that_cannot_be_fetched_now_is_not_taken_for_lost(actions: Actions) -> None:
    assert actions.plan("--budget", "1", jobs=1).code == 0
    assert actions.begin(1).code == 0
    assert actions.work(1).code == 0
    checkpoints = {"paperfleet-job-1-1-0", "paperfleet-job-1-1-a"}
    actions.github.withheld |= checkpoints
    state, results = actions.folder / "collected", actions.folder / "results"
    flags = ("--plan", actions.plan_folder, "--state", state, "--output", results)
    ran = actions.call("collect", *flags)
    assert ran.code == 2, "what a state was saved without, no later session would look for"
    assert "403" in ran.err
    plan, actions.attempt = actions.plan_folder, 2
    shutil.copytree(plan, actions.plan_folder)
    assert actions.begin(1).code == 2, "its plan would pay for all of it again"
    actions.github.withheld.clear()
    ran = actions.call("collect", *flags)
    assert ran.code == 0, ran.err
    assert ran.report["counts"]["done"] == PAPERS
    assert ran.report["spend_nano_usd"] == actions.server.stats()["bill_nano_usd"]


def test_an_old_plan_is_never_replayed_once_a_later_session_has_planned(actions: Actions) -> None:
    assert actions.plan("--budget", "1").code == 0
    old, run_id = actions.plan_folder, actions.run_id
    actions.next_run()
    assert actions.plan("--budget", "1").code == 0
    actions.run_id, actions.attempt = run_id, 2
    shutil.copytree(old, actions.plan_folder)
    ran = actions.begin(2)
    assert ran.code == 2
    assert "out of date" in ran.err


def test_a_cancel_ends_a_step_in_time_and_books_what_was_in_flight(actions: Actions) -> None:
    assert actions.plan("--budget", "1").code == 0
    assert actions.begin(1).code == 0
    actions.server.control(latency=30.0)
    environment = actions.environment()
    with Running("actions", "work", "--state", actions.job_folder(1), **environment) as running:
        until(lambda: actions.server.stats()["in_flight"] == 2)
        running.interrupt()
        ran = running.end(timeout=9)  # a cancelled step has ten seconds
    assert ran.code == 130
    actions.save(actions.job_folder(1), "paperfleet-job-1-1-z")
    report = actions.collect().report
    assert report["counts"]["pending"] == PAPERS
    assert report["indeterminate_usd"] > 0
    assert report["calls"]["sent"] == 2, "both calls are booked"


def test_a_refused_key_parks_the_run_and_the_session_ends_with_4(actions: Actions) -> None:
    assert actions.plan("--budget", "1").code == 0
    assert actions.begin(1).code == 0
    ran = actions.work(1, PAPERFLEET_API_KEY="sk-wrong")
    assert ran.code == 4
    assert actions.outputs["more"] == "false"
    ran = actions.collect("--continue", "true")
    assert ran.code == 4
    assert "unauthorized" in ran.report["reason"]
    assert actions.outputs["go_on"] == "false", "no session starts by itself that cannot get further"


def test_a_corpus_that_has_grown_costs_its_new_papers_alone(actions: Actions) -> None:
    assert actions.plan("--budget", "1").code == 0
    for job in (1, 2):
        assert actions.begin(job).code == 0
        assert actions.work(job).code == 0
    assert actions.collect().code == 0
    old = actions.source.read_text()
    more = corpus(actions.folder / "more.jsonl", PAPERS + 3, seed=2).read_text().splitlines()[PAPERS:]
    actions.source.write_text(old + "\n".join(more) + "\n")
    actions.next_run()
    assert actions.plan("--budget", "1").code == 0
    assert actions.planned["pending"] == PAPERS + 3, "another corpus is another run"
    for job in (1, 2):
        assert actions.begin(job).code == 0
        assert actions.work(job).code == 0
    report = actions.collect().report
    assert (report["counts"]["done"], report["reused"]) == (PAPERS + 3, PAPERS)
    assert actions.server.stats()["requests"] == PAPERS + 3


def test_declared_rates_are_split_over_the_jobs_that_run_at_once(actions: Actions) -> None:
    assert actions.plan(PAPERFLEET_RPM="60", PAPERFLEET_TPM="9000").code == 0
    shares = [(job["rpm"], job["tpm"]) for job in actions.planned["jobs"]]
    assert shares == [(30.0, 4500.0)] * 2


def test_a_budget_that_was_lowered_stays_so(actions: Actions) -> None:
    assert actions.plan("--budget", "1").code == 0
    assert actions.begin(1).code == 0
    assert actions.work(1).code == 0
    assert actions.collect().report["budget_usd"] == 1
    actions.next_run()
    assert actions.plan("--budget", "0.5").code == 0
    assert actions.collect().report["budget_usd"] == 0.5


def test_total_papers_bounds_all_sessions_together(actions: Actions) -> None:
    assert actions.plan("--total-papers", 5).code == 0
    for job in (1, 2):
        assert actions.begin(job).code == 0
        assert actions.work(job).code == 0
    ran = actions.collect("--continue", "true")
    assert ran.report["counts"]["done"] == 5
    assert actions.outputs["go_on"] == "false"
    actions.next_run()
    assert actions.plan("--total-papers", 5).code == 0
    assert actions.outputs["jobs"] == "0"


def test_a_budget_too_small_for_one_call_starts_nothing(actions: Actions) -> None:
    ran = actions.plan("--budget", "0.000001")
    assert ran.code == 4
    assert "give a larger" in ran.out
    assert actions.outputs["jobs"] == "0"


def test_the_next_session_is_started_with_the_same_inputs(actions: Actions) -> None:
    inputs = {"tier": "ultra", "continue": True, "model": "", "total_papers": None}
    ran = actions.call(
        "next", "--inputs", json.dumps(inputs), GITHUB_REF_NAME="main",
        GITHUB_WORKFLOW_REF=f"{REPOSITORY}/.github/workflows/nightly.yml@refs/heads/main",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert actions.github.dispatched == [{"ref": "main", "inputs": {"tier": "ultra", "continue": "true"}}]
    assert "nightly.yml" in ran.out


def test_what_was_tried_again_is_not_tried_in_each_session(actions: Actions) -> None:
    inputs = {"tier": "ultra", "retry": "all", "mine": "x"}
    ran = actions.call("next", "--inputs", json.dumps(inputs))
    assert ran.code == 0, ran.err
    assert actions.github.dispatched[0]["inputs"] == {"tier": "ultra", "mine": "x"}, "a caller's own inputs"
    assert actions.call("next", "--inputs", "null", "--tier", "auto").code == 0
    assert actions.github.dispatched[1]["inputs"] == {"tier": "auto", "continue": "true"}, "on a schedule"


def test_papers_that_were_flagged_are_tried_again_where_the_next_session_is_asked_to(
    actions: Actions,
) -> None:
    actions.server.control(source_left=1.0)
    assert actions.plan("--budget", "1", jobs=1).code == 0
    assert actions.begin(1).code == 0
    while actions.outputs["more"] == "true":
        actions.work(1, PAPERFLEET_MAX_FAILED="100%")
    assert actions.collect().report["counts"]["flagged"] == PAPERS
    actions.server.control(source_left=0.0)
    actions.next_run()
    assert actions.plan("--budget", "1", "--retry", "failed", jobs=1).code == 0
    assert actions.outputs["jobs"] == "0", "none has failed"
    actions.next_run()
    ran = actions.plan("--budget", "1", "--retry", "all", jobs=1)
    assert f"{PAPERS} papers are tried again" in ran.err
    assert actions.begin(1).code == 0
    while actions.outputs["more"] == "true":
        assert actions.work(1).code == 0
    ran = actions.collect()
    assert ran.report["counts"]["done"] == PAPERS, ran.report["counts"]
    assert ran.report["spend_nano_usd"] == actions.server.stats()["bill_nano_usd"]


def test_language_glossary_and_bodies_are_those_that_the_inputs_say(actions: Actions) -> None:
    (actions.folder / "terms.csv").write_text("模型,model\n")
    said = {
        "PAPERFLEET_TARGET_LANGUAGE": "de", "PAPERFLEET_FULL_TEXT": "true",
        "PAPERFLEET_GLOSSARY": str(actions.folder / "terms.csv"),
    }  # fmt: skip
    assert actions.plan(**said).code == 0
    ledger = SqliteLedger(actions.plan_folder / "ledger.sqlite3")
    spec = ledger.run(actions.planned["run_id"]).spec
    ledger.close()
    assert (spec.target_language, spec.full_text, spec.glossary) == ("de", True, {"模型": "model"})


def test_a_whole_paper_goes_on_over_sessions_of_which_one_is_killed(actions: Actions) -> None:
    """What was answered and saved is never asked again: what was in flight at the kill is."""
    whole_papers(actions.source, 1, paragraphs=60)
    actions.server.control(latency=0.6, sigma=0)
    short = ("--job-minutes", 0.2, "--checkpoint-minutes", 0.15)
    flags, whole = ("--budget", "1"), {"PAPERFLEET_FULL_TEXT": "true"}
    assert actions.plan(*flags, *short, jobs=1, **whole).code == 0
    assert actions.begin(1).code == 0
    while actions.outputs["more"] == "true":
        assert actions.work(1).code == 0
    ran = actions.collect("--continue", "true")
    assert (ran.report["counts"]["done"], actions.outputs["go_on"]) == (0, "true"), "its answers are kept"
    saved = actions.server.stats()
    assert saved["charged"] > 4
    assert saved["duplicates"] == 0

    actions.next_run()
    assert actions.plan(*flags, jobs=1, **whole).code == 0
    assert actions.begin(1).code == 0
    with Running("actions", "work", "--state", actions.job_folder(1), **actions.environment()) as running:
        until(lambda: actions.server.stats()["charged"] >= saved["charged"] + 8)
        os.killpg(running.pid, signal.SIGKILL)
    actions.save(actions.job_folder(1), "paperfleet-job-1-1-a")
    until(lambda: actions.server.stats()["in_flight"] == 0)
    killed = actions.server.stats()
    assert killed["duplicates"] == 0, "the second session asks nothing that the first was told"
    assert actions.collect().report["counts"]["pending"] == 1

    actions.next_run()
    actions.server.control(latency=0.05)
    assert actions.plan(*flags, jobs=1, **whole).code == 0
    assert actions.begin(1).code == 0
    while actions.outputs["more"] == "true":
        assert actions.work(1).code == 0
    ran = actions.collect()
    bill = actions.server.stats()
    assert ran.report["counts"]["done"] == 1, ran.report
    assert bill["duplicates"] <= 2 * 2, "in flight with two workers, and not saved yet"
    assert actions.audit().code == 0
    assert ran.report["spend_nano_usd"] >= bill["bill_nano_usd"]


@pytest.mark.parametrize("bodies_first", [False, True])
def test_heads_that_a_run_has_paid_for_are_taken_over(actions: Actions, bodies_first: bool) -> None:
    whole_papers(actions.source, 3, paragraphs=8)
    asked: list[int] = []
    for number, full_text in enumerate(("true", "", "") if bodies_first else ("", "true", "")):
        before = actions.server.stats()["requests"]
        run_id = () if full_text or not number else ("--run-id", f"again-{number}")
        assert actions.plan("--budget", "1", *run_id, jobs=1, PAPERFLEET_FULL_TEXT=full_text).code == 0
        assert actions.begin(1).code == 0
        while actions.outputs["more"] == "true":
            assert actions.work(1).code == 0
        assert actions.collect().report["counts"]["done"] == 3
        asked.append(actions.server.stats()["requests"] - before)
        actions.next_run()
    if bodies_first:
        assert asked[1:] == [0, 0]
    else:
        assert (asked[0], asked[2]) == (3, 0)
    assert asked[not bodies_first] > 3
    assert actions.server.stats()["duplicates"] == 0


def test_a_job_at_its_limit_ends_the_paper_that_it_has_begun(actions: Actions) -> None:
    """A step ends before the paper does, and the limit lets no other begin."""
    whole_papers(actions.source, 2, paragraphs=40)
    actions.server.control(latency=0.6, sigma=0)
    flags = ("--budget", "1", "--total-papers", 1, "--checkpoint-minutes", 0.15, "--job-minutes", 3.6)
    assert actions.plan(*flags, jobs=1, PAPERFLEET_FULL_TEXT="true").code == 0
    assert actions.begin(1).code == 0
    steps = 0
    while actions.outputs["more"] == "true" and steps < 9:
        assert actions.work(1).code == 0
        steps += 1
    report = actions.collect().report
    assert report["counts"]["done"] == 1, (steps, report["counts"])
    assert 1 < steps < 9
    assert actions.server.stats()["duplicates"] == 0


def test_a_flagged_paper_s_refused_passages_alone_are_asked_again_in_a_later_session(
    actions: Actions,
) -> None:
    whole_papers(actions.source, 1, paragraphs=40)
    actions.server.control(source_left=0.6)
    said = {"PAPERFLEET_FULL_TEXT": "true", "PAPERFLEET_MAX_FAILED": "100%"}
    for session, flags in enumerate(((), ("--retry", "flagged"))):
        before = actions.server.stats()["requests"]
        assert actions.plan("--budget", "1", *flags, jobs=1, **said).code == 0
        assert actions.begin(1).code == 0
        while actions.outputs["more"] == "true":
            actions.work(1, **said)
        report = actions.collect().report
        asked = actions.server.stats()["requests"] - before
        if session == 0:
            assert report["counts"]["flagged"] == 1
            refused = report["segments"]["flagged"]
            assert 0 < refused < 12
        actions.server.control(source_left=0.0)
        actions.next_run()
    assert report["counts"]["done"] == 1
    assert 0 < asked <= 2 * refused
    assert actions.audit().code == 0
    assert report["spend_nano_usd"] == actions.server.stats()["bill_nano_usd"]


@pytest.mark.parametrize("name", ["corpus", "glossary"])
@pytest.mark.parametrize("hostile", ["/proc/self/environ", "../secret.csv", "link.csv"])
def test_no_input_names_a_file_of_the_runner(actions: Actions, name: str, hostile: str) -> None:
    workspace = actions.folder / "workspace"
    workspace.mkdir()
    (actions.folder / "secret.csv").write_text("id,title\n1,secret\n")
    (workspace / "link.csv").symlink_to(actions.folder / "secret.csv")
    named = hostile if hostile.startswith("/") else str(workspace / hostile)
    corpus(workspace / "papers.jsonl", 2)
    actions.source = workspace / "papers.jsonl"
    said = {"GITHUB_WORKSPACE": str(workspace)}
    assert actions.plan(**said).code == 0
    if name == "glossary":
        ran = actions.plan(**said, PAPERFLEET_GLOSSARY=named)
    else:
        actions.source = Path(named)
        ran = actions.plan(**said)
    assert ran.code == 2
    assert f"{name} {named!r}: give a file of the repository" in ran.err
    assert "secret\n" not in ran.err


def test_a_session_is_rehearsed_without_github(actions: Actions) -> None:
    without = {"GITHUB_REPOSITORY": "", "GITHUB_TOKEN": "", "GITHUB_API_URL": "http://127.0.0.1:9"}
    state, results = actions.folder / "state", actions.folder / "results"
    planned = ("--plan", actions.plan_folder)
    ran = actions.plan("--no-history", "--budget", "1", **without)
    assert ran.code == 0, ran.err
    for job in (1, 2):
        folder = actions.job_folder(job)
        assert actions.call("begin", *planned, "--job", job, "--state", folder, **without).code == 0
        assert actions.call("work", "--state", folder, **without).code == 0
    here = [word for job in (1, 2) for word in ("--job-state", actions.job_folder(job))]
    ran = actions.call("collect", *planned, *here, "--state", state, "--output", results, **without)
    assert ran.code == 0, ran.err
    assert ran.report["counts"]["done"] == PAPERS
    assert ran.report["spend_nano_usd"] == actions.server.stats()["bill_nano_usd"]
    assert len((results / "results.jsonl").read_text().splitlines()) == PAPERS
    ran = actions.call("collect", *planned, "--job-state", results, "--state", state, "--output", results)
    assert ran.code == 2
    assert f"{results}: there is no ledger" in ran.err
    (results / "results.jsonl").unlink()
    (results / "results.jsonl").symlink_to(actions.job_folder(1) / "ledger.sqlite3")
    ran = actions.call("collect", *planned, *here, "--state", state, "--output", results)
    assert ran.code == 2
    assert "which is read and would be lost" in ran.err


def test_a_session_is_told_of_once_however_many_jobs_it_has(actions: Actions, ear: Ear) -> None:
    said = {"PAPERFLEET_WEBHOOK": ear.address}
    for budget, events in (("0.0012", ["start", "budget", "parked", "end"]), ("1", ["start", "end"])):
        before = len(ear.heard)
        assert actions.plan("--budget", budget, **said).code == 0
        for job in json.loads(actions.outputs["matrix"])["job"]:
            assert actions.begin(job).code == 0
            actions.work(job)
        actions.collect(**said)
        assert ear.kinds[before:] == events
        actions.next_run()
    assert f"{PAPERS} of {PAPERS} papers finished" in ear.heard[-1]["text"]
    assert "session ended (finished)" in ear.heard[-1]["text"]


def test_a_job_that_the_session_does_not_have_is_refused(actions: Actions) -> None:
    assert actions.plan().code == 0
    ran = actions.begin(7)
    assert ran.code == 2
    assert "no job 7" in ran.err


def test_status_shows_the_queue_of_the_newest_runs(actions: Actions) -> None:
    at = 1_700_000_000
    actions.github.jobs[actions.run_id] = [
        {
            "id": n, "name": f"work {n}", "status": "completed", "conclusion": "success", "run_attempt": 1,
            "created_at": stamp(at), "started_at": stamp(at + 20 * n), "completed_at": stamp(at + 60),
            "runner_name": "hosted",
        }
        for n in (1, 2)
    ]  # fmt: skip
    ran = actions.call("status", "--json")
    assert ran.code == 0, ran.err
    queue = ran.report["queue"]
    assert (queue["slots"], queue["longest_wait_s"], queue["ended"]) == (2, 40, 2)
    assert "work 1" in actions.call("status").out


def test_without_a_token_a_session_does_not_start_as_if_nothing_had_been_paid(actions: Actions) -> None:
    ran = actions.plan(GITHUB_TOKEN="")
    assert ran.code == 2
    assert "GITHUB_TOKEN" in ran.err


def test_a_state_that_has_expired_is_not_paid_for_again(actions: Actions) -> None:
    assert actions.plan().code == 0
    assert actions.collect().code == 0
    actions.github.expired.add("paperfleet-state-1")
    actions.next_run()
    ran = actions.plan()
    assert ran.code == 2
    assert "expired" in ran.err
    assert "pay again" in ran.err


def test_a_state_is_kept_until_a_newer_one_is_there_that_holds_it(actions: Actions) -> None:
    """Never by the session that makes the newer one: it is not saved yet."""
    for limit in (1, 2, 3):
        assert actions.plan("--total-papers", limit, jobs=1).code == 0
        assert (actions.begin(1).code, actions.work(1).code, actions.collect().code) == (0, 0, 0)
        actions.next_run()
    root = actions.github.root
    kept = {path.parent.name for path in root.glob("*/paperfleet-state-1")}
    assert kept == {"101", "102"}, "the newest, and the one before, which the next session deletes"
    actions.github.failures = []
    assert actions.plan(jobs=1).code == 0
    assert actions.planned["pending"] == PAPERS - 3


def test_what_a_stranger_saved_is_not_looked_at(actions: Actions) -> None:
    for run_id, change in (
        (101, {"head_repository": {"full_name": "stranger/papers"}}),
        (102, {"event": "pull_request"}),
    ):
        actions.github.add_run(run_id, **change)
        folder = actions.github.root / str(run_id) / "paperfleet-state-1"
        folder.mkdir(parents=True)
        (folder / "ledger.sqlite3").write_text("no ledger")
    assert actions.plan().code == 0


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (("--run-id", "../../elsewhere"), "run_id"),
        (("--total-papers", "-3"), "total_papers"),
        (("--budget", "much"), "budget"),
        (("--account", "gold"), "account plan"),
        (("--runs-on", "[1, 2"), "runs_on"),
        (("--checkpoint-minutes", "0"), "checkpoint_minutes"),
        (("--job-minutes", "351"), "at most 350"),
        (("--tier", "huge"), "tier"),
        (("--retry", "$(id)"), "retry"),
    ],
)
def test_an_input_that_cannot_be_is_named(actions: Actions, flags: tuple[str, ...], word: str) -> None:
    ran = actions.plan(*flags)
    assert ran.code == 2
    assert word in ran.err


@pytest.mark.parametrize(
    "command",
    sorted(typer.main.get_group(app_of()).commands["actions"].commands),  # a nested group
)
def test_every_command_has_help_with_an_example(command: str) -> None:
    ran = paperfleet("actions", command, "--help")
    assert ran.code == 0
    assert "Example" in ran.out
