"""What is built once for all end-to-end tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.artifact import build


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built stack: ``template.yaml`` and a folder for each function.

    PAPERFLEET_TEST_BUILT names one that is built already.
    """
    ready = os.environ.get("PAPERFLEET_TEST_BUILT")
    return Path(ready) if ready else build(tmp_path_factory.mktemp("clone"))
