"""Write the parts of these pages that the code knows best: commands, settings, exit codes, keys, providers.

    python -m docs.generate [--check]

A part stands between `<!-- made of the code: NAME -->` and `<!-- end -->`; the rest is written by hand.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
import tomllib
import types
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer.main
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from docs.outputs import (
    EXIT_CODES,
    FILES,
    KEYS_WITHOUT_WORDS,
    OUTPUTS,
)
from docs.provider_page import provider_tables
from handlers.cli.flags.help_words import Number, WholeNumber
from handlers.cli.main import app_of
from handlers.domain.fleet_tiers import TIERS
from handlers.domain.money import NanoUsd
from handlers.model_server.habits.habit_table import HABITS
from handlers.results.records import COLUMNS
from handlers.setting_sources import PREFIX
from handlers.settings import Settings

HERE = Path(__file__).parent
ROOT = HERE.parent
PART = re.compile(r"(<!-- made of the code: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
OWN_FIELDS = {"simulate", "model-server"}
"""Commands whose flags are fields of models of their own, settings of the same name or not."""
_NAMES: dict[Any, str] = {
    str: "text", Path: "path", int: "whole number", float: "number", Decimal: "number", Number: "number",
    WholeNumber: "whole number", bool: "true or false", SecretStr: "text", Any: "anything",
    object: "anything", type(None): "null",
    NanoUsd: "nano-USD",
}  # fmt: skip


@cache
def commands() -> dict[str, Any]:
    """Every command by what is typed for it, those of groups too."""
    found: dict[str, Any] = {}
    for name, command in typer.main.get_group(app_of()).commands.items():
        inner = getattr(command, "commands", None)
        found |= {f"{name} {each}": sub for each, sub in inner.items()} if inner else {name: command}
    return found


def spellings(option: Any) -> list[str]:
    return [*option.opts, *option.secondary_opts]


def pages() -> list[Path]:
    return sorted(path for path in HERE.rglob("*.md") if PART.search(path.read_text(encoding="utf-8")))


def written(page: str) -> str:
    """A page with its parts as the code has them now."""
    return PART.sub(lambda part: f"{part[1]}\n{parts()[part[2]]()}\n{part[3]}", page)


def parts() -> dict[str, Any]:
    return {
        "overview": _overview,
        "commands": _commands,
        "settings": _settings,
        "exit-codes": _exit_codes,
        "json": lambda: "\n\n".join(_keys(f"## {title}", *rest) for title, *rest in OUTPUTS),
        "files": lambda: "\n\n".join(_keys(f"### {title}", *rest) for title, *rest in FILES),
        "columns": lambda: ", ".join(f"`{name}`" for name in COLUMNS) + ".",
        "tiers": _tiers,
        "layers": _layers,
        "providers": provider_tables,
        "habits": _habits,
    }


def _habits() -> str:
    rows = [(f"`{each.name}`", each.description, "yes" if each.endpoint else "") for each in HABITS.values()]
    return "\n".join(_table(("habit", "what happens", "of the endpoint"), rows))


def _overview() -> str:
    """A line a command: the first sentence of its help."""
    rows = []
    for name, command in commands().items():
        first = re.split(r"(?<=[.:]) ", _text(command.help or ""))[0].rstrip(".:")
        rows.append((f"[`{name}`](#paperfleet-{name.replace(' ', '-')})", first))
    return "\n".join(_table(("command", "does"), rows))


def _commands() -> str:
    return "\n\n".join("\n".join(_command(name, command)) for name, command in commands().items())


def _command(name: str, command: Any) -> Iterator[str]:
    yield f"## `paperfleet {name}`\n"
    yield f"{_text(inspect.cleandoc(command.help or ''))}\n"
    rows = [_param(param) for param in command.params if param.name != "help"]
    yield from _table(("flag or argument", "value", "meaning"), rows)
    yield f"\n{(command.epilog or '').strip()}"


def _param(param: Any) -> tuple[str, str, str]:
    option = param.param_type_name == "option"
    names = spellings(param) if option else [param.metavar or param.name.upper()]
    kind, again = param.type_descriptor.annotation, ""
    if get_origin(kind) is list:
        kind, again = get_args(kind)[0], ", may be given again"
    value = "" if kind is bool else _kind(kind)
    meaning = _text(param.help or "") + (" Needed." if option and param.required else "")
    return ", ".join(f"`{each}`" for each in names), value + again, meaning


def flags_of_settings() -> dict[str, Any]:
    """Setting → the flag that gives it, where a command has one."""
    found: dict[str, Any] = {}
    for name, command in commands().items():
        for param in command.params:
            shared = name not in OWN_FIELDS and param.param_type_name == "option"
            if shared and param.name in Settings.model_fields:
                found.setdefault(param.name, param)
    return found


def _settings() -> str:
    flags = flags_of_settings()
    rows = []
    for name, field in Settings.model_fields.items():
        flag = flags.get(name)
        default = _default(field)
        secret = SecretStr in get_args(field.annotation)
        places = [] if secret else [f"`{name}`"]
        places += [f"`{PREFIX}{name.upper()}`"]
        places += [] if flag is None else [f"`{each}`" for each in spellings(flag)]
        meaning = _text(field.description or "") + (" From the environment alone." if secret else "")
        value = _kind(field.annotation, field) + (f"<br>default: {default}" if default else "")
        rows.append(("<br>".join(places), value, meaning))
    return "\n".join(_table(("setting", "value", "meaning"), rows))


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None or value in ("", {}, ()):
        return ""
    return (
        str(value).lower()
        if isinstance(value, bool)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )


def _exit_codes() -> str:
    rows = [(str(code), meaning) for code, meaning in EXIT_CODES.items()]
    return "\n".join(_table(("exit code", "means"), rows))


def _tiers() -> str:
    rows = [(f"`{name}`", f"{jobs:,}", f"{workers:,}") for name, (jobs, workers) in TIERS.items()]
    return "\n".join(_table(("tier", "jobs", "workers of each"), rows))


def _layers() -> str:
    """The layers that import-linter holds, top to bottom."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = config["tool"]["importlinter"]["contracts"]
    layers = next(each["layers"] for each in contracts if each["type"] == "layers")
    return "\n".join(f"{number}. `{each.replace('handlers.', '')}`" for number, each in enumerate(layers, 1))


