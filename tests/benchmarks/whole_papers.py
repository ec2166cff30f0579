"""Whole papers through ``paperfleet run --full-text`` and the model server, each promise with its figure.

    python -m tests.benchmarks.whole_papers BODIES.jsonl.gz [clean faults wall giant kills deadlines]
        [--jobs 4] [--workers 50] [--latency 1] [--hedge 0.05] [--abstracts ABSTRACTS.jsonl.gz]

Runs the parts that are named, else all of them (half an hour), on the papers of BODIES that are in Chinese.
``clean`` and ``faults`` gloss and have every accepted body read by a checker of its own code; the others are
of the clock. Export is part of each run. Exit code 1 if a figure is not as good as it has to be.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from handlers.model_server import RunningServer, ServerSettings, start
from tests.benchmarks.process import Memory, timed
from tests.builders import whole_paper_results as bodies
from tests.builders.command import Ran, Running, corpus, job_processes, paperfleet, run_flags, until

Row = tuple[str, object, bool]
_PRICED = {"price_in": Decimal("0.15"), "price_out": Decimal("0.60")}
_FAULTS = ("malformed", "dropped_placeholder", "source_left", "wrong_numbers", "refusal", "length_cut")
_NEW_FAULTS = ("dropped_segment", "added_structure")
_RATE = 0.05
_GIANT = 460_000
_FLUSH = 25
"""Papers or passages of a job's last flush."""
_AUDITED = ("audit", "--run-id", "r", "--json", "--state")


class Bench:
    """A model server and a state folder for one scenario."""

    def __init__(self, options: argparse.Namespace, source: Path, server: RunningServer, state: Path) -> None:
        self.source, self.server, self.state = source, server, state
        self.jobs, self.workers = options.jobs, options.workers
        self.flags = [*run_flags(source, state, server), "--jobs", self.jobs, "--workers", self.workers]
        if options.hedge:
            self.flags += ["--hedge", options.hedge]

    def run(self, *flags: object) -> Ran:
        return paperfleet(*self.flags, "--full-text", *flags, timeout=3600)

    def checked(self) -> bodies.Checked:
        return bodies.checked(self.source, self.state / "runs" / "r" / "results.jsonl")

    @property
    def audited(self) -> bool:
        """Whether the audit finds no difference."""
        return paperfleet(*_AUDITED, self.state, timeout=600).code == 0


@contextmanager
def bench(options: argparse.Namespace, source: Path, **settings: Any) -> Iterator[Bench]:
    with (
        tempfile.TemporaryDirectory() as state,
        start(ServerSettings(**({"mode": "canned"} | _PRICED | settings))) as server,
    ):
        yield Bench(options, source, server, Path(state))


def clean(options: argparse.Namespace) -> Iterator[Row]:
    """Done, and whole."""
    with bench(options, options.source, mode="gloss", latency=0.05) as b:
        report, found = b.run().report, b.checked()
        yield ("done of 237 (at least 234)", found.done, found.done >= 234)
        yield from (("  not done", each[:200], True) for each in found.flagged)
        yield from damage(found)
        calls, stats = report["calls"]["sent"], b.server.stats()
        yield ("calls a paper", round(calls / max(1, report["papers"]), 2), True)
        yield ("segments", report.get("segments"), True)
        yield (
            "ledger equals bill",
            report["spend_nano_usd"],
            report["spend_nano_usd"] == stats["bill_nano_usd"],
        )
        b.run()
        again = b.server.stats()["requests"] - stats["requests"]
        yield ("calls of a second run", again, again == 0)
        yield ("audit without differences", b.audited, b.audited)


def damage(found: bodies.Checked) -> Iterator[Row]:
    """What accepted bodies have or lack that they must not."""
    formulas, headings = found.of("formula", "link"), found.of("heading", "paragraphs")
    others = sum(found.kinds.values()) - formulas - headings
    yield (f"papers with one of {found.formulas:,} formulas and links changed", formulas, not formulas)
    yield ("papers with other headings or paragraphs", headings, not headings)
    yield (f"papers with other damage {dict(found.kinds)}", others, not others)
    yield from (("  damage", each[:200], False) for each in found.said[:20])


