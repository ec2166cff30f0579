"""Paperfleet: a corpus of papers through an LLM API, with nothing lost and nothing paid twice.

Follow a paper::

    corpus/sources → corpus/ingest → corpus/batching → runs/submit → adapters (queue) → process
        → pipeline/batch_runner → tasks/translation → llm/client → tasks/translation/gate
        → pipeline/committer → adapters (parts, then ledger) → runs/summarise → reporting, results

Imports point down only; ``pyproject.toml`` has the layers, import-linter holds them::

    cli → actions → local → shard | process | report → bootstrap → audit | planning | simulation
        → runs | results → pipeline | adapters | reporting | model_server → corpus | tasks | llm
        → ports → ledger_ports | task_ports → settings → domain
        → atomic_file | counted | extras | own_property | parallel | rare_pattern | state_paths | wrong_value
        → errors
"""

import sys
from types import ModuleType
from typing import cast

# httpx brings a command line of its own (click, rich, pygments) into every process that imports it: 5 MB and
# 40 ms a job. A module that is None cannot be imported, which httpx takes for an extra that is not installed.
sys.modules.setdefault("httpx._main", cast("ModuleType", None))
