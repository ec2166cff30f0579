"""What a wrong value is told: a sentence with the flag, the value and what is allowed."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import BaseModel, Field, ValidationError
from typer.testing import CliRunner

from handlers.cli.main import app_of
from handlers.errors import UsageError
from handlers.settings import Settings, load_settings, settings_of
from handlers.wrong_value import wrong_value

WRONG: dict[str, tuple[object, ...]] = {
    "backend": ("gcp",),
    "run_id": ("my run", "", "x" * 65, "../x", "-x"),
    "base_url": ("host/v1", "ftp://host"),
    "temperature": ("hot", 5, -1, "nan"),
    "max_tokens": ("many", 0, 1.5),
    "reasoning_room": ("much", -1, 10**7),
    "max_tokens_field": ("tokens",),
    "json_mode": ("yes",),
    "extra_body": ("{", "[1]", "3"),
    "thinking": ("on",),
    "connect_timeout": ("1s", 0, "inf"),
    "read_timeout": ("2m", 0),
    "call_timeout": ("", 0),
    "batch_papers": ("x", 0, "1e3"),
    "tier": ("mega",),
    "jobs": ("two", 0, 1001),
    "workers": ("many", 0, 5000, "Auto!"),
    "rpm": ("fast", 0, "nan"),
    "tpm": ("1k", -1),
    "budget": ("€45", "45 EUR", "1,000", "45,50", "free", -1, 10**7, "nan"),
    "price_in": ("cheap", -1),
    "price_out": ("0,15",),
    "price_cached": ("£1",),
    "price_flex_in": ("x",),
    "price_flex_out": ("x",),
    "price_flex_cached": ("x",),
    "flex": ("maybe",),
    "flex_fallback": ("soon", -1),
    "limit": ("all", -1),
    "deadline": ("1h", 0),
    "hedge": ("some", 0.06),
    "hours": ("night",),
    "force": ("perhaps",),
    "full_text": ("bodies",),
    "skip_no_derivatives": ("x",),
    "max_failed": ("half", "120%", 2),
    "ends_at": ("noon",),
    "function_timeout": ("long",),
    "max_receives": ("x", 1),
}
FREE = {
    *("state", "stack", "shard_function", "table", "queue_url", "dead_letter_url", "bucket"),
    *("api_key_secret", "api_key", "auth_header", "ca_file", "proxy", "model", "target_language"),
    *(
        "allow_plugins",
        "alarms_topic",
        "task_bundle",
        "glossary",
        "task",
        "webhook",
        "webhook_secret",
        "session_id",
        "job_id",
    ),
}
"""Text: whatever it is, it is read elsewhere."""


def test_each_setting_has_its_wrong_values() -> None:
    assert WRONG.keys() | FREE == Settings.model_fields.keys()


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_a_wrong_value_is_told_by_flag_and_value_and_what_is_allowed(name: str, value: object) -> None:
    with pytest.raises(UsageError) as error:
        load_settings(**{name: value})
    said = str(error.value)
    assert repr(str(value)) in said, "the value"
    is_flag = Settings.model_fields[name].json_schema_extra is not None
    assert (f"flag --{name.replace('_', '-')}, " in said) == is_flag, "the flag"
    assert f"PAPERFLEET_{name.upper()}" in said
    assert re.search(r"give |must begin with|is no JSON object", said), "what is allowed"
    assert not re.search(r"Input should|String should|pattern|parse|decimal|Decimal|valid ", said)


@pytest.mark.parametrize("text", ["$45", "45 USD", "US$45", "usd 45", "45$", " 45 ", "$ 45"])
def test_dollars_may_be_written_as_people_write_them(text: str) -> None:
    assert load_settings(budget=text).budget == 45


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("workers", 0, "give a whole number from 1 to 1,000 or `auto` "),
        ("budget", "€45", "give an amount in USD such as 45 or 0.15, from 0 to 1,000,000 "),
        ("run_id", "my run", "give up to 64 letters, digits, dots, dashes and underscores"),
        ("tier", "mega", "give `standard`, `parallel`, `ultra` or `extreme` "),
        ("rpm", 0, "give a number of 0.001 or more "),
        ("flex_fallback", "soon", "give a number of seconds of 0 or more or `never` "),
        ("full_text", "bodies", "give true or false "),
        ("deadline", "5h", "give a number of seconds above 0"),
        ("call_timeout", "2 min", "give a number of seconds above 0"),
    ],
)
def test_what_is_allowed_is_all_of_it(name: str, value: object, allowed: str) -> None:
    with pytest.raises(UsageError, match=re.escape(allowed)):
        load_settings(**{name: value})


def test_what_is_secret_is_not_shown() -> None:
    for flags in ({"webhook": "secret.example/hook"}, {"base_url": "me:secret@host"}, {"proxy": ["secret"]}):
        with pytest.raises(UsageError) as error:
            load_settings(**flags)
        assert "secret" not in str(error.value)


def test_a_long_value_is_shortened() -> None:
    with pytest.raises(UsageError) as error:
        load_settings(jobs="9" * 5000)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("command", ["run", "plan", "pilot"])
def test_flags_reach_their_settings_as_they_were_typed(command: str, tmp_path: Path) -> None:
    """And are told as the same values are that come from a file or the environment."""
    for name in sorted(settings_of(command).keys() & WRONG.keys() & {"rpm", "jobs", "deadline", "budget"}):
        flag, wrong = f"--{name}", str(WRONG[name][0])
        ran = CliRunner().invoke(app_of(command), [command, str(tmp_path / "x.csv"), flag, wrong])
        assert f"{wrong!r} is not allowed" in str(ran.exception)


def test_a_commands_own_flag_is_told_in_the_same_words(tmp_path: Path) -> None:
    for wrong in ("0", "x"):
        ran = CliRunner().invoke(app_of("pilot"), ["pilot", str(tmp_path / "x.csv"), "--papers", wrong])
        assert (ran.exit_code, f"'{wrong}' is not allowed: give a" in ran.output) == (2, True)
        assert "Input should" not in ran.output


class _Fields(BaseModel):
    share: float = Field(default=0, ge=0, lt=1)
    below: int = Field(default=0, le=9)
    price: Decimal | None = None
    names: list[int] = Field(default=[])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"share": 1}, ("share", "'1' is not allowed: give a number of 0 or more and below 1")),
        ({"below": "x"}, ("below", "'x' is not allowed: give a whole number up to 9")),
        ({"price": "x"}, ("price", "'x' is not allowed: give an amount in USD such as 45 or 0.15")),
        ({"names": 3}, ("names", "'3' is not allowed: give a list")),
    ],
)
def test_bounds_of_any_kind_have_their_words(values: dict[str, object], said: tuple[str, str]) -> None:
    with pytest.raises(ValidationError) as error:
        _Fields.model_validate(values)
    assert wrong_value(error.value, _Fields) == said


class _Texts(BaseModel):
    language: str = Field(default="en", pattern="^[a-z]{2}$")
    name: str = Field(default="x", min_length=1, max_length=3)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"language": "English"}, "'English' is not allowed: give text that matches `^[a-z]{2}$`"),
        ({"name": ""}, "'' is not allowed: give text of at least 1 character"),
        ({"name": "long"}, "'long' is not allowed: give text of at most 3 characters"),
        ({"name": 1}, "'1' is not allowed: give text"),
    ],
)
def test_a_text_is_told_what_its_form_is(values: dict[str, object], said: str) -> None:
    """Of a model that nobody names, as a task file's tables are."""
    with pytest.raises(ValidationError) as error:
        _Texts.model_validate(values)
    assert wrong_value(error.value)[1] == said
