"""Where settings come from besides flags, and that no name there goes unheard."""

from __future__ import annotations

import os
from collections.abc import Collection
from difflib import get_close_matches
from typing import Any

from pydantic_settings import TomlConfigSettingsSource

from handlers.errors import UsageError

PREFIX = "PAPERFLEET_"
FILE = "paperfleet.toml"
SECRETS = {"api_key", "webhook"}
"""Settings that are read from the environment alone."""
_NO_SETTINGS = {
    *("corpus", "schedule", "account", "runs_on", "continue", "job_minutes", "checkpoint_minutes"),
    *("aws_role", "deploy_role", "package", "corpus_dir", "test_built"),
}
"""Read by the workflows and the tests, as variables of the same prefix."""


def check_environment(known: Collection[str]) -> None:
    """UsageError for a variable that is no setting: ``PAPERFLEET_BUGDET=3`` would be no budget at all."""
    for variable in sorted(os.environ):
        name = variable.upper().removeprefix(PREFIX).lower()
        if not variable.upper().startswith(PREFIX) or name in known or name in _NO_SETTINGS:
            continue
        raise UsageError(f"{variable} is no setting{_nearest(name, known, PREFIX)}")


class TomlFile(TomlConfigSettingsSource):
    """The file next to a project is committed sooner or later: it refuses secrets."""

    def __call__(self) -> dict[str, Any]:
        values = super().__call__()
        for name in sorted(SECRETS & values.keys()):
            raise UsageError(f"{FILE}: {name} does not belong in a file; set {PREFIX}{name.upper()} instead")
        known = self.settings_cls.model_fields
        for name in sorted(values.keys() - known.keys()):
            raise UsageError(f"{FILE}: {name} is no setting{_nearest(name, known, '')}")
        return values


def _nearest(name: str, known: Collection[str], prefix: str) -> str:
    found = get_close_matches(name.lower().replace("-", "_"), list(known), n=1, cutoff=0.6)
    near = (prefix + found[0].upper() if prefix else found[0]) if found else ""
    return f": is {near} meant?" if near else "; docs/reference/settings.md lists them all"
