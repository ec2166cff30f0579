"""What the ``paperfleet`` command and ``python -m paperfleet`` start.

The package is named ``handlers``, as functions on AWS name theirs. A project that Paperfleet is run in may
have one of that name too, which Python finds first: in the working directory by ``-m``, or along
``PYTHONPATH``. So the one beside this file is loaded by its place. A process that is started anew begins with
this file too: ``python -P paperfleet.py``, where ``-P`` keeps out what lies in the working directory.
"""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

_SERVER = "handlers.model_server"


def main() -> None:
    """The command line; ``handlers.model_server`` alone is the model server of a run."""
    _forget_working_directory()
    _load_own_handlers()
    if sys.argv[1:] == [_SERVER]:
        from runpy import run_module

        run_module(_SERVER, run_name="__main__")
        return
    from handlers.cli.__main__ import main as command

    command()


def _forget_working_directory() -> None:
    """``-m`` looks there first: a project's own ``httpx.py`` would be taken for the library."""
    here = Path.cwd()
    if sys.path and sys.path[0] in ("", str(here)) and not Path(__file__).parent.samefile(here):
        del sys.path[0]


def _load_own_handlers() -> None:
    spec = spec_from_file_location("handlers", Path(__file__).with_name("handlers") / "__init__.py")
    if spec is None or spec.loader is None:
        raise AssertionError("a path with .py has a loader")
    module = sys.modules["handlers"] = module_from_spec(spec)
    spec.loader.exec_module(module)


if __name__ == "__main__":
    main()
