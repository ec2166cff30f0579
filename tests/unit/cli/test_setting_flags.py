from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_origin

import pytest
import typer
from pydantic import BaseModel, Field
from typer.testing import CliRunner

from handlers.cli.flags.help_words import _TAKES
from handlers.cli.flags.setting_flags import add_command, parsed
from handlers.cli.main import app_of
from handlers.errors import UsageError
from handlers.settings import Settings, load_settings

FLAGS = Path(__file__).parents[2] / "data" / "flags.json"
"""Command → its flags and arguments. A flag leaves this file only with a major version."""


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    nested = getattr(command, "commands", {})
    if not nested:
        yield " ".join(path), command
    for name, each in nested.items():
        yield from commands(each, (*path, name))


def test_the_commands_and_their_flags_are_those_of_the_version_before() -> None:
    found = {
        name: sorted(
            word for parameter in command.params for word in (*parameter.opts, *parameter.secondary_opts)
        )
        for name, command in commands(typer.main.get_command(app_of()))
    }
    assert found == json.loads(FLAGS.read_text(encoding="utf-8"))


def test_no_command_asks_for_a_bool_and_every_one_has_words_and_an_example() -> None:
    for name, command in commands(typer.main.get_command(app_of())):
        assert command.help and "Example" in (command.epilog or ""), name
        for each in command.params:
            kind = each.type_descriptor.annotation
            assert kind in (*_TAKES, Path) or get_origin(kind) is Literal, (name, each.name)
            assert kind is not bool or _TAKES[bool] is None


def test_every_setting_says_what_it_is_and_names_commands_that_exist() -> None:
    known = {name for name, _ in commands(typer.main.get_command(app_of()))}
    for name, field in Settings.model_fields.items():
        assert field.description, name
        if isinstance(extra := field.json_schema_extra, dict):
            named = extra["commands"]
            assert isinstance(named, list | tuple)
            assert set(named) <= known, name


class _Fields(BaseModel):
    speed: float = Field(default=2.0, gt=0, description="Papers an hour.")
    loud: bool = Field(default=False, description="Say so.")


def signature(command: Any, name: str, model: type[BaseModel] | None = None) -> inspect.Signature:
    app = typer.Typer(name="paperfleet")
    add_command(app, name, command, name, model)
    (registered,) = app.registered_commands
    assert registered.callback is not None
    return inspect.signature(registered.callback)


def test_a_commands_flags_stand_between_its_own_parameters() -> None:
    def command(source: str, papers: int | None = None, *, as_json: bool = False, **flags: Any) -> None:
        del source, papers, as_json, flags

    assert list(signature(command, "repair").parameters) == ["source", "papers", "state", "as_json"]
    assert list(signature(command, "repair", _Fields).parameters) == [
        "source", "papers", "state", "speed", "loud", "as_json",
    ]  # fmt: skip


def test_a_command_whose_settings_have_no_place_in_it_is_seen_when_it_is_made() -> None:
    with pytest.raises(ValueError, match=r"needs \*\*flags"):
        signature(lambda: None, "repair")
    with pytest.raises(ValueError, match=r"needs \*\*flags"):
        signature(lambda **_flags: None, "no-such-command")


def test_a_wrong_value_is_told_by_the_name_of_its_flag() -> None:
    assert parsed(_Fields, {"speed": "3", "loud": None}).speed == 3
    with pytest.raises(UsageError, match=r"^--speed: '0' is not allowed: give a number above 0$"):
        parsed(_Fields, {"speed": "0"})


def test_extra_body_is_json_on_the_command_line_too() -> None:
    assert load_settings(extra_body='{"thinking": false}').extra_body == {"thinking": False}
    for text in ("x", "[1]"):
        with pytest.raises(UsageError, match=r"^extra_body: .*--extra-body, PAPERFLEET_EXTRA_BODY"):
            load_settings(extra_body=text)


