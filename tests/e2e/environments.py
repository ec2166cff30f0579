"""Heavy tools in virtual environments of their own, under ``.envs/`` of the checkout, made when needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def environment(name: str, *requirements: str) -> Path:
    """The ``bin`` folder of a virtual environment with these packages; installed once.

    A requirement that begins with ``--no-deps`` is installed without what it asks for.
    """
    folder = ROOT / ".envs" / name
    ready = folder / "installed.txt"
    wanted = "\n".join(requirements)
    if not ready.exists() or ready.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        for requirement in requirements:
            pip = [
                folder / "bin" / "python",
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ]
            subprocess.run([*pip, *requirement.split()], check=True)
        ready.write_text(wanted)
    return folder / "bin"
