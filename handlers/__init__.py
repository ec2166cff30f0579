"""Paperfleet: a corpus of papers through an LLM API, with nothing lost and nothing paid twice.

Follow a paper::

    corpus/ingest → corpus/batching → adapters/*_queue → process → pipeline/run_batch
        → tasks/translate → llm/client → tasks/gate → pipeline/committer
        → adapters/*_store, *_ledger → pipeline/summarise → reporting/

Imports point down only::

    cli → shard | process | report → bootstrap → pipeline | adapters | reporting | server
        → corpus | tasks | llm → ports → records → totals | settings → models → errors
"""
