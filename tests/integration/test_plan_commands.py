"""``pilot``, ``plan``, ``simulate`` and ``run --plan`` as a user types them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from handlers.model_server import RunningServer, ServerSettings
from tests.builders.command import PRICES, Ran, corpus, paperfleet
from tests.builders.warm import start

ORIGINAL = """
papers = 34237
usd_per_paper = 0.0013
[papers_per_worker_hour]
standard = 10
parallel = 5
ultra = 5
extreme = 5
"""


@pytest.fixture
def server() -> Iterator[RunningServer]:
    prices = {"price_in": Decimal("0.15"), "price_out": Decimal("0.60")}
    with start(ServerSettings(mode="canned", latency=0.05, sigma=0.2, **prices)) as running:
        yield running


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return corpus(tmp_path / "papers.jsonl", 120)


def against(server: RunningServer, state: Path) -> list[object]:
    return ["--state", state, "--base-url", server.base_url, "--model", "paperfleet-canned", *PRICES]


def plan(source: Path, state: Path, *flags: object) -> Ran:
    return paperfleet("plan", source, "--state", state, "--model", "gpt-4o-mini", *flags)


def test_the_original_table_comes_out_of_its_assumptions(source: Path, tmp_path: Path) -> None:
    assume = tmp_path / "original.toml"
    assume.write_text(ORIGINAL, encoding="utf-8")
    ran = plan(source, tmp_path / "state", "--assume", assume, "--json")
    assert ran.code == 0, ran.err
    rows = ran.report["rows"]
    assert [row["tier"] for row in rows] == ["standard", "parallel", "ultra", "extreme"]
    assert [float(f"{row['papers_per_hour']:.2g}") for row in rows] == [100, 500, 2_500, 10_000]
    assert [float(f"{row['hours']:.2g}") for row in rows] == [340, 68, 14, 3.4]
    assert {round(row["cost_usd"]) for row in rows} == {45}


def test_a_plan_that_cannot_be_run_is_refused_as_the_run_would_be(source: Path, tmp_path: Path) -> None:
    ran = plan(source, tmp_path / "state", "--flex")
    assert ran.code == 2
    assert "--price-flex-in" in ran.err
    ran = paperfleet("run", source, "--state", tmp_path / "state", "--wait")
    assert ran.code == 2
    assert "--hours offpeak" in ran.err


def test_hours_are_cheaper_at_the_address_that_they_are_known_for(source: Path, tmp_path: Path) -> None:
    told = []
    for address in ("https://api.deepseek.com", "https://gateway.example.com/v1"):
        line = ("plan", source, "--state", tmp_path / "state", "--model", "deepseek-flash")
        ran = paperfleet(*line, "--base-url", address, "--json")
        told.append(next(tier for tier in ran.report["tiers"] if tier["tier"] == "offpeak"))
    assert told[0]["cost_usd"] is not None
    assert told[1]["cost_usd"] is None
    assert "api.deepseek.com alone" in json.dumps(told[1])


@pytest.mark.slow
def test_a_rate_as_one_number_holds_for_all_tiers(source: Path, tmp_path: Path) -> None:
    assume = tmp_path / "assume.json"
    assume.write_text(json.dumps({"papers": 1000, "papers_per_worker_hour": 5}), encoding="utf-8")
    rows = plan(source, tmp_path / "state", "--assume", assume, "--json").report["rows"]
    assert [row["papers_per_hour"] for row in rows] == [50, 500, 2_500, 10_000]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"paper": 1}', "no assumption 'paper'"),
        ('{"papers": 0}', "papers: '0' is not allowed: give a whole number above 0 and up to 1,000,000,000"),
        ('{"papers_per_worker_hour": 0}', "papers_per_worker_hour: 0"),
        ("[1]", "an object wanted"),
        ("{", "cannot be read"),
    ],
)
def test_assumptions_that_cannot_be_are_refused_by_name(
    source: Path, tmp_path: Path, text: str, said: str
) -> None:
    assume = tmp_path / "assume.json"
    assume.write_text(text, encoding="utf-8")
    ran = plan(source, tmp_path / "state", "--assume", assume)
    assert ran.code == 2
    assert said in ran.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (
            ["--workers", 0],
            "from 1 to 1,000 or `auto` (flag --workers, ",
        ),
        (["--workers", "some"], "(flag --workers, "),
        (["--budget", "0.002"], "no plan file is written, for no fleet is recommended"),
        (["--budget", "0.00001"], "give --budget 0.000"),
        (["--deadline", 2], "or more"),
        (["--model", "nobody-prices-me"], "--price-in"),
        (["--platform", "actions", "--account", "gold"], "free, pro, team, enterprise"),
    ],
)
def test_impossible_plans_are_refused_with_what_would_work(
    source: Path, tmp_path: Path, flags: list[object], said: str
) -> None:
    ran = plan(source, tmp_path / "state", *flags)
    assert ran.code == 2
    assert said in ran.err
    assert not list((tmp_path / "state").glob("plans/*"))


def test_a_plan_is_printed_as_markdown_too(source: Path, tmp_path: Path) -> None:
    ran = plan(source, tmp_path / "state", "--platform", "actions", "--markdown")
    assert ran.code == 0
    assert ran.out.startswith("# Plan\n")
    for tier in ("standard 1x10", "parallel 5x20", "ultra 10x50", "extreme 20x100"):
        assert f"| {tier}" in ran.out


@pytest.mark.slow
def test_pilot_plan_and_run_tell_one_story(server: RunningServer, source: Path, tmp_path: Path) -> None:
    state, file = tmp_path / "state", tmp_path / "plan.json"
    piloted = paperfleet("pilot", source, *against(server, state), "--papers", 20, "--json")
    assert piloted.code == 0, piloted.err
    figures = piloted.report["figures"]
    assert (figures["papers"], figures["done"], figures["calls"]) == (20, 20, 20)
    assert server.stats()["requests"] == 20

    planned = paperfleet(
        "plan", source, *against(server, state), "--jobs", 2, "--workers", 5, "--output", file, "--json"
    )
    assert planned.code == 0, planned.err
    assert planned.report["measured"] == figures
    assert planned.report["corpus"]["done"] == 20
    assert planned.report["chosen"] == "custom"
    assert json.loads(file.read_text(encoding="utf-8")) == planned.report

    ran = paperfleet("run", source, "--state", state, "--run-id", "r", "--plan", file, "--json")
    assert ran.code == 0, ran.err
    report = ran.report
    assert report["reused"] == 20, "the pilot's papers are not paid for again"
    assert server.stats()["requests"] == 120
    assert [job["workers"] for job in report["jobs"]] == [5, 5]
    forecast = {each["name"]: each for each in report["forecast"]["figures"]}
    assert report["forecast"]["plan"] == planned.report["hash"]
    assert abs(forecast["cost_usd"]["error"]) < 0.03
    assert forecast["calls"]["error"] == 0
    assert forecast["hours"]["actual"] == round(report["wall_s"] / 3600, 9)
    shown = paperfleet("report", "--state", state, "--run-id", "r", "--format", "md").out
    assert "## Forecast" in shown


@pytest.mark.slow
def test_a_limit_that_nobody_declared_binds_once_a_pilot_has_heard_of_it(
    source: Path, tmp_path: Path
) -> None:
    state, file = tmp_path / "state", tmp_path / "plan.json"
    with start(ServerSettings(mode="canned", latency=0.05, rpm=600, tpm=10**6)) as server:
        piloted = paperfleet("pilot", source, *against(server, state), "--papers", 20)
        assert "600 requests a minute, 1,000,000 tokens a minute" in piloted.out
        ours = [*against(server, state), "--jobs", 2, "--workers", 20, "--json"]
        made = paperfleet("plan", source, *ours, "--output", file).report
        declared = paperfleet("plan", source, *ours, "--rpm", 90).report
    assert made["origins"]["rpm"].startswith("the API's headers, 20")
    assert {row["binding"] for row in made["rows"]} == {"rpm"}
    assert not [each for each in made["warnings"] if "rate limit" in each]
    assert "rpm" not in made["run"], "what nobody declared is not executed"
    assert (declared["origins"]["rpm"], declared["assumptions"]["rpm"]) == ("flag", 90)
    setup = paperfleet("simulate", "--plan", file, "--json").report["setup"]
    assert (setup["rpm"], setup["api_rpm"]) == (None, 600)


@pytest.mark.slow
def test_workers_auto_are_planned_for_and_executed_as_such(
    server: RunningServer, source: Path, tmp_path: Path
) -> None:
    state, file = tmp_path / "state", tmp_path / "plan.json"
    made = paperfleet(
        "plan", source, *against(server, state), "--workers", "auto", "--output", file, "--json"
    )
    assert made.code == 0, made.err
    (row,) = [row for row in made.report["rows"] if row["tier"] == "custom"]
    assert (made.report["chosen"], made.report["run"]["workers"]) == ("custom", "auto")
    assert 10 <= row["workers"] < 500, "120 papers end before there are more"
    assert [each for each in made.report["warnings"] if f"the {row['workers']} workers a job" in each]
    ran = paperfleet("run", source, "--state", state, "--plan", file, "--json")
    assert ran.code == 0, ran.err
    (job,) = ran.report["jobs"]
    assert 10 <= job["workers"] <= row["workers"], "those that it had in the mean, not its ceiling"
    refused = paperfleet("run", source, "--state", state, "--plan", file, "--workers", 20)
    assert "--workers 20 is not what was planned (auto)" in refused.err


@pytest.mark.slow
def test_a_corpus_that_grew_is_planned_by_what_is_new_and_the_pilot_holds(
    server: RunningServer, source: Path, tmp_path: Path
) -> None:
    state, ours = tmp_path / "state", against(server, tmp_path / "state")
    assert paperfleet("pilot", source, *ours, "--papers", 20).code == 0
    assert paperfleet("run", source, *ours).code == 0
    before = paperfleet("plan", source, *ours, "--json").report
    assert (before["corpus"]["sent"], before["corpus"]["done"]) == (0, 120)
    lines = source.read_text(encoding="utf-8").splitlines(keepends=True)
    english = json.loads(lines[0]) | {"id": "en-1", "language": "en", "title": "A title in English"}
    new = corpus(tmp_path / "new.jsonl", 10, seed=2).read_text(encoding="utf-8").replace("paper-", "new-")
    source.write_text("".join(lines) + new + json.dumps(english) + "\n", encoding="utf-8")
    plan = paperfleet("plan", source, *ours, "--json").report
    assert {name: plan["corpus"][name] for name in ("papers", "sent", "done", "skipped")} == {
        "papers": 131, "sent": 10, "done": 120, "skipped": {"already in en": 1},
    }  # fmt: skip
    assert plan["measured"]["papers"] == 20
    assert any("before this corpus grew" in each for each in plan["warnings"])
    billed = server.stats()["bill_nano_usd"]
    again = paperfleet("pilot", source, *ours, "--papers", 5, "--json").report
    assert (again["corpus"]["sent"], again["corpus"]["done"]) == (30, 100), "its own papers are its sample"
    ran = paperfleet("run", source, *ours, "--run-id", "grown", "--json")
    assert ran.code == 0, ran.err
    took = (server.stats()["bill_nano_usd"] - billed) / 10**9
    assert took == pytest.approx(plan["rows"][0]["cost_usd"], rel=0.05)
    assert (state / "runs" / "grown").is_dir()


@pytest.mark.slow
def test_a_larger_pilot_goes_on_from_a_smaller_one(
    server: RunningServer, source: Path, tmp_path: Path
) -> None:
    for papers in (10, 20):
        ran = paperfleet("pilot", source, *against(server, tmp_path / "state"), "--papers", papers, "--json")
        assert ran.code == 0, ran.err
    assert len(ran.report["runs"]) == 2
    assert ran.report["figures"]["calls"] == 20
    assert server.stats()["requests"] == 20


@pytest.mark.slow
def test_the_budget_of_a_pilot_is_for_all_its_samples_together(
    server: RunningServer, source: Path, tmp_path: Path
) -> None:
    flags = [*against(server, tmp_path / "state"), "--json"]
    assert paperfleet("pilot", source, *flags, "--papers", 10).code == 0
    budget = Decimal(server.stats()["bill_nano_usd"]) / 10**9 + Decimal("0.000001")
    ran = paperfleet("pilot", source, *flags, "--papers", 20, "--budget", budget)
    assert ran.code == 4, ran.err
    assert server.stats()["bill_nano_usd"] <= budget * 10**9


@pytest.mark.slow
def test_a_pilot_that_meets_a_refusal_of_the_key_measures_nothing(source: Path, tmp_path: Path) -> None:
    with start(ServerSettings(mode="canned", api_key="another")) as server:
        ran = paperfleet("pilot", source, *against(server, tmp_path / "state"), "--json")
    assert ran.code == 4
    assert ran.report["figures"] is None


@pytest.mark.slow
def test_a_flag_against_the_plan_is_refused_before_anything_runs(
    server: RunningServer, source: Path, tmp_path: Path
) -> None:
    state, file = tmp_path / "state", tmp_path / "plan.json"
    assert (
        paperfleet("plan", source, *against(server, state), "--tier", "parallel", "--output", file).code == 0
    )
    ran = paperfleet("run", source, "--state", state, "--plan", file, "--jobs", 3)
    assert ran.code == 2
    assert "--jobs 3 is not what was planned (5)" in ran.err
    other = corpus(tmp_path / "other.jsonl", 3, seed=9)
    ran = paperfleet("run", other, "--state", state, "--plan", file)
    assert (ran.code, "another corpus" in ran.err) == (2, True)
    assert server.stats()["requests"] == 0


SIMULATED = ("simulate", "--papers", 3000, "--jobs", 4, "--workers", 25, "--api-rpm", 3000)


def test_a_simulation_prints_what_binds() -> None:
    ran = paperfleet(*SIMULATED, "--json")
    assert ran.code == 0, ran.err
    assert ran.report["samples"][-1]["done"] == 3000
    assert ran.report["binding"] == "rate_limit"
    assert ran.report["setup"]["jobs"] == 4


@pytest.mark.slow
def test_a_simulation_draws_its_course(tmp_path: Path) -> None:
    assert paperfleet(*SIMULATED, "--charts", tmp_path).code == 0
    for name in ("papers", "slots", "throttles"):
        assert (tmp_path / f"{name}.svg").read_text(encoding="utf-8").startswith("<svg")
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_plan_is_simulated_with_its_own_figures(source: Path, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    made = plan(source, tmp_path / "state", "--jobs", 2, "--workers", 10, "--output", file, "--json").report
    found = paperfleet("simulate", "--plan", file, "--json").report
    assert found["papers"] == made["corpus"]["sent"]
    assert (found["setup"]["jobs"], found["setup"]["workers"]) == (2, 10)
    row = next(row for row in made["rows"] if row["tier"] == "custom")
    assert found["wall_s"] / 3600 == pytest.approx(row["hours"], rel=0.25)
    wider = paperfleet("simulate", "--plan", file, "--workers", 20, "--json").report
    assert wider["wall_s"] < found["wall_s"]


@pytest.mark.slow
def test_a_plan_without_a_paper_to_send_is_not_simulated_as_if_it_had_some(tmp_path: Path) -> None:
    english, file = tmp_path / "english.jsonl", tmp_path / "plan.json"
    english.write_text(
        json.dumps({"id": "a", "title": "On models", "language": "en"}) + "\n", encoding="utf-8"
    )
    assert plan(english, tmp_path / "state", "--output", file).code == 0
    ran = paperfleet("simulate", "--plan", file)
    assert (ran.code, "no paper to send; --papers" in ran.err) == (2, True)
    assert paperfleet("simulate", "--plan", file, "--papers", 5).code == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--jobs", 0], "--jobs"),
        (["--papers", "many"], "--papers"),
        (["--tier", "gold"], "standard, parallel"),
        (["--charts", "/proc/nowhere"], "give another folder"),
        (["--plan", "nowhere.json"], "nowhere.json"),
    ],
)
def test_a_simulation_that_cannot_be_is_refused(flags: list[object], said: str) -> None:
    ran = paperfleet("simulate", *flags)
    assert ran.code == 2
    assert said in ran.err


def guide_lines() -> list[str]:
    """The commands of the guide to plans, in its order."""
    text = (Path(__file__).parents[2] / "docs/how-to/plan.md").read_text(encoding="utf-8")
    block = text.partition("```sh\n")[2].partition("```")[0]
    return [line.partition("paperfleet ")[2] for line in block.splitlines()]


@pytest.mark.slow
def test_the_guides_commands_work_one_after_the_other(source: Path, tmp_path: Path) -> None:
    lines = guide_lines()
    assert [line.split()[0] for line in lines] == ["pilot", "plan", "simulate", "run"]
    with start(ServerSettings(mode="canned")) as server:
        swapped = {
            "papers.jsonl": source, "NAME": "gpt-4o-mini", "https://api.example.com/v1": server.base_url,
            "plan.json": tmp_path / "plan.json", "charts": tmp_path / "charts",
        }  # fmt: skip
        for line in lines:
            ran = paperfleet(
                *(swapped.get(word, word) for word in line.split()), PAPERFLEET_STATE=str(tmp_path / "state")
            )
            assert ran.code == 0, ran.err
    assert "Forecast" in ran.out


@pytest.mark.slow
def test_the_original_assumptions_are_a_file_of_this_repository(source: Path, tmp_path: Path) -> None:
    assume = Path(__file__).parents[1] / "data" / "original_table.toml"
    rows = plan(source, tmp_path / "state", "--assume", assume, "--json").report["rows"]
    assert [round(row["papers_per_hour"]) for row in rows] == [100, 500, 2_500, 10_000]
