"""The fastest tier against the bound of latency: workers over mean latency.

    python -m tests.benchmarks.extreme CORPUS.jsonl.gz [--papers 34237] [--jobs 20] [--workers 100]
        [--latency-model length|lognormal] [--scale 1.0] [--tls] [--runs 3] [--json]

The corpus is repeated, each time with a sentence of its own, until there are ``--papers`` texts. Latency
follows the answer's length (time to the first token, tokens a second, lognormal noise), about 9 s in the
mean; ``--latency-model lognormal`` follows nothing (median 8 s, sigma 0.5). ``--scale 0.1`` makes all of it
ten times faster. ``--runs 3`` ingests the source once, and prints each figure's median, least and most over
three runs, each of them with a state and a server of its own and other noise.

Every figure comes from the calls' own records: the bound is the sum of latencies over the number of
workers, counted from the first call; the ideal list schedule gives the same latencies, in the order in
which they were started, each to the first worker that is free. Exit code 1 if a paper or call is lost.
"""

from __future__ import annotations

import argparse
import gzip
import heapq
import ipaddress
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from handlers.model_server import ServerSettings, start
from tests.benchmarks.medians import summary, table
from tests.benchmarks.process import Memory, timed
from tests.builders.command import paperfleet, run_flags

_SIGMA = {"length": 0.25, "lognormal": 0.5}


@dataclass(frozen=True)
class Call:
    started_at: float
    latency: float
    size: int
    """Characters of the paper."""
    ok: bool

    @property
    def ended_at(self) -> float:
        return self.started_at + self.latency


def enlarged(source: Path, target: Path, papers: int) -> Path:
    """The first ``papers`` texts of a corpus that is repeated as often as it takes, English ones left out
    (they need no call)."""
    opened = gzip.open if source.suffix == ".gz" else open
    with opened(source, "rt", encoding="utf-8") as file:
        originals = [paper for line in file if _is_sent(paper := json.loads(line))]
    with target.open("w", encoding="utf-8") as file:
        for number in range(papers):
            again, position = divmod(number, len(originals))
            paper = dict(originals[position])
            if again:
                paper["id"] = f"{paper['id']}-{again}"
                paper["abstract"] += f"本文为第{again}次修订。"
            file.write(json.dumps(paper, ensure_ascii=False) + "\n")
    return target


def _is_sent(paper: dict[str, Any]) -> bool:
    return (
        bool(paper.get("abstract"))
        and paper.get("language", "zh") != "en"
        and "ND" not in str(paper.get("license")).upper().split("-")
    )


def calls(state: Path, sizes: dict[str, int]) -> Iterator[Call]:
    """Every call of the run, from the parts."""
    for segment in sorted((state / "runs" / "r" / "segments").glob("*.jsonl")):
        with segment.open(encoding="utf-8") as file:
            for line in map(json.loads, file):
                for call in line["calls"]:
                    size = sizes.get(line["id"], 0)
                    ok = call["outcome"] == "ok"
                    yield Call(call["started_at"], call["latency"], size, ok)


def list_schedule(latencies: list[float], workers: int) -> float:
    """Seconds that these take, in this order, each given to the first worker that is free."""
    free = [0.0] * workers
    for latency in latencies:
        heapq.heapreplace(free, free[0] + latency)
    return max(free)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return paths