def test_what_a_field_reads_in_its_own_way_reaches_it_as_text(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.jsonl")
    for share in ("30%", "0.3", "100%"):
        ran = CliRunner().invoke(app_of("run"), ["run", missing, "--max-failed", share])
        assert "does not exist" in f"{ran.output}{ran.exception}", ran.output
    assert "no share" in str(
        CliRunner().invoke(app_of("run"), ["run", missing, "--max-failed", "3 %x"]).exception
    )


@pytest.mark.parametrize(
    ("variable", "says"),
    [
        ("PAPERFLEET_BUGDET", "is PAPERFLEET_BUDGET meant?"),
        ("paperfleet_api_kye", "is PAPERFLEET_API_KEY meant?"),
        ("PAPERFLEET_MAX_FAIL", "is PAPERFLEET_MAX_FAILED meant?"),
        ("PAPERFLEET_", "is no setting"),
        ("PAPERFLEET_QQQQ", "docs/reference/settings.md"),
        ("PAPER_FLEET_BUDGET", "is PAPERFLEET_BUDGET meant?"),
        ("PAPERFLEETBUDGET", "is PAPERFLEET_BUDGET meant?"),
        ("PAPERFLET_API_KEY", "is PAPERFLEET_API_KEY meant?"),
        ("PAPERSFLEET_RPM", "is PAPERFLEET_RPM meant?"),
    ],
)
def test_a_variable_that_is_no_setting_is_refused_with_the_nearest_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, says: str
) -> None:
    monkeypatch.setenv(variable, "3")
    with pytest.raises(UsageError, match=re.escape(says)) as refused:
        load_settings()
    assert variable in str(refused.value)


def test_a_line_of_the_file_that_is_no_setting_is_refused_in_plain_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "paperfleet.toml").write_text("run-id = 'x'\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"^paperfleet\.toml: run-id is no setting: is run_id meant\?$"):
        load_settings()


@pytest.mark.parametrize(
    ("written", "says"),
    [
        (b"[run]\nbudget = 3\n", "[run] is a section, and settings stand without one: leave it out"),
        (b"[paperfleet.run]\nbudget = 3\n", "[paperfleet] is a section"),
        (b"budget = \n", "cannot be read (Invalid value (at line 1, column 10)); a line of it is like"),
        (b"budget: 3\n", "cannot be read"), (b"model = gpt-4o\n", "cannot be read"),
        ("budget = 3\n".encode("utf-16"), "cannot be read"), (b"glossary = '\xb4\xca'\n", "cannot be read"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_list_of_settings_says_what_is_wrong_with_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, written: bytes, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "paperfleet.toml").write_bytes(written)
    with pytest.raises(UsageError) as refused:
        load_settings()
    assert str(refused.value).startswith("paperfleet.toml: ")
    assert says in str(refused.value)


def test_a_byte_order_mark_before_the_file_is_no_part_of_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "paperfleet.toml").write_bytes(b"\xef\xbb\xbfbudget = 3\r\n")
    assert load_settings().budget == 3


def test_a_variable_of_another_program_is_nothing_to_us(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "PAPERLESS_URL",
        "MY_BUDGET",
        "P_RPM",
        "OPENAI_MODEL",
        "PAPER_SIZE",
        "PIPELINE_STATE",
        "P" * 10**5,
    ):
        monkeypatch.setenv(name, "3")
    load_settings()


def test_every_setting_and_every_variable_of_the_workflows_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    workflows = FLAGS.parents[2] / ".github" / "workflows"
    texts = [path.read_text(encoding="utf-8") for path in workflows.glob("*.yml")]
    for variable in {name for text in texts for name in re.findall("PAPERFLEET_[A-Z_]+", text)}:
        monkeypatch.setenv(variable, "")
    for name in Settings.model_fields:
        monkeypatch.setenv(f"PAPERFLEET_{name.upper()}", "")
    load_settings()
