"""What whole papers cost and take, by ``plan``, beside an estimate and beside a run.

    python -m tests.benchmarks.whole_paper_plans BODIES.jsonl.gz [--papers 28531]

First the cost of ``--papers`` like the Chinese ones of BODIES, before anything is measured, at the list
prices of two models, beside an estimate that counted tokens with a vocabulary of today (o200k). Then `pilot`,
`plan` and `run` over BODIES against the model server, whose answers take as long as they are: calls, tokens,
dollars and seconds as planned and as they were.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

from handlers.model_server import ServerSettings, start
from tests.builders import whole_paper_results as bodies
from tests.builders.command import paperfleet

_ENTRIES = (("gpt-4o-mini", 0.0, 214), ("deepseek-flash", 0.0, 428), ("deepseek-flash", 0.24, 399))
"""Model, share of the prompt that is cached, estimated dollars of 28,531 papers."""
_ESTIMATE = (9.8, 14_206, 8_940)
_PRICES = {"price_in": Decimal("0.30"), "price_out": Decimal("1.20"), "price_cached": Decimal("0.006")}


def costs(source: Path, folder: Path, papers: int) -> None:
    for model, cached, estimate in _ENTRIES:
        assume = folder / "assume.json"
        assume.write_text(json.dumps({"papers": papers, "cached_share": cached}))
        flags = (
            "--model",
            model,
            "--base-url",
            "https://api.example.com/v1",
            "--rpm",
            3000,
            "--assume",
            assume,
        )
        plan = planned(source, folder / "state", *flags)
        corpus, row = plan["corpus"], plan["rows"][-1]
        each = [round(corpus[name] / papers, 1) for name in ("calls", "tokens_prompt", "tokens_completion")]
        hours = min(row["hours"] for row in plan["rows"])
        print(f"{model}, {cached:.0%} of the prompt cached: ${row['cost_usd']:.2f} (estimated ${estimate})")
        print(f"    {hours:.1f} h at 3,000 rpm; a paper: {corpus['passages'] / papers:.1f} passages, {each}")
    print(f"calls, prompt and completion tokens of a paper as estimated: {_ESTIMATE}")


def planned(source: Path, state: Path, *flags: object) -> dict[str, Any]:
    """The plan's JSON."""
    return paperfleet("plan", source, "--full-text", "--state", state, *flags, "--json", timeout=600).report


def story(source: Path, state: Path, jobs: int, workers: int) -> None:
    """Pilot, plan and run, one after the other."""
    settings = ServerSettings(
        mode="canned",
        latency_model="length",
        tokens_per_second=400,
        prompt_cache=True,
        cache_from=64,
        **_PRICES,
    )
    with start(settings) as server:
        prices = [each for name, price in _PRICES.items() for each in (f"--{name.replace('_', '-')}", price)]
        flags = ("--model", "paperfleet-canned", "--base-url", server.base_url, *prices)
        fleet = ("--jobs", jobs, "--workers", workers)
        common = (source, "--full-text", "--state", state, *flags, "--json")
        figures = paperfleet("pilot", *common, timeout=3600).report["figures"]
        plan = planned(source, state, *flags, *fleet)
        file = state / "plans" / "default.json"
        simulated = paperfleet("simulate", "--plan", file, "--json").report
        run = paperfleet("run", *common, *fleet, timeout=3600).report
    row, corpus = plan["rows"][-1], plan["corpus"]
    print(f"pilot: {figures['papers']} papers, known to cost {figures['cost_error']:.1%}, time"
          f" {figures['time_error']:.1%}, a passage's spread {figures['latency_sigma']:.2f}")  # fmt: skip
    for name, before, after in (
        ("calls", corpus["calls"], run["calls"]["sent"]),
        ("prompt tokens", corpus["tokens_prompt"], run["tokens"]["prompt"]),
        ("completion tokens", corpus["tokens_completion"], run["tokens"]["completion"]),
        ("USD", row["cost_usd"], run["spend_usd"]),
        ("seconds", round(3600 * row["hours"], 1), run["wall_s"]),
        ("seconds, simulated", simulated["wall_s"], run["wall_s"]),
        ("calls, simulated", simulated["calls"], run["calls"]["sent"]),
        ("utilization", row["utilization"], round(run["worker_utilization"], 3)),
    ):
        print(f"{name:20}planned {before:>12}  came {after:>12}  {after / before:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bodies", type=Path)
    parser.add_argument("--papers", type=int, default=28_531, help="five sixths of 34,237")
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--workers", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        chinese = (each for each in bodies.papers(options.bodies) if each["language"] == "zh")
        source = bodies.write(Path(folder) / "bodies.jsonl", chinese)
        costs(source, Path(folder), options.papers)
        story(source, Path(folder) / "piloted", options.jobs, options.workers)


if __name__ == "__main__":
    main()
