"""What a figure of a run's page is, and the money words that the page shares."""

from __future__ import annotations

from dataclasses import dataclass

from handlers.domain.run_report import RunReport


@dataclass(frozen=True)
class Figure:
    """``chart`` is trusted HTML of our own making; everything else is text to be escaped."""

    key: str
    title: str
    says: str
    chart: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def projected_usd(report: RunReport) -> float:
    """What the whole corpus will have cost, by the sizes of the pending papers."""
    return report.spend_usd if report.expected is None else report.expected.cost_usd


def usd(amount: float) -> str:
    """Cents where they tell enough, more digits for small amounts."""
    if amount == 0 or amount >= 1:
        return f"${amount:,.2f}"
    return f"${amount:.4f}" if amount >= 0.01 else f"${amount:.6f}"


def seconds(duration: float) -> str:
    """``1.44 s``, and milliseconds where those tell more."""
    return f"{duration:.2f} s" if duration >= 0.1 else f"{1000 * duration:.1f} ms"


def percent(part: float, whole: float) -> str:
    """``2.6%``: never 0% of what is there nor 100% of what is not all."""
    share = 100 * part / whole if whole else 0.0
    if 0 < share < 0.05:
        return "<0.1%"
    if 99.95 <= share < 100:
        return ">99.9%"
    return f"{share:.0f}%" if share in (0, 100) else f"{share:.1f}%"
