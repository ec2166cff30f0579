"""The Lambda artifact as ``sam build`` makes it from a fresh clone."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from tests.e2e.environments import ROOT, environment

RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
ARCHITECTURE = {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")
OVERRIDES = f"Runtime={RUNTIME} Architecture={ARCHITECTURE}"
SAM_CLI = "aws-sam-cli==1.170.0"
_SOURCES = (
    *("Makefile", "pyproject.toml", "README.md", "LICENSE", "template.yaml", "paperfleet.py"),
    *("handlers", "infra", ".github"),
)


def sam(*arguments: object, cwd: Path, **extra: str) -> subprocess.CompletedProcess[str]:
    """The SAM command line, its output in the error if it fails."""
    tool = environment("sam", SAM_CLI) / "sam"
    done = subprocess.run(
        [str(tool), *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=600,
        env=sam_environment() | extra,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def sam_environment() -> dict[str, str]:
    """No telemetry, no account: whatever a machine's own configuration says."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PAPERFLEET_"))}
    kept["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    return kept | {
        "SAM_CLI_TELEMETRY": "0",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def copy_sources(folder: Path) -> Path:
    """What a clone has, without what builds left in the checkout."""
    for name in _SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / name)
    return folder


def build(folder: Path) -> Path:
    """``make build`` on a copy of the sources; returns the folder of the built stack."""
    clone = copy_sources(folder)
    tool = environment("sam", SAM_CLI) / "sam"
    subprocess.run(
        ["make", "build", f"SAM={tool}", f"PYTHON={sys.executable}", f"PARAMETERS={OVERRIDES}"],
        cwd=clone,
        check=True,
        capture_output=True,
        timeout=600,
        env=sam_environment(),
    )
    return clone / ".aws-sam" / "build"
