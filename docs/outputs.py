"""What no declaration says: which model a command prints, what an exit code means, some sentences."""

from __future__ import annotations

from pydantic import BaseModel

from handlers.actions.session_plan import JobState
from handlers.actions.workflow_status import RunStatus
from handlers.audit.audit import Audit
from handlers.audit.regate import Regated
from handlers.audit.repair import Repaired
from handlers.cli.existing.list_command import ListedRun
from handlers.cli.ingest_commands import Ingested
from handlers.cli.pilot_command import PilotReport
from handlers.cli.task_commands import PushedTask
from handlers.corpus.profile import Profile
from handlers.domain.batch import BatchMessage
from handlers.domain.paper import Paper
from handlers.domain.plan import PlanFile
from handlers.domain.result import PartLine
from handlers.domain.run_report import RunReport
from handlers.local.task_check import TaskReport
from handlers.planning.assumptions import Assumptions
from handlers.report import ReportRequest
from handlers.runs.control import ControlResult, DeadLetterSummary
from handlers.runs.submit import RunRequest, Submitted
from handlers.simulation.sim_setup import SimResult, SimSetup

Model = type[BaseModel] | dict[str, str]


class Simulated(SimResult):
    setup: SimSetup
    """What was simulated: every flag of the command, by its name."""


EXIT_CODES = {
    0: "all is well, or done as far as `--limit`, `--deadline` or `--hours` allowed",
    1: "the counts of a session on GitHub Actions do not add up (`paperfleet actions collect`)",
    2: "a flag, setting, file or run is wrong; the message names it and the fix",
    3: "finished, with failed or flagged papers; differences in an audit; nothing left but dead letters",
    4: "parked: budget spent, or an error that nobody but you can mend (key, credit, model, endpoint)",
    130: "interrupted, paused or cancelled while it worked, resumable",
}
"""Code → meaning, in the words of every command but those that are named."""

OUTPUTS: list[tuple[str, str, Model, str]] = [
    (
        "A run",
        "`run`, `work`, `status`, `report` and `merge` with `--json`, and by `actions collect`",
        RunReport,
        "Also the file `report.json` of a run's folder, and what the report function answers. It is printed"
        " whatever the exit code. Without `--json` the same figures are shown as tables.",
    ),
    (
        "Runs",
        "`runs --json`",
        ListedRun,
        "An array, the newest run first.",
    ),
    (
        "A plan",
        "`plan --json`",
        PlanFile,
        "Also the plan file itself. `measured` is null without a pilot; `assumptions` are listed under"
        " [files](files.md#assumptions).",
    ),
    ("A pilot", "`pilot --json`", PilotReport, ""),
    ("A task file", "`task check --json`", TaskReport, ""),
    ("A task file that was pushed", "`task push --json`", PushedTask, ""),
    ("A simulation", "`simulate --json`", Simulated, ""),
    ("An ingested source", "`ingest`", Ingested, "Paths are of files in the state folder."),
    ("What was sharded", "`shard`, and the shard function", Submitted, ""),
    (
        "A run that was steered",
        "`pause`, `resume`, `cancel`, `retry` and `redrive` with `--json`",
        ControlResult,
        "",
    ),
    ("Answers that were judged again", "`regate --json`", Regated, ""),
    ("Dead letters", "`redrive --list`, an object a line", DeadLetterSummary, ""),
    ("An audit", "`audit --json`", Audit, ""),
    ("A repair", "`repair --json`, a list with an object a run", Repaired, ""),
    (
        "A job of a session",
        "`actions begin` and `actions work`",
        JobState,
        "Money in nano-USD, times in seconds.",
    ),
    ("Workflow runs", "`actions status --json`, an object a line", RunStatus, ""),
    (
        "What a process event left",
        "`invoke process`, and the process function",
        {
            "batchItemFailures": "messages to deliver again",
            "batchItemFailures[].itemIdentifier": "a message's id",
        },
        "",
    ),
    (
        "Runs that the schedule reported",
        "`invoke report` with the schedule's event",
        {"reported": "ids of the runs whose reports were written"},
        "",
    ),
]
"""(heading, who prints it, its keys, what else is to be known)."""

