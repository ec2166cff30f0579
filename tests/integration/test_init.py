"""``paperfleet init``: the first settings of a folder, asked for, checked with one call and written."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from handlers.cli.main import app_of
from handlers.errors import UsageError
from handlers.local.first_settings import refuse_secrets, settings_text
from handlers.model_server import RunningServer, ServerSettings
from handlers.settings import Settings, load_settings
from tests.builders.warm import start

KEY = "sk-0123456789abcdef"
FILE = Path("paperfleet.toml")


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with start(ServerSettings(mode="canned", api_key=KEY)) as running:
        yield running


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [each for each in os.environ if each.startswith("PAPERFLEET_")]:
        monkeypatch.delenv(name)


def init(*line: object, answers: str = "", key: str | None = KEY) -> Result:
    environment = {"PAPERFLEET_API_KEY": key}
    return CliRunner().invoke(app_of("init"), ["init", *map(str, line)], input=answers, env=environment)


def given(server: RunningServer) -> tuple[object, ...]:
    return "--base-url", server.base_url, "--model", "paperfleet-canned"


def test_by_flags_alone_it_asks_nothing_and_its_file_is_what_the_settings_are_read_from(
    server: RunningServer,
) -> None:
    before = server.stats()["requests"]
    ran = init(*given(server), "--budget", "45.50", "--auth-header", "Authorization: Bearer")
    assert ran.exit_code == 0, ran.output
    assert server.stats()["requests"] == before + 1
    settings = load_settings()
    assert (settings.base_url, settings.model) == (server.base_url, "paperfleet-canned")
    assert settings.budget == Decimal("45.50")
    assert "answers: " in ran.output
    assert "paperfleet run" in ran.output
    text = FILE.read_text()
    assert KEY not in text + ran.output
    names = [line.removeprefix("# ").partition(" = ")[0] for line in text.splitlines() if " = " in line]
    assert len(names) > 12
    commented = "\n".join(line.removeprefix("# ") for line in text.splitlines() if " = " in line)
    assert Settings.model_fields.keys() >= tomllib.loads(commented).keys()
    for name, value in tomllib.loads(commented).items():
        load_settings(**{name: value})  # each example is one that is taken


def test_what_is_not_given_is_asked_for(server: RunningServer) -> None:
    ran = init(answers=f"{server.base_url}\npaperfleet-canned\n2.5\n")
    assert ran.exit_code == 0, ran.output
    assert (load_settings().model, load_settings().budget) == ("paperfleet-canned", Decimal("2.5"))


def test_prices_are_asked_for_where_the_table_lacks_the_model(server: RunningServer) -> None:
    line = ("--base-url", server.base_url, "--model", "paperfleet-canned-2", "--budget", 1)
    ran = init(*line)
    assert isinstance(ran.exception, UsageError)
    assert "--price-in and --price-out" in str(ran.exception)
    assert "asking" not in ran.output, "nothing was"
    ran = init(*line, answers="0.15\n0.6\n")
    assert ran.exit_code == 0, ran.exception
    assert load_settings().price_out == Decimal("0.6")


@pytest.mark.parametrize(
    ("line", "answers", "said"),
    [
        ((), "", "no --base-url, and nobody to ask"),
        ((), "\n", "no --base-url"),
        (("--base-url", "http://127.0.0.1:9/v1"), "", "no --model, and nobody to ask"),
        (("--base-url", "127.0.0.1"), "", "http://"),
        (("--base-url", "http://127.0.0.1:9/v1", "--model", "gpt-4o-mini"), "much\n", "budget"),
        (("--base-url", "http://127.0.0.1:9/v1", "--model", "gpt-4o-mini"), "", "9/v1 does not answer"),
    ],
)  # fmt: skip
def test_what_is_missing_or_wrong_is_named_and_nothing_is_written(
    line: tuple[str, ...], answers: str, said: str
) -> None:
    ran = init(*line, answers=answers)
    assert isinstance(ran.exception, UsageError)
    assert said in str(ran.exception)
    assert not FILE.exists()


def test_a_question_that_nobody_answers_ends_its_line(server: RunningServer) -> None:
    ran = init("--base-url", server.base_url, "--model", "paperfleet-canned-2")
    asked = [line for line in ran.output.splitlines() if "USD" in line]
    assert [line.count("USD") for line in asked] == [1, 1, 1]
    assert all(line.rstrip().endswith(":") for line in asked)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (None, "PAPERFLEET_API_KEY is not set"),
        ("sk-wrong-wrong", "refuses the call (unauthorized): HTTP 401"),
    ],
)
def test_a_key_that_is_missing_or_wrong_is_told_before_anything_is_written(
    key: str | None, said: str, server: RunningServer
) -> None:
    ran = init(*given(server), "--budget", 1, key=key)
    assert said in str(ran.exception)
    assert "sk-wrong-wrong" not in str(ran.exception)
    assert not FILE.exists()


@pytest.mark.parametrize("kind", ["file", "folder", "dangling link"])
def test_what_is_there_is_not_overwritten(kind: str, server: RunningServer) -> None:
    before = server.stats()["requests"]
    if kind == "file":
        FILE.write_text("budget = 1\n")
    elif kind == "folder":
        FILE.mkdir()
    else:
        FILE.symlink_to("elsewhere.toml")
    ran = init(*given(server), "--budget", 45)
    assert "overwrites nothing" in str(ran.exception)
    assert server.stats()["requests"] == before
    assert not Path("elsewhere.toml").exists()
    assert kind != "file" or FILE.read_text() == "budget = 1\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("base_url", "https://me:word@host/v1"),
        ("base_url", "https://host/v1?api_key=abc"),
        ("base_url", "https://host/v1?api-version=1&subscription-key=abc"),
        ("base_url", "https://host/v1?access_token=abc"),
        ("proxy", "http://me:word@host:3128"),
    ],
)
def test_an_address_with_a_secret_in_it_is_not_written(name: str, value: str) -> None:
    with pytest.raises(UsageError, match="does not belong in a file"):
        refuse_secrets(load_settings(**{name: value}))


def test_the_key_in_the_place_of_another_setting_is_not_written() -> None:
    with pytest.raises(UsageError, match="is the key itself"):
        settings_text(load_settings(api_key=KEY, auth_header=f"Authorization: Bearer {KEY}"))


@pytest.mark.parametrize(
    "name", ['a"b', "a\\b", "a\nb = 1", "a\x7f", "模型", "a # b", "'''", "${HOME}", "\x00"]
)
def test_a_name_stands_in_the_file_as_it_was_given(name: str) -> None:
    text = settings_text(load_settings(model=name))
    assert tomllib.loads(text) == {"model": name}
