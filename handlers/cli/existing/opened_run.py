"""The run that a command is about: the one that is named, or the newest of the state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from handlers.bootstrap.state import State, open_state
from handlers.counted import counted
from handlers.errors import UnknownRunError
from handlers.settings import Settings, load_settings
from handlers.state_paths import AHEAD, PILOT, run_folder


@contextmanager
def opened_run(flags: dict[str, Any]) -> Iterator[tuple[State, str]]:
    """Adapters and id of a run that exists. UnknownRunError for a folder without a state, which stays as it
    is."""
    settings = with_run(load_settings(**flags))
    with open_state(settings.run_id, settings) as adapters:
        yield adapters, settings.run_id


def forget_ahead(adapters: State, run_id: str) -> None:
    """Papers that had ended were changed: a session that has written them ahead makes its results anew."""
    (run_folder(adapters.directory, run_id) / AHEAD).unlink(missing_ok=True)


def with_run(settings: Settings) -> Settings:
    """The settings with the run that they mean: without a ``run_id`` the newest of the state, said in a line
    on standard error where it is not the only one or not the one that is called so by default."""
    check_folder(settings)
    if "run_id" in settings.model_fields_set:
        return settings
    with open_state(settings.run_id, settings) as adapters:
        known = adapters.ledger.run_ids()
    runs = [run for run in known if not run.startswith(PILOT)] or known
    if not runs or runs == [settings.run_id]:
        return settings
    more = f", the newest of {counted(len(runs), 'run')}; --run-id names another" if len(runs) > 1 else ""
    typer.echo(f"run {runs[-1]}{more}", err=True)
    return settings.model_copy(update={"run_id": runs[-1]})


def check_folder(settings: Settings) -> None:
    """UnknownRunError if the state folder cannot hold a run."""
    if settings.backend == "embedded":
        _check(settings.state)


def _check(folder: Path) -> None:
    if not folder.is_dir():
        raise UnknownRunError(f"no state folder {folder}: give --state DIR of a run")
    if not any(folder.iterdir()):
        raise UnknownRunError(f"{folder} is empty: no run was started there")