FILES: list[tuple[str, str, Model, str]] = [
    (
        "A paper",
        "",
        Paper,
        "A record of a source and a line of the corpus. Only `id` is needed, and a title or an abstract;"
        " other fields are carried along unread. `same_as` is written by ingest.",
    ),
    ("A rejected line", "", {
        "line": "number of the line in the source",
        "reason": "why it is no paper",
        "excerpt": "its first 160 characters",
    }, ""),
    ("A corpus's profile", "", Profile, ""),
    ("A result in a part", "", PartLine, "`calls[].cost` and `calls[].estimate` are nano-USD."),
    ("A batch's message", "", BatchMessage, "What travels on the queue: no paper's text."),
    ("A request to the shard handler", "", RunRequest, "`spec` holds what is fixed for the life of a run."),
    ("A request to the report handler", "", ReportRequest, ""),
    (
        "Assumptions",
        "",
        Assumptions,
        "A file for `plan --assume`, JSON or TOML, replaces any of them. Seconds, USD, tokens; a price is USD"
        " per million tokens.",
    ),
]  # fmt: skip

KEYS_WITHOUT_WORDS = {
    "abstract": "Text.",
    "account": "Plan of the GitHub account.",
    "actions_start_s": "From a workflow's start to a job's first call: runner and installation.",
    "actual": "As it came.",
    "assumptions": "Every figure that the plan rests on.",
    "at": "When.",
    "attempt": "Counted from 1.",
    "batch_id": "The batch.",
    "batch_papers": "Papers of a batch, at most.",
    "batch_tokens": "Tokens of a batch, at most.",
    "binding": "The limit that sets the pace.",
    "body": "The full text, if there is one.",
    "body_tokens_in": "Estimate of the bodies' tokens.",
    "body_tokens_out": "Estimate of the translated bodies' tokens.",
    "budget_usd": "What the run may cost in all; null: no limit.",
    "cached": "Prompt tokens that came from the provider's cache.",
    "cached_tokens": "Prompt tokens that came from the provider's cache.",
    "calls": "Calls sent.",
    "calls_per_core_second": "Calls that one core of the laptop serves a second.",
    "completion": "Tokens of answers.",
    "completion_tokens": "Tokens of answers.",
    "completion_tokens_per_request": "With the next: completion tokens of a paper, by its requests.",
    "completion_tokens_per_token": "The same, by its size.",
    "cores": "Of the laptop.",
    "corpus": "Key or file of the canonical corpus.",
    "corpus_sha256": "Hash of the canonical corpus.",
    "cost_high_usd": "Upper end of the 90% interval.",
    "cost_low_usd": "Lower end of the 90% interval.",
    "cost_usd": "USD.",
    "counts": "Papers by their state; they add up to `papers`.",
    "date": "As the source has it.",
    "dead": "Dead letters.",
    "detail": "One sentence.",
    "done": "Papers that are done already.",
    "duplicates": "Records dropped because id and text came before.",
    "empty": "Papers without a text.",
    "ended": "Jobs that ended.",
    "ended_at": "When it ended; null while it runs.",
    "error": "Class of what went wrong.",
    "errors": "Class of error → calls that ended in it.",
    "extra_body": "Merged into each request.",
    "fatal": "Refused in a way that parks the run.",
    "fields": "Field → translation.",
    "file": "File in the state folder.",
    "fingerprint": "Hash of text and requests: equal ones share a result. Of a whole paper's line `head`: "
    "that of the result without its body, after `head:`.",
    "finish_reason": "As the answer says it.",
    "finished_at": "When it ended; null if it has not.",
    "flag_share": "Papers that are flagged, of those that are sent.",
    "full_text": "Whether bodies are sent.",
    "generation": "How often the paper was opened again, from 1.",
    "glossary": "Source term → target term.",
    "hash": "Seal over all the rest.",
    "high": "Upper end of the 90% interval.",
    "hours": "From the first job's start to the last paper.",
    "hours_low": "Lower end of the 90% interval.",
    "id": "Its id.",
    "in_flight": "Received, and not yet done with.",
    "indeterminate": "Whether nobody knows what was charged.",
    "indeterminate_usd": "Part of the spend: calls that may not have been charged.",
    "index": "File of the index.",
    "job_hours": "How long a job on Actions may run.",
    "jobs": "Number of processes.",
    "json_mode": "Whether JSON is asked for by the API's own means.",
    "keywords": "Texts.",
    "kind": "What it is.",
    "lambda_gb_second_usd": "Price of a gigabyte for a second.",
    "lambda_max_concurrency": "Functions at once, at most.",
    "lambda_other_usd_per_1000_papers": "Queue, table and storage for a thousand papers.",
    "lambda_ramp_per_minute": "Functions more, each minute.",
    "lambda_table_writes": "Write units a second of the ledger's table: a new one's.",
    "lambda_start_concurrency": "Functions at once from the start.",
    "lambda_start_s": "A cold start.",
    "language": "Language code, if the source says it.",
    "laptop_start_s": "From the command to the first call.",
    "latency": "Seconds from sending to the answer's end.",
    "license": "As the source has it.",
    "licenses": "License → papers.",
    "low": "Lower end of the 90% interval.",
    "masking_version": "Version of the rules that mask formulas.",
    "max_tokens_field": "Name of the parameter that caps an answer.",
    "minute_usd": "Price of a runner's minute.",
    "model": "The model's name.",
    "name": "Its name.",
    "no_derivatives": "Papers whose license forbids translations.",
    "notice": "Attribution that the license asks for.",
    "ok": "Answered.",
    "outcome": "`ok`, `throttled`, `transient`, `fatal` or `refused`.",
    "p50": "Half of the calls.",
    "p90": "Nine of ten.",
    "p99": "99 of 100.",
    "papers": "Number of papers.",
    "papers_per_hour": "Papers an hour.",
    "per_request": "For each request.",
    "per_token": "For each token of the text.",
    "platform": "Where the jobs run.",
    "platform_minutes": "Minutes of runners.",
    "platform_usd": "What the platform costs, beside the API.",
    "predicted": "As it was planned.",
    "price_cached": "USD per million prompt tokens that come from the cache; null: the price table's.",
    "price_in": "USD per million prompt tokens; null: the price table's.",
    "price_out": "USD per million completion tokens; null: the price table's.",
    "private": "Whether the repository is private: its minutes are counted.",
    "profile": "File of the profile.",
    "prompt": "Tokens of requests.",
    "prompt_tokens": "Tokens of requests.",
    "prompt_tokens_per_token": "The same, by its size.",
    "prompt_version": "Version of the prompt's words.",
    "queued": "Jobs that wait for a runner.",
    "ranges": "Where each paper is in the corpus: first byte and length.",
    "reason": "Why.",
    "reasoning": "Completion tokens that are no part of an answer's text.",
    "reasoning_tokens": "Completion tokens that are no part of an answer's text.",
    "recommended": "Tier of the fleet that is recommended.",
    "refused": "Refused for good, one request alone.",
    "rejects": "Lines that are no papers.",
    "rejects_file": "File of the rejected lines.",
    "repairs": "Calls that asked for a better answer.",
    "residual": "Standard deviation around that.",
    "reused": "Papers whose result an earlier run had.",
    "reused_from": "Run whose result was taken over; null: none.",
    "risk": "Of not coming out as planned.",
    "risk_reason": "Why.",
    "rpm": "Requests a minute that the API allows; null: not known.",
    "run": "Settings that `run --plan` executes.",
    "run_id": "Id of the run.",
    "running": "Jobs that run.",
    "same_as": "Papers whose text another paper has: never sent.",
    "sent": "All of them.",
    "session": "Id of the session.",
    "sessions": "Sessions that somebody or something has to start.",
    "sha256": "Of the canonical corpus.",
    "shared": "Whether other runs' messages are counted too.",
    "skip_no_derivatives": "Whether papers whose license forbids translations are skipped.",
    "spend_nano_usd": "The same in nano-USD, exact.",
    "spend_usd": "Booked for all calls.",
    "started_at": "When it began.",
    "state": "Where it stands.",
    "status": "How it ended or stands.",
    "target_language": "Tag of BCP 47.",
    "task": "What is asked of each paper.",
    "temperature": "Of the model; null: not sent.",
    "throttled": "Refused for a rate limit.",
    "tier": "A tier's name, or `custom`.",
    "title": "Text.",
    "tokens": "Estimate of all its texts.",
    "tokens_completion": "Tokens of answers.",
    "tokens_in": "Estimate of the texts' tokens.",
    "tokens_out": "Estimate of the translations' tokens.",
    "tokens_prompt": "Tokens of requests.",
    "tpm": "Tokens a minute that the API allows; null: not known.",
    "transient": "Failed and tried again.",
    "url": "Address.",
    "utilization": "Share of the workers' time spent on papers.",
    "v": "Version of the format.",
    "verdict": "Whether the prediction held.",
    "visible": "Waiting for a job.",
    "wall_s": "Seconds from start to end.",
    "warnings": "Sentences for people.",
    "where": "Where it is.",
    "why": "Why.",
    "worker_utilization": "Share of the workers' time spent on papers.",
    "workers": "Of each job.",
}
"""Meaning of a key, by its name, where the code gives it none of its own."""
