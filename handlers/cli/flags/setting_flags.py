"""Commands as typer registers them: the fields of a settings model are their flags, declared once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_type_hints

import typer
from pydantic import BaseModel, BeforeValidator, ValidationError
from pydantic.fields import FieldInfo

from handlers.cli.flags.help_words import Number, WholeNumber, WordedCommand
from handlers.errors import UsageError
from handlers.settings import settings_of
from handlers.wrong_value import wrong_value

Command = Callable[..., None]
Model = TypeVar("Model", bound=BaseModel)


def add_command(
    app: typer.Typer, name: str, command: Command, example: str, model: type[BaseModel] | None = None
) -> None:
    """Register a command. Its ``**flags`` are the settings that name it and the fields of ``model``; they are
    None if not given. In its help they stand between its positional and its keyword-only parameters.

    ``example``: what follows ``paperfleet`` on the line of an example.
    """
    path = f"{app.info.name} {name}".removeprefix("paperfleet ")
    flags = [flag_of(key, field, _kind(field)) for key, field in settings_of(path).items()]
    if model is not None:
        flags += [flag_of(key, field, _model_kind(field)) for key, field in model.model_fields.items()]
    app.command(name, cls=WordedCommand, epilog=f"Example: `paperfleet {example}`")(_signed(command, flags))


def flag_of(name: str, field: FieldInfo, kind: Any) -> inspect.Parameter:
    """The keyword parameter of a field, parsed by typer as ``kind`` unless it is a switch."""
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    long = "--" + name.replace("_", "-")
    switch = str(extra.get("switch") or "") or (f"{long}/--no-{long[2:]}" if field.annotation is bool else "")
    panel = extra.get("panel")
    option = typer.Option(
        switch or long,
        parser=kind if kind in (Number, WholeNumber) else None,
        help=f"{field.description}{_default(field.get_default(), switch)}",
        rich_help_panel=str(panel) if panel else None,
    )
    return inspect.Parameter(
        (switch or long).partition("/")[0].removeprefix("--").replace("-", "_"),
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if field.is_required() else None,
        annotation=Annotated[(bool if switch else kind) | None, option],
    )


def parsed(model: type[Model], values: Mapping[str, Any]) -> Model:
    """The model of a command's flags. UsageError names the flag that is wrong."""
    try:
        return model(**{name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        place, reason = wrong_value(error, model)
        flag = "--" + place.partition(".")[0].replace("_", "-") if place else "flags"
        raise UsageError(f"{flag}: {reason}") from error


def _signed(command: Command, flags: list[inspect.Parameter]) -> Command:
    """The command with the flags in place of ``**flags`` in its signature, where typer reads them."""

    @wraps(command)
    def signed(**arguments: Any) -> None:
        command(**arguments)

    own = inspect.signature(command).parameters.values()
    if bool(flags) != any(each.kind is each.VAR_KEYWORD for each in own):
        raise ValueError(f"{command.__name__}: it needs **flags if settings name it, and only then")
    kinds = get_type_hints(command, include_extras=True)
    typed = [each.replace(annotation=kinds[each.name]) for each in own if each.kind is not each.VAR_KEYWORD]
    first = [each for each in typed if each.kind is each.POSITIONAL_OR_KEYWORD]
    last = [each for each in typed if each.kind is each.KEYWORD_ONLY]
    parameters = [*first, *flags, *last]
    signed.__annotations__ = {each.name: each.annotation for each in parameters}
    vars(signed)["__signature__"] = inspect.Signature(parameters)
    return signed


def _kind(setting: FieldInfo) -> Any:
    """Path where a setting takes nothing else besides None; a number as it was typed, which the setting reads
    and refuses in its own words, for numbers and for what reads text in its own way (``5%``); text otherwise.
    """
    kinds = [each for each in get_args(setting.annotation) or (setting.annotation,) if each is not type(None)]
    read = [*setting.metadata, *getattr(kinds[0], "__metadata__", ())]
    if len(kinds) == 1 and any(isinstance(each, BeforeValidator) for each in read):
        return Number
    if len(kinds) > 1:
        return str
    return {int: WholeNumber, float: Number, Decimal: Number, Path: Path}.get(kinds[0], str)


def _model_kind(field: FieldInfo) -> Any:
    """The same, or a list of texts for a flag that may be given again and again."""
    extra = field.json_schema_extra
    return list[str] if isinstance(extra, dict) and extra.get("repeated") else _kind(field)


def _default(value: object, switch: str) -> str:
    """What the help says of a default; nothing of lists and of a switch that is off."""
    if switch:
        on, _, off = switch.partition("/")
        shown = (on if value is True else off).removeprefix("--")
    elif isinstance(value, float):
        shown = f"{value:g}"
    else:
        shown = str(value) if isinstance(value, str | int | Decimal | Path) else ""
    return f" [default: {shown}]" if shown else ""
