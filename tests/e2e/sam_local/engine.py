"""A container engine: the machine's own where one answers, else one of Debian's packages under ``.envs/``.

The latter is unpacked and not installed, and lives in network, mount and process namespaces that end with the
command: neither packages nor firewall of the machine change.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.builders.ended_process import ending
from tests.e2e.environments import installed_once

NAMESPACES = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
_PACKAGE = "docker.io"
_TOOLS = ("apt-get", "dpkg-deb", "unshare", "ldd")
_SIOCSIFFLAGS, _UP = 0x8914, 0x1  # netdevice(7)


class CannotError(Exception):
    """Something that no command of this project may install is missing; the message names it."""


def engine_answers() -> bool:
    """Whether a container engine runs that this user may use (DOCKER_HOST and contexts count)."""
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(["docker", "version"], capture_output=True, timeout=30)
        return done.returncode == 0
    return False


def refuse_without_engine() -> None:
    """CannotError where this machine carries no engine of our own, with what is missing."""
    if platform.system() != "Linux":
        wanted = "no container engine answers, and one of its own is for Linux alone"
    elif os.geteuid() != 0:
        wanted = "no container engine answers to this user, and starting one takes root"
    elif missing := [tool for tool in _TOOLS if shutil.which(tool) is None]:
        wanted = f"no container engine answers, and starting one takes {', '.join(missing)}"
    elif (tried := subprocess.run([*NAMESPACES, "true"], capture_output=True, text=True)).returncode:
        wanted = f"no container engine answers, and none can be started here: {tried.stderr.strip()}"
    else:
        return
    raise CannotError(f"{wanted}: start Docker (or set DOCKER_HOST), and see that `docker version` answers")


def unpacked_engine() -> Path:
    """The folder that Debian's engine is unpacked in, with whatever it needs that this machine lacks."""
    return installed_once("engine", f"{_PACKAGE} {platform.machine()}", _unpack)


def _unpack(folder: Path) -> None:
    for part in ("lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True)
    apt = ["apt-get", "-qq", "-o", f"Dir::State::lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache"]
    apt += ["-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3"]
    _run([*apt, "update"], "the packages' lists", may_fail=True)  # one source of several may be away
    wanted = [*apt, "install", "--yes", "--download-only", "--no-install-recommends", "--reinstall", _PACKAGE]
    _run(wanted, f"the package {_PACKAGE}")
    for package in (folder / "cache" / "archives").glob("*.deb"):
        _run(["dpkg-deb", "-x", str(package), str(folder / "root")], package.name)
    for part in ("lists", "cache"):
        shutil.rmtree(folder / part)


def _run(command: list[str], what: str, *, may_fail: bool = False) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode and not may_fail:
        raise CannotError(f"{what}: {' '.join(done.stderr.split())[-400:] or 'cannot be had'}")


@contextmanager
def own_engine(unpacked: Path, data: Path, log: Path) -> Iterator[dict[str, str]]:
    """The engine, started within ``NAMESPACES``; the variables that tell clients of it."""
    _bring_up_loopback()
    root = unpacked / "root"
    path = os.pathsep.join(str(root / part) for part in ("usr/bin", "usr/sbin", "sbin"))
    variables = os.environ | {"PATH": f"{path}{os.pathsep}{os.environ['PATH']}"}
    libraries = [str(each) for each in root.glob("usr/lib/*-linux-gnu*")]
    # A socket's path has 107 characters at most, and a checkout may lie deep.
    with tempfile.TemporaryDirectory(prefix="e") as short, log.open("wb") as output:
        host = f"unix://{short}/docker.sock"
        with ending(
            ["dockerd", "--iptables=false", "--ip6tables=false", "--data-root", str(data),
             "--exec-root", short, "--pidfile", f"{short}/pid", "-H", host],
            stdout=output, stderr=output, start_new_session=True, patience=30,
            env=variables | {"LD_LIBRARY_PATH": os.pathsep.join(libraries)},
        ) as process:  # fmt: skip
            found = {"PATH": variables["PATH"], "DOCKER_HOST": host}
            _wait(process, os.environ | found, log)
            yield found
    for left in Path("/sys/fs/cgroup").glob("*/docker"):
        with suppress(OSError):
            left.rmdir()


def _wait(process: subprocess.Popen[bytes], environment: dict[str, str], log: Path) -> None:
    until = time.monotonic() + 60
    while subprocess.run(["docker", "version"], capture_output=True, env=environment).returncode:
        if process.poll() is not None or time.monotonic() > until:
            last = " ".join(log.read_text(errors="replace").splitlines()[-3:])
            raise CannotError(f"the container engine does not start here: {last}")
        time.sleep(0.2)  # between two questions: the engine tells nobody that it is up


def _bring_up_loopback() -> None:
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _UP))
