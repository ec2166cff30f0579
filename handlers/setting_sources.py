"""Where settings come from besides flags, and that no name there goes unheard."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings, TomlConfigSettingsSource

from handlers.errors import UsageError
from handlers.local_containers import refuse_unfilled

PREFIX = "PAPERFLEET_"
_OURS = PREFIX.removesuffix("_")
_LONGEST = 60
"""Characters of a variable's name that is compared with ours."""
FILE = "paperfleet.toml"
SECRETS = {"api_key", "webhook"}
"""Settings that are read from the environment alone."""
_IN_NO_FILE = SECRETS | {"allow_plugins"}
"""A folder that somebody sends must not bring the right to run code along."""
_NO_SETTINGS = {
    *("corpus", "schedule", "account", "runs_on", "continue", "job_minutes", "checkpoint_minutes"),
    *("aws_role", "deploy_role", "package", "plugins", "corpus_dir", "test_built"),
}
"""Read by the workflows and the tests, as variables of the same prefix."""


def check_environment(known: Collection[str]) -> None:
    """UsageError for a variable that is no setting: ``PAPERFLEET_BUGDET=3`` would be no budget at all, and
    no more would ``PAPER_FLEET_BUDGET=3``; and for one that has a word for a value (``local_containers``)."""
    refuse_unfilled(os.environ)
    squeezed = {name.replace("_", "").upper(): name for name in known}
    for variable in sorted(os.environ):
        name = variable.upper().removeprefix(PREFIX).lower()
        if not variable.upper().startswith(PREFIX):
            if (meant := _misspelt_prefix(variable.upper().replace("_", ""), squeezed)) is not None:
                raise UsageError(f"{variable} is no setting: is {PREFIX}{meant.upper()} meant?")
        elif name not in known and name not in _NO_SETTINGS:
            raise UsageError(f"{variable} is no setting{_nearest(name, known, PREFIX)}")


def _misspelt_prefix(variable: str, known: Mapping[str, str]) -> str | None:
    """The setting that a variable ends with, where what stands before it is nearly our prefix."""
    if variable[:1] != _OURS[0] or len(variable) > _LONGEST:
        return None
    heads = {variable.removesuffix(each): name for each, name in known.items() if variable.endswith(each)}
    near = get_close_matches(_OURS, list(heads), n=1, cutoff=0.8)
    return heads[near[0]] if near else None


class TomlFile(TomlConfigSettingsSource):
    """The file next to a project is committed sooner or later: it refuses secrets."""

    def _read_file(self, file_path: Path | Traversable) -> dict[str, Any]:
        """UsageError for what is no TOML. Editors on Windows begin files with a byte order mark."""
        try:
            return tomllib.loads(file_path.read_text(encoding="utf-8-sig"))
        except ValueError as error:
            raise UsageError(
                f'{FILE}: cannot be read ({error}); a line of it is like `budget = 45` or `model = "NAME"`'
            ) from error

    def __call__(self) -> dict[str, Any]:
        values = super().__call__()
        for name in sorted(_IN_NO_FILE & values.keys()):
            raise UsageError(f"{FILE}: {name} does not belong in a file; set {PREFIX}{name.upper()} instead")
        known = self.settings_cls.model_fields
        for name in sorted(values.keys() - known.keys()):
            if isinstance(values[name], dict):
                raise UsageError(
                    f"{FILE}: [{name}] is a section, and settings stand without one: leave it out"
                )
            raise UsageError(f"{FILE}: {name} is no setting{_nearest(name, known, '')}")
        return values


def _nearest(name: str, known: Collection[str], prefix: str) -> str:
    found = get_close_matches(name.lower().replace("-", "_"), list(known), n=1, cutoff=0.6)
    near = (prefix + found[0].upper() if prefix else found[0]) if found else ""
    return f": is {near} meant?" if near else "; docs/reference/settings.md lists them all"


def to_environment(settings: BaseSettings) -> dict[str, str]:
    """The settings as ``PAPERFLEET_*`` for a job's process, without the secrets, which it inherits."""
    values = settings.model_dump(mode="json", exclude=SECRETS, exclude_none=True)
    return {
        PREFIX + name.upper(): value if isinstance(value, str) else json.dumps(value)
        for name, value in values.items()
    }
