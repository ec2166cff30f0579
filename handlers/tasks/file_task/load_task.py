"""A task file from the disk, or a bundle from a store: strict, and with file and line in every error."""

from __future__ import annotations

import hashlib
import json
import math
import re
import tomllib
from collections.abc import Iterable
from datetime import date, time
from pathlib import Path as FilePath
from typing import Any

from handlers.errors import DamagedObjectError
from handlers.state_paths import TASKS
from handlers.tasks.file_task.beside_file import UnreadableError, read_beside, read_task_file
from handlers.tasks.file_task.plugins.installed_checks import installed_check
from handlers.tasks.file_task.resolve_task import resolve
from handlers.tasks.file_task.task_bundle import TaskBundle
from handlers.tasks.file_task.task_fault import Path, TaskFault, TaskFileError, named, shown
from handlers.tasks.file_task.toml_lines import key_lines, line_of

_AT = re.compile(r" \(at line (\d+), column (\d+)\)$")
_LONG_KEY = re.compile(
    r"""(?<![A-Za-z0-9_.-])(?:(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){100}"""
)
"""The standard library's reader takes time in the square of a key's parts."""
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PINNED = ("distribution", "version")
_BESIDE = (("prompt", "system_file"), ("prompt", "user_file"), ("output", "schema_file"))


def load_task(path: FilePath, allowed: Iterable[str] = ()) -> TaskBundle:
    """TaskFileError says where what is wrong: ``own.toml, line 9: repair.trys: unknown; nearest: tries``.
    ``allowed``: distributions whose plugins may judge."""
    name = shown(path.name or str(path))
    try:
        text = read_task_file(str(path))
    except UnreadableError as error:
        raise TaskFileError(f"{shown(str(path))}: {error}") from None
    if long := _LONG_KEY.search(text):
        number = text.count("\n", 0, long.start()) + 1
        raise TaskFileError(f"{name}, line {number}: a key has a hundred parts or more")
    try:
        value = tomllib.loads(text)
        _take_files(value, str(path.parent))
        for table in {"example", "check"} & value.keys():
            value[table] = _plain(value[table], (table,))
        _pin_plugins(value.get("check"), tuple(allowed))
        return resolve(value).armed(allowed)
    except ValueError as error:  # also of a number of thousands of digits
        at = _AT.search(str(error))
        where = f", line {at[1]}" if at else ""
        raise TaskFileError(f"{name}{where}: no TOML: {_AT.sub('', str(error))[:200]}") from None
    except RecursionError:
        raise TaskFileError(f"{name}: its values are nested too deep") from None
    except TaskFault as fault:
        line = line_of(key_lines(text), fault.path)
        where = f", line {line}" if line is not None else ""
        said = named(fault.path)
        raise TaskFileError(f"{name}{where}: {said + ': ' if said else ''}{fault.sentence}") from None


def _pin_plugins(checks: object, allowed: tuple[str, ...]) -> None:
    """Put the distribution and version of each plugin into its table: the stored bundle has them."""
    for place, table in enumerate(checks if isinstance(checks, list) else ()):
        if not isinstance(table, dict) or table.get("kind") != "plugin":
            continue
        path: Path = ("check", place)
        if given := next((name for name in _PINNED if name in table), None):
            raise TaskFault((*path, given), "unknown: which code runs --allow-plugins says, and no file")
        name = table.get("plugin")
        if not isinstance(name, str):
            raise TaskFault((*path, "plugin"), "the name of an installed check is wanted")
        try:
            found = installed_check(name, allowed)
        except ValueError as error:
            raise TaskFault((*path, "plugin"), str(error)) from None
        table |= {"distribution": found.distribution, "version": found.version}


def _plain(value: object, path: Path) -> object:
    """A value of TOML as JSON has it, and so a stored bundle: dates are texts, as records have them."""
    if isinstance(value, dict):
        return {name: _plain(each, (*path, name)) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each, (*path, place)) for place, each in enumerate(value)]
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        raise TaskFault(path, f"{value} is no number that JSON has")
    return value


def _take_files(value: dict[str, Any], folder: str) -> None:
    """Put the texts of files in the place of their names."""
    for table_name, key in _BESIDE:
        table = value.get(table_name)
        if not isinstance(table, dict) or key not in table:
            continue
        path: Path = (table_name, key)
        plain = key.removesuffix("_file")
        if plain in table:
            raise TaskFault(path, f"{plain} is given as well: one of them is wanted")
        if not isinstance(table[key], str):
            raise TaskFault(path, "the name of a file beside the task file is wanted")
        try:
            text = read_beside(folder, table[key])
        except UnreadableError as error:
            raise TaskFault(path, f"{shown(table[key])}: {error}") from None
        del table[key]
        table[plain] = _json(text, path) if plain == "schema" else text


def _json(text: str, path: Path) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TaskFault(path, f"no JSON: {str(error)[:200]}") from None


def bundle_of(content: bytes, digest: str) -> TaskBundle:
    """A stored bundle, as hostile as any: DamagedObjectError if it is not the one of that digest, or none."""
    if hashlib.sha256(content).hexdigest() != digest:
        raise DamagedObjectError(
            f"{key_of(digest)} is not what it was when the run was made: remove it from the store, and submit"
            " the run again with its --task FILE"
        )
    try:
        value = json.loads(content)
        if not isinstance(value, dict):
            raise TaskFault((), "no object")
        return resolve(value)
    except (ValueError, RecursionError) as error:
        raise DamagedObjectError(f"{key_of(digest)} cannot be read: {error}") from None
    except TaskFault as fault:
        raise DamagedObjectError(f"{key_of(digest)}: {named(fault.path)}: {fault.sentence}") from None


def key_of(digest: str) -> str:
    """Of a bundle in an object store. DamagedObjectError if it is no digest: a request may say anything."""
    if not _DIGEST.fullmatch(digest):
        raise DamagedObjectError(f"task_bundle: {shown(digest)!r} is no digest of a task file")
    return f"{TASKS}/{digest}.json"
