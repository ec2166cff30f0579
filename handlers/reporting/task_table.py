"""What is said of a task file in text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from handlers.domain.money import dollars

_SHOWN = 4_000
"""Characters of each message of the first request."""


def task_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Of the JSON that ``paperfleet task check`` prints."""
    yield f"task {report['name']}: asks {report['asks'][:12]}, gate {report['gate'][:12]}"
    reads = report["reads"].items()
    yield "reads: " + ", ".join(
        f"{name} ({share:.0%})" if share is not None else name for name, share in reads
    )
    yield "checks: " + ", ".join(report["checks"])
    if report["source"]:
        yield f"source: {report['source']}"
    for why, count in report["skipped"].items():
        yield f"skipped: {count:,} ({why})"
    if sizes := report["requests"]:
        yield (
            f"requests: {sizes['count']:,}{_samples(sizes['samples'])}; tokens of a prompt:"
            f" {sizes['prompt_median']:,} (median),"
            f" {sizes['prompt_largest']:,} (largest){_answer(sizes)}"
        )
    if report["cost_usd"]:
        low, high = report["cost_usd"]
        between = dollars(low) if low == high else f"{dollars(low)} to {dollars(high)}"
        yield (
            f"cost: {between} with {report['model']}, without repairs; a call"
            f" reserves ${report['worst_call_usd'] or 0:.6f} at most"
        )
    elif sizes:
        yield f"cost: no price is known for {report['model']}: give --price-in and --price-out"
    for warning in report["warnings"]:
        yield f"warning: {warning}"
    if report["first"]:
        yield "the first request:"
    for role, text in report["first"]:
        yield f"--- {role}"
        yield text[:_SHOWN]


def _answer(sizes: Mapping[str, Any]) -> str:
    """Nothing of a vector, which has no tokens."""
    usual, most = sizes["answer_usual"], sizes["max_tokens_largest"]
    return f"; of an answer: about {usual:,}, at most {most:,}" if most else ""


def _samples(most: int) -> str:
    return f" at most ({most} to a record, fewer where most agree before)" if most > 1 else ""
