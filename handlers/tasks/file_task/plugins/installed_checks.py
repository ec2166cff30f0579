"""Checks that installed distributions offer under the entry point ``paperfleet.checks``.

A name is looked up among entry points and never imported as a path, and only of distributions that a flag or
the environment names. Their versions are part of what judges answers (entry points specification, PyPA).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from handlers.errors import UsageError
from handlers.tasks.file_task.task_fault import nearest

GROUP = "paperfleet.checks"
PluginFunction = Callable[[dict[str, Any], dict[str, str], dict[str, Any]], list[str]]
"""``check(answer, record, options)``: sentences that say what is wrong, none if nothing is."""


@dataclass(frozen=True)
class InstalledCheck:
    """One that is allowed here."""

    name: str
    distribution: str
    version: str
    point: EntryPoint

    def function(self) -> PluginFunction:
        """UsageError if it cannot be loaded."""
        try:
            found: PluginFunction = self.point.load()
        except Exception as error:  # whatever a stranger's module does when it is imported
            said = f"{type(error).__name__}: {error}"[:300]
            raise UsageError(f"plugin {self.name} of {self.distribution} cannot be loaded: {said}") from error
        if not callable(found):
            raise UsageError(f"plugin {self.name} of {self.distribution} is no function")
        return found


def normal_name(distribution: str) -> str:
    """As PyPI compares names (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).strip().lower()


def installed_check(name: str, allowed: Iterable[str]) -> InstalledCheck:
    """ValueError says why there is none, and what to do about it. ``allowed``: names of distributions."""
    points = [each for each in entry_points(group=GROUP) if each.dist is not None]
    named = [each for each in points if each.name == name]
    if not named:
        there = sorted({each.name for each in points})
        near = nearest(name, there) if there else "; none is installed here"
        raise ValueError(f"no check {name[:60]!r} is installed (entry point of {GROUP}){near}")
    wanted = {normal_name(each) for each in allowed}
    mine = [each for each in named if normal_name(_distribution(each)) in wanted]
    if not mine:
        offered = _distribution(named[0])
        raise ValueError(
            f"{name!r} is code of the distribution {offered}, and no file allows that: give --allow-plugins"
            f" {offered}, or set PAPERFLEET_ALLOW_PLUGINS"
        )
    if len({normal_name(_distribution(each)) for each in mine}) > 1:
        both = " and ".join(sorted({_distribution(each) for each in mine}))
        raise ValueError(f"{name!r} is a check of {both}: allow one of them")
    point = mine[0]
    return InstalledCheck(name, _distribution(point), _version(point), point)


def _distribution(point: EntryPoint) -> str:
    return "" if point.dist is None else str(point.dist.name)


def _version(point: EntryPoint) -> str:
    return "" if point.dist is None else str(point.dist.version)


def loaded_check(name: str, pinned: Sequence[str], allowed: Iterable[str]) -> PluginFunction:
    """The function of a check whose (distribution, version) a bundle names. UsageError if it is not allowed
    here, or is another one."""
    try:
        found = installed_check(name, allowed)
    except ValueError as error:
        raise UsageError(f"the task's check {name}: {error}") from None
    distribution, version = pinned
    here = normal_name(found.distribution), found.version
    if here != (normal_name(distribution), version):
        raise UsageError(
            f"the run judges by {name} of {distribution} {version}, and {found.distribution} {found.version}"
            f" is installed here: install {distribution}=={version}, or `regate --task FILE` judges by"
            " this one"
        )
    return found.function()
