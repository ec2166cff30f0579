"""The commands that the benchmarks' page lists are there with the flags that it names; their tables."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks import medians, paired, peer_work, peers_page
from tests.builders import documents
from tests.builders.command import paperfleet

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "benchmarks.md"
NO_HELP = {
    "bodies",
    "export_rate",
    "fractional_cpu",
    "shard_million",
    "shard_million_aws",
    "throttled",
}
"""They take numbers, or a corpus, alone."""


def commands() -> list[str]:
    text = "".join(documents.text_of(page) for page in documents.pages())
    return sorted(set(re.findall(r"`python -m tests\.benchmarks\.([^`]+)`", text)))


_ASK_ALL = """
import contextlib, io, json, runpy, sys
told = {}
for module in sys.argv[1:]:
    sys.argv, out = [module, "--help"], io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        runpy.run_module(f"tests.benchmarks.{module}", run_name="__main__", alter_sys=True)
    told[module] = out.getvalue()
print(json.dumps(told))
"""


@cache
def helps() -> dict[str, str]:
    """Benchmark → what it answers to ``--help``."""
    modules = {command.split()[0] for command in commands()} - NO_HELP
    line = [sys.executable, "-c", _ASK_ALL, *sorted(modules)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, cwd=ROOT, check=True)
    told: dict[str, str] = json.loads(done.stdout)
    return told


@cache
def flags_of_run() -> list[str]:
    """Flags of ``run``, which some benchmarks hand on."""
    return re.findall(r"--[a-z-]+", paperfleet("run", "--help", COLUMNS="200").out)


@pytest.mark.parametrize("command", commands())
def test_a_benchmark_that_is_named_takes_the_flags_that_are_named(command: str) -> None:
    module, *arguments = shlex.split(command)
    assert (ROOT / "tests" / "benchmarks" / f"{module}.py").is_file()
    known = set() if module in NO_HELP else set(re.findall(r"--[a-z-]+", helps()[module]))
    if "parse_known_args" in (ROOT / "tests" / "benchmarks" / f"{module}.py").read_text(encoding="utf-8"):
        known |= set(flags_of_run())
    flags = {argument for argument in arguments if argument.startswith("--")}
    assert flags <= known


def test_every_benchmark_stands_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for path in (ROOT / "tests" / "benchmarks").glob("*.py"):
        if '__name__ == "__main__"' in path.read_text(encoding="utf-8"):
            assert f"tests.benchmarks.{path.stem}" in page, path.stem


@pytest.mark.parametrize(
    "path", sorted((ROOT / "tests" / "benchmarks").glob("*.py")), ids=lambda path: path.stem
)
def test_a_benchmark_finds_what_it_imports(path: Path) -> None:
    import_module(f"tests.benchmarks.{path.stem}".removesuffix(".__init__"))


def test_several_runs_show_median_least_and_most() -> None:
    runs = [{"wall, s": 3.0, "what": "a"}, {"wall, s": 1.0, "what": "a"}, {"wall, s": 2.5, "what": "b"}]
    assert medians.median(runs) == {"wall, s": 2.5, "what": "a"}
    assert medians.summary(runs)["wall, s"] == {"median": 2.5, "min": 1.0, "max": 3.0}
    assert re.search(r"wall, s +2\.5 +1\.0 +3\.0", medians.table(runs))
    assert "median" not in medians.table(runs[:1])


def row(**changes: Any) -> dict[str, Any]:
    found = {
        peers_page.WALL: 1.1, "CPU a call, ms": 2.1, "peak memory, MB": 87, "start-up, s": 0.7, "refused": 0,
        "lost": 0, "paid twice": 0, peers_page.DURABLE: "92%", "calls": 2000, "runs": 1,
    }  # fmt: skip
    return found | changes


def test_a_peer_that_does_not_finish_stands_in_the_table_as_such() -> None:
    found = {
        "paperfleet": {"name": "Paperfleet", "1000": row(runs=3)},
        "slow": {"name": "slow 1.0", "1000": row(**{peers_page.WALL: "not finished after 180 s"}, lost=7)},
    }
    table = peers_page.table(found)
    assert "| 1,000 in flight, 2,000 calls, median of 3 | wall over the bound |" in table
    assert "| slow 1.0 (2,000 calls) | not finished after 180 s | 2.1 | 87 | 0.7 | 0 | 7 | 0 | 92% |" in table
    assert "100 in flight, 2" not in table.replace("1,000 in flight", "")


def test_the_page_has_the_tables_of_the_figures_that_are_kept() -> None:
    kept = json.loads((ROOT / "tests/benchmarks/peers.json").read_text(encoding="utf-8"))
    assert peers_page.PICTURE.read_text(encoding="utf-8") == peers_page.picture(kept)
    assert peers_page.table(kept) in PAGE.read_text(encoding="utf-8")


RATIOS = {peers_page.WALL: 1.5, "CPU a call, ms": 2.0, "peak memory, MB": 1.4}


def compared(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, now: dict[str, float | None], *flags: str, lost: int = 0
) -> int:
    """Exit code of ``paired`` where a release with ``RATIOS`` was kept and the pairs give these."""
    kept = tmp_path / "benchmarks.json"
    if not kept.exists():
        kept.write_text(json.dumps({"0.9": {"2x500": {"CPU a call, ms": 9.0}}, "1.0": {"2x500": RATIOS}}))
    monkeypatch.setattr(paired, "KEPT", kept)
    monkeypatch.setattr(paired, "environment", lambda peer: "1.0")
    monkeypatch.setattr(paired, "pair", lambda *given: now | {"lost": lost, "lost by the peer": 0})
    monkeypatch.setattr(sys, "argv", ["paired", "--shapes", "2x500", *flags])
    return paired.main()


@pytest.mark.parametrize("name", list(RATIOS))
def test_a_figure_that_is_a_tenth_worse_than_the_last_release_is_red(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compared(monkeypatch, tmp_path, RATIOS | {name: 1.09 * RATIOS[name]}, "--against", "0.1") == 0
    assert compared(monkeypatch, tmp_path, RATIOS | {name: 1.12 * RATIOS[name]}, "--against", "0.1") == 1
    assert f"worse: 2x500, {name}" in capsys.readouterr().out
    assert compared(monkeypatch, tmp_path, RATIOS | {name: None}, "--against", "0.1") == 1
    assert compared(monkeypatch, tmp_path, RATIOS, "--against", "0.1", lost=1) == 1


def test_a_release_is_held_against_from_when_it_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    slower = {name: 2 * ratio for name, ratio in RATIOS.items()}
    assert compared(monkeypatch, tmp_path, slower, "--keep", "1.1") == 0
    assert compared(monkeypatch, tmp_path, slower, "--against", "0.1") == 0


def test_the_nightly_workflow_holds_figures_against_the_last_release() -> None:
    nightly = (ROOT / ".github" / "workflows" / "nightly.yml").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "run: make figures" in nightly and '"paired --against 0.1"' in makefile
    (last,) = [*paired.kept().values()][-1:]
    assert {str(shape) for shape in paired.SHAPES} <= set(last)


def test_peers_are_asked_what_paperfleet_asks(tmp_path: Path) -> None:
    for work, calls in ((peer_work.ABSTRACTS, 20), (peer_work.SCHEMA, 20), (peer_work.WHOLE, 20)):
        papers = work.papers(tmp_path / "papers.jsonl", calls)
        assert peer_work.prompts(work, papers, tmp_path / "prompts.jsonl") == pytest.approx(calls, abs=4)
        rows = [json.loads(line) for line in (tmp_path / "prompts.jsonl").read_text("utf-8").splitlines()]
        assert all(bool(row["form"]) is (work is peer_work.SCHEMA) for row in rows)
