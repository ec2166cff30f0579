"""Peers on one bench: the same prompts, server and limits; tables and a picture for the documentation.

    make bench
    python -m tests.benchmarks.peers [--peers NAME ...] [--scenarios NAME ...] [--calls 2000] [--runs 3]
        [--patience 180] [--page docs/benchmarks.md]

Each peer lives in an environment of its own under ``.envs`` (made here, versions pinned below) and is
configured as its documentation says; ``peer_clients`` has what was run. Paperfleet does the whole way:
masking, gate, ledger, results. Scenarios: ``100`` and ``1000`` calls in flight, and ``limited`` (50 a
second, 3% of answers 500, 503 or 529, 100 in flight); ``whole`` and ``schema`` are whole papers and a task
whose answers have a schema, for the peers that hand a form on. After each a shorter run is ended by
``kill -9`` at half way: which of the answers that the server had delivered are on disk. A peer that has not
finished after ``--patience`` seconds is ended and stands in the table as such, with what it lost.

Without ``--readme`` the table of what was run is printed, and nothing is kept. With it, figures are kept in
``peers.json``, and a run with fewer peers or scenarios replaces its part alone. Exit code 1 if Paperfleet
lost a paper, or if a peer could not be installed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.medians import median
from tests.benchmarks.peer_bench import FOR_FEW, PEERS, SCENARIOS, Bench, Peer, environment
from tests.benchmarks.peers_page import DURABLE, WALL, render

_KEPT = Path(__file__).with_name("peers.json")
_PAPERFLEET = "paperfleet"
_KILLED_CALLS = 600
"""Calls of a run that is killed at half way; at least two for each in flight."""


def measured(peer: Peer | None, scenario: str, options: argparse.Namespace) -> dict[str, Any]:
    """Medians of its runs; of one that went wrong its figures alone, and no further runs."""
    runs: list[dict[str, Any]] = []
    least = max(_KILLED_CALLS, 2 * SCENARIOS[scenario][0])
    while len(runs) < options.runs and not any(isinstance(run[WALL], str) for run in runs):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            runs.append(Bench(peer, scenario, options.calls, Path(folder), options.patience).run())
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            killed = Bench(peer, scenario, min(options.calls, least), Path(folder), options.patience)
            runs[-1][DURABLE] = killed.run_killed()
    wrong = [run for run in runs if isinstance(run[WALL], str)]
    return {"runs": len(wrong or runs)} | median(wrong or runs)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [_PAPERFLEET, *(peer.environment for peer in PEERS)]
    parser.add_argument("--peers", nargs="*", default=names, choices=names)
    parser.add_argument("--scenarios", nargs="*", default=list(SCENARIOS), choices=list(SCENARIOS))
    parser.add_argument("--calls", type=int, default=2_000)
    parser.add_argument("--runs", type=int, default=1, help="medians of so many")
    parser.add_argument("--patience", type=float, default=180.0, help="seconds after which a peer is ended")
    parser.add_argument("--page", type=Path, help="put the tables between the markers of this file")
    options = parser.parse_args()
    kept: dict[str, Any] = json.loads(_KEPT.read_text()) if options.page and _KEPT.exists() else {}
    failed = False
    for peer in (None, *PEERS):
        name = peer.environment if peer else _PAPERFLEET
        if name not in options.peers:
            continue
        try:
            shown = f"{peer.name} {environment(peer)}" if peer else "Paperfleet, the whole way"
        except subprocess.CalledProcessError as error:
            print(f"{name} could not be installed: {error}", file=sys.stderr)
            failed = True
            continue
        found = kept.setdefault(name, {})
        found["name"] = shown
        for scenario in options.scenarios:
            if peer is not None and not peer.takes_forms and scenario in FOR_FEW:
                continue
            found[scenario] = measured(peer, scenario, options)
            failed |= peer is None and found[scenario]["lost"] > 0
            print(f"{shown}, {scenario}: {json.dumps(found[scenario])}", flush=True)
            if options.page:
                _KEPT.write_text(json.dumps(kept, indent=1) + "\n")
    render({name: kept[name] for name in names if name in kept}, options.page)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
