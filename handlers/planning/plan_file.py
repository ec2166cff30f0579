"""A plan as a file that ``run --plan`` executes: what ``plan --json`` prints, sealed with a hash."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from handlers.atomic_file import replacing
from handlers.domain.fleet_tiers import CUSTOM
from handlers.domain.plan import Plan, PlanFile
from handlers.domain.value import sha256_of
from handlers.errors import UsageError, first_problem
from handlers.setting_sources import PREFIX
from handlers.settings import Settings, load_settings, settings_of

_OF_THE_MACHINE = ("state", "run_id", "tier", "ca_file", "proxy")
_EXECUTED = tuple(name for name in settings_of("plan") if name not in _OF_THE_MACHINE)
"""Settings that a plan fixes. Not among them: where its state lies and under which id it runs, and by which
way, trusting whom, this machine reaches the API."""
_OPEN = frozenset({"base_url", "auth_header", "call_timeout", "read_timeout"})
"""May be given to ``run`` if the plan says nothing of them: they say where the API is."""


def seal(plan: Plan, settings: Settings) -> PlanFile:
    """The plan with what executes it. ``settings`` are those that were planned with."""
    row = plan.row(plan.chosen)
    fixed = settings.model_dump(mode="json", include=set(_EXECUTED), exclude_none=True)
    if row is not None:
        auto = settings.workers == "auto" and plan.chosen == CUSTOM
        fixed |= {"jobs": row.jobs, "workers": "auto" if auto else row.workers}
    whole = {"v": 1, **plan.model_dump(mode="json"), "run": fixed}
    return PlanFile.model_validate({**whole, "hash": sha256_of(whole)})


def write(plan: PlanFile, path: Path) -> None:
    """Whole or not at all. UsageError if it cannot be written."""
    try:
        with replacing(path, durable=False) as scratch:
            scratch.write_text(plan.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"plan {path}: cannot be written ({error.strerror})") from error


def set_apart(path: Path, plan: PlanFile) -> Path | None:
    """Where the plan of another corpus that is at the place of this one is kept; None if there is none."""
    try:
        other = read(path).corpus.sha256
    except UsageError:
        return None
    if other == plan.corpus.sha256:
        return None
    kept = path.with_name(f"{path.stem}-{other[:8]}.json")
    path.replace(kept)
    return kept


def read(path: Path) -> PlanFile:
    """UsageError if it is no plan, or was changed since it was made."""
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        plan = PlanFile.model_validate(whole)
    except (OSError, ValueError) as error:
        what = first_problem(error) if isinstance(error, ValidationError) else str(error)
        raise UsageError(f"--plan {path}: cannot be read as a plan: {what}") from error
    if sha256_of({name: value for name, value in whole.items() if name != "hash"}) != plan.hash:
        raise UsageError(
            f"--plan {path}: its hash does not fit: it was changed by hand. Plan again, with --assume FILE"
            " for other figures"
        )
    if foreign := sorted(plan.run.keys() - set(_EXECUTED)):
        raise UsageError(f"--plan {path}: {foreign[0]} is nothing that a plan fixes: plan again")
    return plan


def run_flags(plan: PlanFile, flags: Mapping[str, Any]) -> dict[str, Any]:
    """The flags of the run that the plan stands for. UsageError if one that was given says otherwise."""
    if plan.chosen is None:
        raise UsageError(f"the plan recommends nothing that can be executed: {plan.reason}")
    flags = {name: value for name, value in flags.items() if value is not None}
    for name in ("tier", *_EXECUTED):
        if name not in flags or (name in _OPEN and name not in plan.run):
            continue
        planned = plan.chosen if name == "tier" else plan.run.get(name)
        if planned is None or _setting(name, flags[name]) != _setting(name, planned):
            flag = "--" + name.replace("_", "-")
            raise UsageError(
                f"{flag} {flags[name]} is not what was planned ({'nothing' if planned is None else planned}):"
                f" leave it out, or make another plan with it"
            )
    return {name: value for name, value in flags.items() if name != "tier"} | plan.run


def check_settings(plan: PlanFile, settings: Settings) -> None:
    """UsageError if environment or ``paperfleet.toml`` add what the plan does not have."""
    for name in _EXECUTED:
        if name not in plan.run and name not in _OPEN and getattr(settings, name) is not None:
            raise UsageError(
                f"{PREFIX}{name.upper()} or paperfleet.toml sets {name} to {getattr(settings, name)}, which"
                " was not planned: unset it, or make another plan with it"
            )


def check_corpus(plan: PlanFile, sha256: str) -> None:
    """UsageError if the plan is of another corpus."""
    if plan.corpus.sha256 and plan.corpus.sha256 != sha256:
        raise UsageError(
            f"the plan is of another corpus ({plan.corpus.sha256[:12]}, this one is {sha256[:12]}):"
            " plan again"
        )


def _setting(name: str, value: Any) -> Any:
    """As the settings read it; a custom fleet is no tier."""
    return value if value == CUSTOM else getattr(load_settings(**{name: value}), name)