def _keys(title: str, where: str, model: Any, note: str) -> str:
    """A heading and every key of a model, inner ones with their path."""
    fields = model if isinstance(model, dict) else {}
    rows = (
        [(f"`{name}`", "", meaning) for name, meaning in fields.items()] if fields else list(rows_of(model))
    )
    head = [title, "", *([f"Printed by {where}.", ""] if where else []), *([note, ""] if note else [])]
    return "\n".join([*head, *_table(("key", "value", "meaning"), rows)])


def rows_of(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, str, str]]:
    words = _words(model)
    for name, field in fields_of(model).items():
        inner = _inner(field.annotation)
        own = field.description or words.get(name)
        meaning = own or (_first(inner[0]) if inner else KEYS_WITHOUT_WORDS.get(name))
        if not meaning:
            raise SystemExit(f"{model.__name__}.{name} is printed: say below it in the code what it is")
        yield f"`{path}{name}`", _kind(field.annotation, field), _as_json(_text(meaning))
        if inner is not None:
            yield from rows_of(inner[0], f"{path}{name}{inner[1]}.")


def fields_of(model: Any) -> dict[str, FieldInfo]:
    """Of a model, or of a dataclass that is checked as one."""
    fields: dict[str, FieldInfo] = getattr(model, "__pydantic_fields__", {})
    return fields


def _inner(kind: Any, suffix: str = "") -> tuple[type[BaseModel], str] | None:
    """The model that a value is made of, and how its keys are reached."""
    if isinstance(kind, type) and fields_of(kind):
        return kind, suffix
    suffix += "[]" if get_origin(kind) in (tuple, list) else ".*" if get_origin(kind) is dict else ""
    return next((found for each in get_args(kind) if (found := _inner(each, suffix))), None)


def _kind(kind: Any, field: FieldInfo | None = None) -> str:
    """A type in words; alternatives are told apart by "or"."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _kind(inner[0])
    if origin is Literal:
        return ", ".join(f"`{each}`" for each in inner)
    if origin in (Union, types.UnionType):
        if field is not None and field.get_default() is None and not field.is_required():
            inner = tuple(each for each in inner if each is not type(None))
        return " or ".join(_kind(each) for each in inner)
    if origin in (tuple, list):
        return "list of " + _plural(inner[0])
    if origin is dict and get_origin(inner[0]) is Literal:
        return f"object of {_kind(inner[0])}"
    if origin is dict or kind is dict:
        return "object"
    if isinstance(kind, type) and fields_of(kind):
        return "object"
    return _NAMES.get(kind, "text")


def _plural(kind: Any) -> str:
    first, _, rest = _kind(kind).partition(" of ")
    return f"{first}s of {rest}" if rest else f"{first}s"


def _first(model: type[BaseModel]) -> str:
    """A model's own sentence."""
    return (model.__doc__ or "").partition("\n\n")[0]


@cache
def _words(model: type[BaseModel]) -> dict[str, str]:
    """Field → the sentence that stands below it in the code."""
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if fields_of(each):
            body = ast.parse(textwrap.dedent(inspect.getsource(each))).body[0]
            found |= dict(_below(body)) if isinstance(body, ast.ClassDef) else {}
    return found


def _below(body: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, after in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr):
            yield ast.unparse(field.target), str(ast.literal_eval(after.value))


def _text(said: str) -> str:
    """On one line, as Markdown."""
    return " ".join(said.split()).replace("``", "`").replace("|", r"\|").replace(r"\\|", r"\|")


def _as_json(said: str) -> str:
    """Python's words for values as JSON's."""
    return re.sub(
        r"\b(None|True|False)\b", lambda word: "null" if word[0] == "None" else word[0].lower(), said
    )


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    if not rows:
        return []
    lines = [head, ("---",) * len(head), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def main(arguments: list[str]) -> int:
    stale = []
    for page in pages():
        now = page.read_text(encoding="utf-8")
        wanted = written(now)
        if now != wanted:
            stale.append(page.relative_to(ROOT))
            if "--check" not in arguments:
                page.write_text(wanted, encoding="utf-8")
    for each in stale:
        print(f"{each}: {'not what the code says: run `make docs`' if '--check' in arguments else 'written'}")
    return int("--check" in arguments and bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