def faults(options: argparse.Namespace) -> Iterator[Row]:
    """With quality faults, then tried again without."""
    for names, least in ((_FAULTS, 220), ((*_FAULTS, *_NEW_FAULTS), 200)):
        rates = dict.fromkeys(names, _RATE)
        with bench(options, options.source, mode="gloss", latency=0.05, **rates) as b:
            report, found = b.run().report, b.checked()
            yield (
                f"5% of each of {len(names)} faults: done of 237 (at least {least})",
                found.done,
                found.done >= least,
            )
            yield from (("  not done", each[:200], True) for each in found.flagged)
            yield from damage(found)
            yield ("calls", report["calls"]["sent"], True)
            yield from retried(b, dict.fromkeys(names, 0.0))


def retried(b: Bench, rates: dict[str, float]) -> Iterator[Row]:
    """The flagged papers once more, by a model without faults."""
    refused, before = bodies.refused_passages(b.state), b.server.stats()
    b.server.control(**rates)
    paperfleet("retry", "--flagged", "--run-id", "r", "--state", b.state)
    report = b.run().report
    calls = b.server.stats()["requests"] - before["requests"]
    yield (f"retry: calls for {refused} refused passages (at most 2 each)", calls, calls <= 2 * refused)
    yield ("retry: then done", report["counts"]["done"], True)
    yield ("retry: audit without differences", b.audited, b.audited)


def wall(options: argparse.Namespace) -> Iterator[Row]:
    """Time against the bound of latency, CPU against an abstract's."""
    with bench(options, options.source, latency=options.latency) as b:
        ran, _, cpu, memory = timed([*b.flags, "--full-text"])
        report, stats = ran.report, b.server.stats()
        bound = stats["latency_sum"] / (b.jobs * b.workers)
        over, calls = report["wall_s"] / bound, report["calls"]["sent"]
        yield (f"wall over the bound of latency, {bound:.1f} s (at most 1.15)", round(over, 3), over <= 1.15)
        found = [each[:2] for each in bodies.calls(b.state)]
        ideal = bodies.list_schedule([each[1] for each in found], b.jobs * b.workers)
        span = max(map(sum, found)) - found[0][0]
        yield ("first call to last answer over the bound; over a list schedule",
               f"{span / bound:.3f}; {span / ideal:.3f}", True)  # fmt: skip
        idle = bodies.idle_slots(found, b.jobs * b.workers)
        yield ("idle slots over the calls' own time", {name: round(each, 3) for name, each in idle.items()},
               True)  # fmt: skip
        yield (
            f"wall over a list schedule of the same calls, {ideal:.1f} s",
            round(report["wall_s"] / ideal, 3),
            True,
        )
        yield ("utilization", round(report["worker_utilization"], 3), True)
        spent, bill = report["spend_nano_usd"], stats["bill_nano_usd"]
        held = round(1e9 * report["held_usd"])  # for calls that were cut off
        yield ("ledger and bill, what is held beside it", f"{spent}; {bill}; {held}",
               spent == bill or (held and spent + held >= bill))  # fmt: skip
        yield ("calls sent a second time", stats["duplicates"], True)
        yield ("calls; done", f"{calls}; {report['counts']['done']}", True)
        million = sum(len(each["body"]) for each in bodies.papers(options.source)) / 1e6
        yield ("CPU of ingest, jobs and export, s a million characters (at most 3.5)",
               round(cpu / million, 2), cpu / million <= 3.5)  # fmt: skip
        mine = 1000 * cpu / calls
        yield from peak(memory)
    with bench(options, options.abstracts, latency=options.latency) as b:
        ran, _, cpu, _ = timed(b.flags)
        theirs = 1000 * cpu / ran.report["calls"]["sent"]
        yield ("CPU a call, ms; of abstracts", f"{mine:.2f}; {theirs:.2f}", True)
        yield (
            "CPU a passage over an abstract's (at most 1.2)",
            round(mine / theirs, 2),
            mine <= 1.2 * theirs,
        )


def peak(memory: Memory) -> Iterator[Row]:
    yield ("peak memory of one job, MB (under 80)", round(memory.largest_rss), memory.largest_rss < 80)


def giant(options: argparse.Namespace) -> Iterator[Row]:
    """One paper of 460 KB alone."""
    with tempfile.TemporaryDirectory() as folder:
        source = bodies.write(Path(folder) / "giant.jsonl", [bodies.giant(options.bodies, _GIANT)])
        with bench(options, source, latency=5 * options.latency) as b:
            ran, _, _, memory = timed([*b.flags, "--full-text"])
            bound, ideal, span = bodies.two_stages(b.state, b.workers)
            over, report = ran.report["wall_s"] / bound, ran.report
            yield (
                "a paper of 460 KB alone",
                f"{report['counts']} {report['calls']['sent']} calls",
                report["counts"]["done"] == 1,
            )
            yield (f"wall over its two stages, {bound:.1f} s (at most 1.3)", round(over, 3), over <= 1.3)
            yield ("first call to last answer over them", round(span / bound, 3), True)
            yield (
                f"wall over a list schedule of its calls, {ideal:.1f} s",
                round(report["wall_s"] / ideal, 3),
                True,
            )
            yield from peak(memory)


