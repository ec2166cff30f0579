"""A real browser: Chromium of the system, driven by playwright, which the quick tests do not import."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.builders.documents import ROOT
from tests.e2e.artifact import build

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.e2e.pages import Made

_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_PACKAGES = ("chromium", "fonts-noto-cjk")
"""Without the font Chinese is drawn as empty boxes."""


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the browser. Installed from Debian where the tests may do so: as root, with apt-get."""
    if (found := _found()) is not None:
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update", "-qq"], ["install", "-y", "-qq", *_PACKAGES]):
            subprocess.run(["apt-get", *command], env=environment, capture_output=True, timeout=900)
        if (found := _found()) is not None:
            return found
    pytest.skip(f"no Chromium: install it with `apt-get install {' '.join(_PACKAGES)}`")


def _found() -> str | None:
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    from tests.e2e.pages import made_pages

    with made_pages(tmp_path_factory.mktemp("pages")) as pages:
        yield pages


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` folder of an environment with the wheel and none of its extras."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT]
    subprocess.run(pip, check=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    pip = [folder / "venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-c", ROOT / ".ci/constraints.txt", wheel], check=True)
    return folder / "venv" / "bin"


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built stack: ``template.yaml`` and a folder for each function.

    PAPERFLEET_TEST_BUILT names one that is built already.
    """
    ready = os.environ.get("PAPERFLEET_TEST_BUILT")
    return Path(ready) if ready else build(tmp_path_factory.mktemp("clone"))
