"""What the stubs of upload-artifact and download-artifact do: an artifact is a folder of the run's."""

from __future__ import annotations

import glob
import os
import secrets
import shutil
import sys
from pathlib import Path

ROOT = Path(os.environ["STUB_ARTIFACTS"]) / os.environ["GITHUB_RUN_ID"]


def upload() -> int:
    """Appears whole under its name, as the service shows it once it is finalised."""
    found = files(os.environ["FILES"].split())
    if not found:
        print(f"no files for {os.environ['NAME']}")
        return 1 if os.environ["NOT_FOUND"] == "error" else 0
    target = ROOT / os.environ["NAME"]
    if target.exists() and os.environ["OVERWRITE"] != "true":
        print(f"an artifact {target.name} exists already")
        return 1
    base = Path(os.path.commonpath([path.parent for path in found]))
    scratch = ROOT / f".{secrets.token_hex(4)}"
    for path in found:
        copy = scratch / path.relative_to(base)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    shutil.rmtree(target, ignore_errors=True)
    scratch.rename(target)
    os.utime(target)
    return 0


def files(patterns: list[str]) -> list[Path]:
    found: list[Path] = []
    for pattern in patterns:
        for name in glob.glob(pattern):  # noqa: PTH207 - a pattern of absolute names
            path = Path(name)
            found += [each for each in path.rglob("*") if each.is_file()] if path.is_dir() else [path]
    return sorted(set(found))


def download() -> int:
    shutil.copytree(ROOT / os.environ["NAME"], os.environ["TARGET"], dirs_exist_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(upload() if sys.argv[1] == "upload" else download())
