"""``python -m tests.e2e.sam_local``: make what is missing, start what is needed, invoke, print, compare.

Exit code 0 if every answer is its event's and the ledger equals the bill, 1 if not, 4 if this machine lacks
something that no command may install (the last line names it).
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

from tests.e2e.artifact import OVERRIDES, SAM_CLI, build
from tests.e2e.environments import ROOT, environment
from tests.e2e.sam_local import engine, lambda_image
from tests.e2e.sam_local.invoked import Prepared, aws_python, invoke_all, say

_WORK = ROOT / "build" / "sam-local"
_CANNOT = 4
_PR_SET_PDEATHSIG = 1


def main() -> int:
    try:
        if len(sys.argv) > 1:
            return _inside(Prepared(**json.loads(sys.argv[1])))
        return _outside()
    except engine.CannotError as error:
        print(f"error: {error}", file=sys.stderr)
        return _CANNOT


def _outside() -> int:
    """With the network: everything that has to be made, then the invocations."""
    _WORK.mkdir(parents=True, exist_ok=True)
    os.environ["PIP_CACHE_DIR"] = str(ROOT / ".envs" / "pip")
    prepared = Prepared(str(_WORK), "", "", None, None, time.time())
    own = not engine.engine_answers()
    if own:
        engine.refuse_without_engine()
    say(
        prepared,
        f"SAM, a local AWS, {'a container engine' if own else 'the image'}, and `sam build`: {OVERRIDES}",
    )
    with ThreadPoolExecutor() as pool:
        unpacked = pool.submit(engine.unpacked_engine) if own else None
        images = pool.submit(lambda: not own and lambda_image.pulled())
        moto = pool.submit(aws_python)
        built = _built()
        moto.result()
        image = None if images.result() else lambda_image.made(built)
        prepared = replace(
            prepared,
            built=str(built),
            sam=str(environment("sam", SAM_CLI) / "sam"),
            image=str(image) if image else None,
            engine=str(unpacked.result()) if unpacked else None,
        )
    if not own:
        return _invoked(prepared)
    command = [*engine.NAMESPACES, sys.executable, "-m", "tests.e2e.sam_local", json.dumps(asdict(prepared))]
    return subprocess.run(command, cwd=ROOT, preexec_fn=_end_with_parent).returncode


def _end_with_parent() -> None:
    """Whatever ends this command ends the namespaces and all that runs in them (prctl(2))."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _built() -> Path:
    """What ``make build`` makes of this checkout; PAPERFLEET_TEST_BUILT names it if it is there already."""
    if ready := os.environ.get("PAPERFLEET_TEST_BUILT"):
        return Path(ready)
    shutil.rmtree(_WORK / "clone", ignore_errors=True)
    (_WORK / "clone").mkdir(parents=True)
    return build(_WORK / "clone")


def _inside(prepared: Prepared) -> int:
    """Within the engine's namespaces, without a network but its own."""
    say(prepared, "the engine")
    with engine.own_engine(Path(prepared.engine or ""), _WORK / "engine", _WORK / "engine.log") as found:
        os.environ.update(found)
        return _invoked(prepared)


def _invoked(prepared: Prepared) -> int:
    image = lambda_image.imported(Path(prepared.image)) if prepared.image else None
    failed = invoke_all(prepared, image)
    say(prepared, f"{failed} not as they should be" if failed else "all as it should be")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
