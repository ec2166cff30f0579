"""The image that functions run in: AWS's own from its registry, or one made of this machine's Python.

The latter is the interpreter and the libraries that it and the artifact are linked with, and AWS's runtime
client: what Amazon Linux has besides is not in it.
"""

from __future__ import annotations

import hashlib
import io
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable
from pathlib import Path

from tests.e2e.artifact import ARCHITECTURE, RUNTIME
from tests.e2e.environments import installed_once
from tests.e2e.sam_local.engine import CannotError

_CLIENT = "awslambdaric==4.2.2"
_PROGRAMS = ("mv", "chmod")
"""What SAM's own step on top of an image calls, by the shell."""
_LEFT_OUT = re.compile(
    r"/(site-packages|dist-packages|test|tests|idlelib|tkinter|_tkinter[^/]*|config-[^/]*)$"
)
_INTERPRETER = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
_BOOTSTRAP = f"""#!/bin/sh
export PYTHONPATH=/var/task:/var/runtime AWS_EXECUTION_ENV=AWS_Lambda_{RUNTIME}
exec {_INTERPRETER} -m awslambdaric "$_HANDLER"
"""
_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}


def pulled() -> bool:
    """Whether the engine has AWS's image, or gets it from its registry within five minutes."""
    name = f"public.ecr.aws/lambda/{RUNTIME.replace('python', 'python:')}-{ARCHITECTURE}"
    for command in (["docker", "image", "inspect", name], ["docker", "pull", "--quiet", name]):
        try:
            if subprocess.run(command, capture_output=True, timeout=300).returncode == 0:
                return True
        except subprocess.TimeoutExpired:
            return False
    return False


def made(artifact: Path) -> Path:
    """A folder with the image's tar, for what the functions in the folder ``artifact`` are linked with."""
    if platform.system() != "Linux":
        raise CannotError("no registry of images is reachable, and an own image is made on Linux alone")
    standard = Path(sysconfig.get_path("stdlib"))
    programs = [Path("/bin/sh"), *(Path(shutil.which(name) or f"/bin/{name}") for name in _PROGRAMS)]
    runtime = installed_once("lambda-runtime", f"{_CLIENT} {sys.version}\n{_BOOTSTRAP}", _install_runtime)
    parts = [*standard.glob("lib-dynload/*.so"), *artifact.rglob("*.so*"), *runtime.rglob("*.so*")]
    linked = [_INTERPRETER, *programs, *parts]
    libraries = _libraries(each for each in linked if not _LEFT_OUT.search(str(each)))
    wanted = "\n".join([_BOOTSTRAP, sys.version, *map(str, [_INTERPRETER, *programs, *libraries])])

    def install(folder: Path) -> None:
        folder.mkdir(parents=True)
        with tarfile.open(folder / "image.tar", "w") as tar:
            for path in [_INTERPRETER, *programs, *libraries]:
                tar.add(path.resolve(), str(path), filter=_as_root)
            tar.add(standard, str(standard), filter=_as_root)
            tar.add(runtime, "var/runtime", filter=_as_root)
            _add_rest(tar)
        changes = [f"ENV LD_LIBRARY_PATH={os.pathsep.join(sorted({str(each.parent) for each in libraries}))}"]
        changes.append(
            "ENV PATH=/usr/local/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 LAMBDA_TASK_ROOT=/var/task"
        )
        changes.append("WORKDIR /var/task")
        (folder / "changes.txt").write_text("\n".join(changes))

    return installed_once("lambda-image", wanted, install)


def imported(folder: Path) -> str:
    """The name under which the engine has the image that ``made`` made."""
    # SAM keeps an image of its own beside one of this name: another content needs another name.
    key = hashlib.sha256((folder / "installed.txt").read_bytes()).hexdigest()[:12]
    name = f"paperfleet/lambda-{key}:{RUNTIME}"
    if subprocess.run(["docker", "image", "inspect", name], capture_output=True).returncode:
        changes = [f"--change={line}" for line in (folder / "changes.txt").read_text().splitlines()]
        subprocess.run(
            ["docker", "import", *changes, folder / "image.tar", name], check=True, capture_output=True
        )
    return name


def _libraries(linked: Iterable[Path]) -> list[Path]:
    """What the loader finds for these files, each under the path that it is asked for by (ldd(1))."""
    found: set[str] = set()
    for path in linked:
        told = subprocess.run(["ldd", path], capture_output=True, text=True).stdout
        found |= set(re.findall(r"(?:=> |^\s*)(/\S+)", told, re.MULTILINE))
    return [Path(each) for each in sorted(found) if Path(each).is_file()]


def _install_runtime(folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--target", folder, _CLIENT], check=True)
    (folder / "bootstrap").write_text(_BOOTSTRAP)  # where SAM's emulator looks


def _as_root(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Readable for everybody, whoever runs the function."""
    if _LEFT_OUT.search(entry.name):
        return None
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 or entry.name.endswith("/bootstrap") else 0o644
    return entry


def _add_rest(tar: tarfile.TarFile) -> None:
    for name in ("tmp", "var/task", "opt", "root"):
        folder = tarfile.TarInfo(name)
        folder.type, folder.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
        tar.addfile(folder)
    for name, text in _FILES.items():
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(text), 0o644
        tar.addfile(entry, io.BytesIO(text.encode()))
