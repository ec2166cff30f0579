"""An installed distribution with checks, as a folder on the path: what ``pip install`` leaves behind."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

CODE = """
import sys, threading

def no_other(answer, record, options):
    said = [f"{answer['field']} is refused" for name in options.get("refuse", []) if answer["field"] == name]
    answer["field"] = "changed"
    record.clear()
    return said

def raises(answer, record, options):
    raise ValueError("boom")

def exits(answer, record, options):
    sys.exit(3)

def text(answer, record, options):
    return "no list"

def nothing(answer, record, options):
    return None

def endless(answer, record, options):
    threading.Event().wait()

class Mute(Exception):
    def __str__(self):
        raise RuntimeError

def mute(answer, record, options):
    raise Mute
"""
_POINTS = ("no_other", "raises", "exits", "text", "nothing", "endless", "mute", "gone")


def installed(
    folder: Path, patch: pytest.MonkeyPatch, *, name: str = "Own_Checks", version: str = "1.0"
) -> None:
    """Each check under its function's name; ``gone`` has none."""
    module = f"{name.lower()}_code"
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (folder / f"{module}.py").write_text(CODE)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    points = "".join(f"{each} = {module}:{each}\n" for each in _POINTS)
    (info / "entry_points.txt").write_text(f"[paperfleet.checks]\n{points}")
    patch.syspath_prepend(str(folder))
    patch.delitem(sys.modules, module, raising=False)
