"""A simulation's course as charts: SVG and PNG files. Needs the extra `report`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from handlers.errors import UsageError
from handlers.extras import load
from handlers.reporting.page.charts import WIDE, Pen, TimeAxis
from handlers.reporting.page.palette import LIGHT

_BACKGROUND = "#ffffff"
Samples = Sequence[Mapping[str, Any]]
_CHARTS = {
    "papers": ({"done": ("papers done", LIGHT["blue"])}, "papers"),
    "slots": (
        {"slots": ("slots", LIGHT["muted"]), "in_flight": ("calls in flight", LIGHT["blue"])},
        "calls at once",
    ),
    "throttles": ({"throttles": ("calls refused a minute", LIGHT["failed"])}, "refusals a minute"),
}
"""File → (series, title of the y axis)."""


def check_charts(folder: Path) -> None:
    """UsageError, before a simulation of minutes, if its charts could not be written after it."""
    load("vl_convert", extra="report")
    probe = folder / ".probe"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise _unwritable(folder, error) from error


def chart_files(folder: Path) -> list[Path]:
    """All that are written."""
    return [folder / f"{name}.{form}" for name in _CHARTS for form in ("svg", "png")]


def write_charts(samples: Samples, folder: Path) -> list[Path]:
    """``papers``, ``slots`` and ``throttles``, each as .svg and .png. UsageError if a file cannot be
    written or the extra is missing."""
    convert = load("vl_convert", extra="report")
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, svg in _charts(samples):
            vector, pixels = folder / f"{name}.svg", folder / f"{name}.png"
            vector.write_text(svg, encoding="utf-8")
            pixels.write_bytes(convert.svg_to_png(_on_white(svg), scale=2.0))
            written += [vector, pixels]
    except OSError as error:
        raise _unwritable(folder, error) from error
    return written


def _unwritable(folder: Path, error: OSError) -> UsageError:
    return UsageError(f"--charts {folder}: cannot be written ({error.strerror}): give another folder")


def _charts(samples: Samples) -> Iterator[tuple[str, str]]:
    """(file name, SVG)."""
    name, seconds = _unit(samples)
    rows, pen = list(_rows(samples, seconds)), Pen(WIDE)
    axis = TimeAxis(f"time in {name}", rows[-1]["t"] if rows else 1.0)
    for file, (series, y_title) in _CHARTS.items():
        yield file, pen.lines(rows, series, axis=axis, title=y_title)


def _rows(samples: Samples, seconds: float) -> Iterator[dict[str, float]]:
    """Throttles as a rate: between one sample and the one before."""
    before: Mapping[str, Any] = {"at": 0.0, "throttled": 0}
    for sample in samples:
        passed = sample["at"] - before["at"]
        rate = 60 * (sample["throttled"] - before["throttled"]) / passed if passed > 0 else 0.0
        yield {**sample, "t": sample["at"] / seconds, "throttles": rate}
        before = sample


def _unit(samples: Samples) -> tuple[str, float]:
    end = samples[-1]["at"] if samples else 0.0
    if end < 180:
        return "seconds", 1.0
    return ("minutes", 60.0) if end < 10_800 else ("hours", 3600.0)


def _on_white(svg: str) -> str:
    """Transparent drawings are black on dark screens."""
    start = svg.index(">", svg.index("<svg")) + 1
    return f'{svg[:start]}<rect width="100%" height="100%" fill="{_BACKGROUND}"/>{svg[start:]}'
