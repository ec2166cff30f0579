"""Paperfleet: a corpus of papers through an LLM API, with nothing lost and nothing paid twice.

Follow a paper::

    corpus/sources → corpus/ingest → corpus/batching → runs/submit → adapters (queue) → process
        → pipeline/batch_runner → tasks/translation → llm/client → tasks/translation/gate
        → pipeline/committer → adapters (parts, then ledger) → runs/summarise → reporting, results

Imports point down only; ``pyproject.toml`` has the layers, import-linter holds them::

    cli → actions → local → shard | process | report → bootstrap → audit | planning | simulation
        → runs | results → pipeline | adapters | reporting | model_server → corpus | tasks | llm
        → ports → settings → domain → atomic_file | extras | parallel | state_paths → errors
"""
