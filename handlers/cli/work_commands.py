"""``paperfleet shard`` and ``paperfleet work``: the two halves of ``run``, for jobs on other machines."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import typer
from rich.console import Console

from handlers.bootstrap import wiring
from handlers.bootstrap.state import open_state, with_stack_outputs
from handlers.cli.existing.opened_run import with_run
from handlers.cli.flags import shared_options
from handlers.cli.flags.setting_flags import add_command
from handlers.errors import UnknownRunError
from handlers.flag_groups import names_in
from handlers.local.budget_outlook import budget_outlook
from handlers.local.fleet import Fleet, reap_dead_jobs
from handlers.local.ingesting import SourceSpec, ingest_source
from handlers.local.preflight import refuse_forgotten
from handlers.local.session import exit_code, final_report, print_report, submit_request
from handlers.local.task_file import task_bundle
from handlers.reporting.progress import Progress
from handlers.runs.run_request import run_request
from handlers.settings import Settings, load_settings


def register(app: typer.Typer) -> None:
    add_command(app, "shard", shard, "shard papers.jsonl --run-id june --model NAME")
    add_command(app, "work", work, "work --run-id june --base-url URL --jobs 2")


def shard(
    source: shared_options.Source,
    *,
    mapping: shared_options.Mapping = None,
    source_format: shared_options.SourceFormat = None,
    encoding: shared_options.Encoding = None,
    **flags: Any,
) -> None:
    """Ingest SOURCE, create the run or re-arm it, and send a message for each unfinished batch. With --aws
    the corpus goes to the stack's bucket and its shard function does the rest.
    """
    settings = _with_batch_size(load_settings(**flags))
    spec = SourceSpec(source, mapping or (), source_format, encoding)
    console = Console(stderr=True, highlight=False)
    bundle = task_bundle(settings)
    result = ingest_source(spec, settings, console, bundle=bundle)
    with open_state(settings.run_id, settings) as adapters:
        if settings.backend == "embedded":
            refuse_forgotten(adapters, settings.run_id)
        submitted = submit_request(adapters, run_request(settings, result, bundle), settings, bundle)
        if outlook := budget_outlook(adapters, settings):
            console.print(outlook, markup=False, soft_wrap=True)
    typer.echo(submitted.model_dump_json())


def _with_batch_size(flags: Settings) -> Settings:
    """The settings with the stack's size of batches; an existing run keeps its own unless --batch-papers is
    given."""
    settings = with_stack_outputs(flags)
    if settings is flags or "batch_papers" in flags.model_fields_set:
        return settings
    with open_state(settings.run_id, settings) as adapters, suppress(UnknownRunError):
        known = adapters.ledger.run(settings.run_id).spec.batch_papers
        return settings.model_copy(update={"batch_papers": known})
    return settings


def work(*, as_json: shared_options.AsJson = False, **flags: Any) -> None:
    """Work on the queue that `shard` or `run` has filled, until it is empty."""
    settings = with_run(with_stack_outputs(load_settings(**flags)))
    with open_state(settings.run_id, settings) as adapters:
        spec = adapters.ledger.run(settings.run_id).spec
        wiring.task_of(spec, adapters.store, plugins=names_in(settings.allow_plugins))
        wiring.tariff(settings, spec.model)
        wiring.endpoint(settings)
        wiring.api_key(settings)  # no message is to go back for what this machine lacks
        reap_dead_jobs(adapters, settings.run_id)
    console = Console(stderr=True, highlight=False)
    with Progress(console, endpoint=settings.base_url or "") as progress:
        failure = Fleet(settings, progress).run()
    with open_state(settings.run_id, settings) as adapters:
        report = final_report(settings, adapters, failure)
    print_report(report, as_json=as_json)
    raise typer.Exit(exit_code(report))
