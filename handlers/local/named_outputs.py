"""Files that a command is told to write, held apart from what it reads: a slip of the name loses neither a
source nor a state.

Each command that reads files notes them in its state, so that later ones, which name none, know them too.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from handlers.errors import UsageError
from handlers.setting_sources import FILE
from handlers.settings import Settings
from handlers.state_paths import CORPORA, LEDGER, LOCK, QUEUE, RUN_PLAN, RUNS

_NOTED = (CORPORA, ".sources")
_ENDING = ".path"
_NAMED_BY_TASKS = (("prompt", "system_file"), ("prompt", "user_file"), ("output", "schema_file"))
_RUN_FILES = ("run.json", RUN_PLAN)
Outputs = Sequence[tuple[str, Path | None]]
"""Flags that name what a command writes, and what they name."""


def note_inputs(settings: Settings, *read: str | Path | None) -> None:
    """Keep in the state which files a command reads; its settings' own among them. Nothing is lost where
    they cannot be kept."""
    folder = settings.state.joinpath(*_NOTED)
    for path in {os.path.realpath(each) for each in (*_files(read), *_of_settings(settings))}:
        place = folder / (hashlib.sha256(os.fsencode(path)).hexdigest() + _ENDING)
        with suppress(OSError):
            if not place.exists():
                folder.mkdir(parents=True, exist_ok=True)
                place.write_bytes(os.fsencode(path))


def keep_apart(settings: Settings, outputs: Outputs, *read: str | Path | None) -> None:
    """UsageError if writing one of the ``outputs`` of a command (flag, and a file or a folder that is
    replaced; None and ``-`` are none) would lose a file of the state, another output, or a file that is read:
    here (``read``), by the settings, or by an earlier command on the state. Links and other spellings of a
    name are followed."""
    written = [(flag, path) for flag, path in outputs if path is not None and str(path) != "-"]
    for flag, path in written:
        _keep_from_read(settings, flag, path, *read)
    for (flag, path), (other_flag, other) in itertools.combinations(written, 2):
        if _are_one(path, other):
            raise UsageError(f"{other_flag} {other}: {flag} writes that too: give another name")


def _are_one(path: Path, other: Path) -> bool:
    """Whether what is written last replaces the other; a device takes both."""
    if any(each.exists() and not (each.is_file() or each.is_dir()) for each in (path, other)):
        return False
    one, two = _real(path), _real(other)
    return one == two or one in two.parents or two in one.parents or _is_same(path, (other,))


def _keep_from_read(settings: Settings, flag: str, output: Path, *read: str | Path | None) -> None:
    state, target = _real(settings.state), _real(output)
    if _is_of_state(target, state) or _is_same(output, (state / LEDGER, state / QUEUE)):
        raise UsageError(
            f"{flag} {output}: that is part of the state {settings.state}: give a file outside of it"
        )
    inputs = (*_files(read), *_of_settings(settings), *_noted(settings.state))
    lost = next((each for each in inputs if _is_same(output, (each,))), None)
    if lost is not None:
        raise UsageError(
            f"{flag} {output}: that is {lost}, which is read and would be lost: give another name"
        )
    within = (each for each in inputs if output.is_dir() and target in _real(each).parents)
    if output.is_dir() and (target == state or target in state.parents):
        raise UsageError(f"{flag} {output}: the state {settings.state} is in that folder: give a new one")
    if (held := next(within, None)) is not None:
        raise UsageError(f"{flag} {output}: {held}, which is read, is in that folder: give a new one")


def _is_of_state(target: Path, state: Path) -> bool:
    """Whether a path is where the state keeps what cannot be made again; reports and results can."""
    try:
        parts = target.relative_to(state).parts
    except ValueError:
        return False
    if len(parts) <= 1:
        return bool(parts) and (parts[0] in (CORPORA, "tasks", RUNS) or _is_ledger(parts[0]))
    inside_run = parts[0] == RUNS and (len(parts) > 3 or parts[-1] in _RUN_FILES or len(parts) == 2)
    return parts[0] in (CORPORA, "tasks") or inside_run


def _is_ledger(name: str) -> bool:
    return name.startswith((LEDGER, QUEUE, LOCK))


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _is_same(output: Path, others: Iterable[Path]) -> bool:
    """Whether it is one of these files, by whatever name."""
    for other in others:
        with suppress(OSError, ValueError):
            if output.samefile(other):
                return True
    return False


def _files(read: Iterable[str | Path | None]) -> Iterator[Path]:
    for each in read:
        with suppress(OSError, ValueError):
            if each is not None and Path(each).exists():
                yield Path(each)


def _of_settings(settings: Settings) -> Iterator[Path]:
    yield from _files((FILE, settings.task, settings.glossary, settings.ca_file))
    if settings.task is not None:
        yield from _files(_beside(settings.task))


def _beside(task: Path) -> Iterator[Path]:
    """Files that a task file names."""
    with suppress(OSError, ValueError, RecursionError):
        tables = tomllib.loads(task.read_text("utf-8-sig"))
        for table, key in _NAMED_BY_TASKS:
            named = tables.get(table)
            if isinstance(named, dict) and isinstance(named.get(key), str):
                yield task.parent / named[key]


def _noted(state: Path) -> Iterator[Path]:
    with suppress(OSError):
        for place in state.joinpath(*_NOTED).glob("*" + _ENDING):
            with suppress(OSError, ValueError):
                yield Path(os.fsdecode(place.read_bytes()))