def runs(options: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    """The figures of each run, as it ends."""
    corpus = enlarged(options.corpus, folder / "papers.jsonl", options.papers)
    known = folder / "known"
    if options.ingested or options.runs > 1:
        paperfleet("ingest", corpus, "--state", known, timeout=600)
    for number in range(1, options.runs + 1):
        state = folder / f"state-{number}"
        if known.exists():
            shutil.copytree(known, state)
        yield measure(options, folder, corpus, state, seed=number)
        shutil.rmtree(state)


def measure(
    options: argparse.Namespace, folder: Path, corpus: Path, state: Path, *, seed: int
) -> dict[str, Any]:
    tls = dict(zip(("tls_certificate", "tls_key"), certificate(folder), strict=True)) if options.tls else {}
    settings = ServerSettings(
        seed=seed,
        mode="canned",
        latency_model=options.latency_model,
        latency=8.0 * options.scale,
        sigma=_SIGMA[options.latency_model] if options.sigma is None else options.sigma,
        ttft=options.ttft * options.scale,
        tokens_per_second=options.tokens_per_second / options.scale,
        price_in=Decimal("0.15"),
        price_out=Decimal("0.60"),
        **tls,
    )
    environment = {"PAPERFLEET_CA_FILE": str(tls["tls_certificate"])} if tls else {}
    with start(settings) as server:
        flags = run_flags(corpus, state, server)
        began = time.time()
        flags += ["--jobs", options.jobs, "--workers", options.workers, *options.extra]
        ran, wall, cpu, memory = timed(flags, every=2.0, **environment)
        ended = time.time()
        if not ran.out:
            raise SystemExit(ran.err)
        stats = server.stats()
    sizes = {}
    with corpus.open(encoding="utf-8") as file:
        for paper in map(json.loads, file):
            sizes[paper["id"]] = len(paper["title"]) + len(paper["abstract"])
    made = list(calls(state, sizes))
    return figures(options, made, ran.report, stats, memory) | {
        "command to first call, s": round(min(call.started_at for call in made) - began, 2),
        "wall of the command, s": round(wall, 1),
        "last answer to exit, s": round(ended - stats["last_answer_at"], 2),
        "client CPU a paper, ms": round(1000 * cpu / options.papers, 2),
        "load of the machine": round(os.getloadavg()[0], 2),
    }


def figures(
    options: argparse.Namespace,
    made: list[Call],
    report: dict[str, Any],
    stats: dict[str, Any],
    memory: Memory,
) -> dict[str, Any]:
    workers = options.jobs * options.workers
    made.sort(key=lambda call: call.started_at)
    first = made[0].started_at
    latencies = [call.latency for call in made]
    ended = sorted(call.ended_at - first for call in made)
    bound = sum(latencies) / workers
    ideal = list_schedule(latencies, workers)
    return {
        "papers": report["papers"],
        "done": report["counts"]["done"],
        "flagged": report["counts"]["flagged"],
        "pending or failed": report["counts"]["pending"] + report["counts"]["failed"],
        "calls": len(made),
        "transport errors": report["calls"]["transient"] + report["calls"]["fatal"],
        "mean latency, s": round(statistics.fmean(latencies), 2),
        "correlation with the size": round(statistics.correlation(latencies, [c.size for c in made]), 2),
        "bound, s": round(bound, 1),
        "run over the bound": round(ended[-1] / bound, 3),
        "98% of the papers over the bound": round(ended[int(0.98 * len(ended))] / bound, 3),
        "ideal list schedule over the bound": round(ideal / bound, 3),
        "run over the ideal list schedule": round(ended[-1] / ideal, 3),
        "latency added by the client, ms": round(
            1000 * (sum(latencies) - stats["latency_sum"]) / len(made), 1
        ),
        "PSS of all, MB": round(memory.total),
        "RSS of the largest job, MB": round(memory.largest_rss),
        "PSS of the largest job, MB": round(memory.largest),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--papers", type=int, default=34_237)
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--workers", type=int, default=100)
    parser.add_argument("--latency-model", default="length", choices=["length", "lognormal"])
    parser.add_argument("--sigma", type=float, help="spread of the noise (0.25 with length, else 0.5)")
    parser.add_argument("--ttft", type=float, default=0.8)
    parser.add_argument("--tokens-per-second", type=float, default=50.0)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--ingested", action="store_true", help="ingest before the clock starts")
    parser.add_argument("--runs", type=int, default=1, help="medians of so many; the source is ingested once")
    parser.add_argument("--json", action="store_true")
    options, options.extra = parser.parse_known_args()
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for each in runs(options, Path(folder)):
            found.append(each)
            if options.runs > 1:
                print(f"run {len(found)}: {json.dumps(each)}", file=sys.stderr, flush=True)
    if options.json:
        print(json.dumps(found[0] if options.runs == 1 else summary(found)))
    else:
        print(table(found))
    return 1 if any(each["pending or failed"] or each["transport errors"] for each in found) else 0


if __name__ == "__main__":
    sys.exit(main())
