"""Heavy tools in environments of their own, under ``.envs/`` of the checkout, made when needed."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]


def environment(name: str, *requirements: str) -> Path:
    """The ``bin`` folder of a virtual environment with these packages; installed once.

    A requirement that begins with ``--no-deps`` is installed without what it asks for.
    """

    def install(folder: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for requirement in requirements:
            subprocess.run([*pip, *requirement.split()], check=True)

    return installed_once(name, "\n".join(requirements), install) / "bin"


def node_package(name: str, package: str) -> Path:
    """The ``node_modules`` folder of an npm package; installed once."""

    def install(folder: Path) -> None:
        folder.mkdir(parents=True)
        quiet = ["--silent", "--no-fund", "--no-audit"]
        subprocess.run(["npm", "install", *quiet, "--prefix", str(folder), package], check=True)

    return installed_once(name, package, install) / "node_modules"


def installed_once(name: str, wanted: str, install: Callable[[Path], None]) -> Path:
    """A folder that ``install`` made for ``wanted``; by one process only, and anew if it broke off."""
    folder = ROOT / ".envs" / name
    folder.parent.mkdir(exist_ok=True)
    with (folder.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = folder / "installed.txt"
        if not ready.exists() or ready.read_text() != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            install(folder)
            ready.write_text(wanted)
    return folder
