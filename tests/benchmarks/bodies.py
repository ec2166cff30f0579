"""Prints what the bodies of a corpus are cut into: ``python -m tests.benchmarks.bodies CORPUS.jsonl.gz``."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.builders.body_figures import BodyFigures, body_figures


def table(figures: BodyFigures) -> str:
    papers = max(1, len(figures.passages))
    rows = [
        ("papers; of them Chinese", f"{figures.papers}; {papers}"),
        ("blocks", ", ".join(f"{kind} {count}" for kind, count in figures.kinds.most_common())),
        ("kept, % of Chinese characters", ", ".join(_shares(figures))),
        ("odd in the source", ", ".join(f"{name} {count}" for name, count in sorted(figures.notes.items()))),
        (
            "passages a paper; most",
            f"{sum(figures.passages) / papers:.1f}; {max(figures.passages, default=0)}",
        ),
        ("segments; cells sent once for several", f"{figures.segments}; {figures.repeated}"),
        ("tokens sent a paper, reckoned", f"{figures.weight / papers:.0f}"),
        ("CPU of cutting, s a million characters", f"{figures.cpu / max(1, figures.characters) * 1e6:.2f}"),
        ("begins elsewhere than another reader says", str(len(figures.other_begins))),
        ("complaints of the checker", str(len(figures.complaints))),
        ("lines left in Chinese", str(len(figures.untranslated))),
    ]
    return "\n".join(f"| {name} | {value} |" for name, value in rows)


def _shares(figures: BodyFigures) -> list[str]:
    total = max(1, figures.chinese)
    return [f"{rule} {100 * count / total:.1f}" for rule, count in figures.kept.most_common()]


if __name__ == "__main__":
    print(table(body_figures(Path(sys.argv[1]))))