def kills(options: argparse.Namespace) -> Iterator[Row]:
    """A job, and all of them, killed at half way, twice each."""
    with bench(options, options.source, latency=options.latency) as b:
        calls = b.run().report["calls"]["sent"]
    for name, kill in (("one job killed", one_job), ("all killed", everything)):
        for time in (1, 2):
            yield from killed(options, calls, f"{name}, {time}", kill)


def killed(
    options: argparse.Namespace, calls: int, name: str, kill: Callable[[Running, Path], int]
) -> Iterator[Row]:
    with bench(options, options.source, latency=options.latency) as b:
        with Running(*b.flags, "--full-text") as running:
            until(lambda: b.server.stats()["requests"] >= calls // 2, seconds=600)
            in_flight = b.server.stats()["in_flight"]
            dead = kill(running, b.state)
            ran = running.end(timeout=1800)
        if ran.code < 0:
            ran = b.run()
        report, stats = ran.report, b.server.stats()
        flying = in_flight * dead // b.jobs
        allowed = dead * (b.workers + _FLUSH)
        spent, bill, pending = report["spend_nano_usd"], stats["bill_nano_usd"], report["counts"]["pending"]
        yield (f"{name}: papers pending", pending, pending == 0)
        yield (f"{name}: calls resent, {flying} in flight (at most {allowed})", stats["duplicates"],
               stats["duplicates"] <= allowed)  # fmt: skip
        yield (f"{name}: ledger over bill (at least 1)", round(spent / bill, 4), spent >= bill)
        yield (f"{name}: audit without differences", b.audited, b.audited)


def one_job(_running: Running, state: Path) -> int:
    os.kill(job_processes(state)[0], signal.SIGKILL)
    return 1


def everything(running: Running, state: Path) -> int:
    jobs = len(job_processes(state))
    os.killpg(running.pid, signal.SIGKILL)
    return jobs


def deadlines(options: argparse.Namespace) -> Iterator[Row]:
    """Sessions of 20 s, by few workers, until nothing is pending."""
    with bench(options, options.source, latency=options.latency) as b:
        sessions, pending, parts = 0, 1, []
        while pending and sessions < 60:
            report = b.run("--deadline", 20, "--workers", 5).report
            sessions, pending = sessions + 1, report["counts"]["pending"]
            parts.append(sum(bool(each.get("passage")) for each in bodies.part_lines(b.state)))
        stats = b.server.stats()
        yield ("sessions of 20 s, 4 jobs x 5 workers", sessions, pending == 0)
        yield ("durable lines of passages, by session", parts, parts == sorted(parts))
        yield ("calls resent", stats["duplicates"], stats["duplicates"] == 0)
        yield (
            "ledger equals bill",
            report["spend_nano_usd"],
            report["spend_nano_usd"] == stats["bill_nano_usd"],
        )
        yield ("audit without differences", b.audited, b.audited)


PARTS = {each.__name__: each for each in (clean, faults, wall, giant, kills, deadlines)}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bodies", type=Path)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], default=[])
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--workers", type=int, default=50)
    parser.add_argument("--latency", type=float, default=1.0)
    parser.add_argument("--hedge", type=float, help="share of calls that may be sent a second time")
    parser.add_argument("--abstracts", type=Path, help="2,400 lines of it are run [default: made up]")
    options = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory() as folder:
        chinese = (each for each in bodies.papers(options.bodies) if each["language"] == "zh")
        options.source = bodies.write(Path(folder) / "bodies.jsonl", chinese)
        options.abstracts = abstracts(options.abstracts, Path(folder) / "abstracts.jsonl")
        for name in options.parts or PARTS:
            print(f"--- {name}: {PARTS[name].__doc__}", flush=True)
            for what, value, kept in PARTS[name](options):
                print(f"{'  ' if kept else '✗ '}{what:72}{value}", flush=True)
                good = good and kept
    return 0 if good else 1


def abstracts(source: Path | None, path: Path, most: int = 2_400) -> Path:
    if source is None:
        return corpus(path, most)
    return bodies.write(path, [each for each, _ in zip(bodies.papers(source), range(most), strict=False)])


if __name__ == "__main__":
    sys.exit(main())
