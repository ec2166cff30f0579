"""The flags, once each; their names are the settings'."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

_ENDPOINT, _RUN, _FLEET, _TEXT = "Endpoint", "Run", "Fleet", "Text"

Source = Annotated[
    str,
    Argument(
        help="JSONL, CSV (or .gz of them) or Parquet file, a folder of Markdown files, "
        "oai+https://host/path?set=..&from=.., or `-` for standard input."
    ),
]
State = Annotated[
    Path | None, Option(help="Folder of ledger, corpus and results [default: paperfleet-state].")
]
RunId = Annotated[
    str | None, Option("--run-id", help="Name of the run [default: default].", rich_help_panel=_RUN)
]
Aws = Annotated[
    bool | None,
    Option(
        "--aws",
        help="On the deployed stack that PAPERFLEET_STACK names [default: paperfleet].",
        rich_help_panel="Where",
    ),
]
AsJson = Annotated[bool, Option("--json", help="Print the report as JSON on stdout.")]

BaseUrl = Annotated[
    str | None, Option(help="OpenAI-compatible endpoint, e.g. https://host/v1.", rich_help_panel=_ENDPOINT)
]
Model = Annotated[str | None, Option(help="Model's name at the endpoint.", rich_help_panel=_ENDPOINT)]
PriceIn = Annotated[
    str | None,
    Option(help="USD per million prompt tokens, if the table has no price.", rich_help_panel=_ENDPOINT),
]
PriceOut = Annotated[str | None, Option(help="USD per million completion tokens.", rich_help_panel=_ENDPOINT)]
PriceCached = Annotated[
    str | None,
    Option(help="USD per million cached prompt tokens [default: --price-in].", rich_help_panel=_ENDPOINT),
]
Temperature = Annotated[
    float | None, Option(help="Sampling temperature [default: 0].", rich_help_panel=_ENDPOINT)
]
MaxTokens = Annotated[
    int | None, Option(help="Cap on an answer's tokens [default: by the text].", rich_help_panel=_ENDPOINT)
]
MaxTokensField = Annotated[
    str | None, Option(help="max_tokens or max_completion_tokens.", rich_help_panel=_ENDPOINT)
]
JsonMode = Annotated[str | None, Option(help="auto, on or off [default: auto].", rich_help_panel=_ENDPOINT)]
ExtraBody = Annotated[
    str | None,
    Option(help="JSON merged into every request, e.g. '{\"thinking\": false}'.", rich_help_panel=_ENDPOINT),
]
AuthHeader = Annotated[
    str | None,
    Option(
        help='Header of the key [default: "Authorization: Bearer"], e.g. api-key.', rich_help_panel=_ENDPOINT
    ),
]
CallTimeout = Annotated[
    float | None, Option(help="Seconds for a whole call [default: 180].", rich_help_panel=_ENDPOINT)
]
ReadTimeout = Annotated[
    float | None,
    Option(help="Seconds of silence after which a call is cut [default: 120].", rich_help_panel=_ENDPOINT),
]

Jobs = Annotated[int | None, Option(help="Processes.", rich_help_panel=_FLEET)]
Workers = Annotated[
    str | None,
    Option(
        help="Threads per job at most, or `auto`: as many as calls, memory and the API's limit allow.",
        rich_help_panel=_FLEET,
    ),
]
Tier = Annotated[
    str | None,
    Option(help="standard 1x10, parallel 5x20, ultra 10x50 or extreme 20x100.", rich_help_panel=_FLEET),
]
Rpm = Annotated[
    float | None, Option(help="Declared limit: requests a minute, all jobs.", rich_help_panel=_FLEET)
]
Tpm = Annotated[
    float | None, Option(help="Declared limit: tokens a minute, all jobs.", rich_help_panel=_FLEET)
]

Budget = Annotated[
    str | None, Option(help="USD that the run may cost in all, over all sessions.", rich_help_panel=_RUN)
]
Limit = Annotated[int | None, Option(help="Start at most so many papers this time.", rich_help_panel=_RUN)]
Deadline = Annotated[float | None, Option(help="Seconds that this session may take.", rich_help_panel=_RUN)]
MaxFailed = Annotated[
    str | None,
    Option(
        help="Park the run once clearly more of its last 200 papers a job fail or are flagged, e.g. 5% "
        "[default: 50%; 100% never].",
        rich_help_panel=_RUN,
    ),
]
Force = Annotated[
    bool | None, Option("--force", help="Pay again for results of earlier runs.", rich_help_panel=_RUN)
]
BatchPapers = Annotated[
    int | None, Option(help="Papers a batch at most [default: 20].", rich_help_panel=_RUN)
]

FullText = Annotated[bool | None, Option("--full-text", help="Translate bodies too.", rich_help_panel=_TEXT)]
TargetLanguage = Annotated[str | None, Option(help="Language code [default: en].", rich_help_panel=_TEXT)]
Glossary = Annotated[
    Path | None, Option(help="CSV or JSON: source term, target term.", rich_help_panel=_TEXT)
]
SkipNoDerivatives = Annotated[
    bool | None,
    Option(
        "--skip-no-derivatives/--translate-no-derivatives",
        help="What to do with papers whose licence forbids derivatives [default: skip].",
        rich_help_panel=_TEXT,
    ),
]
Mapping = Annotated[
    list[str] | None,
    Option(
        "--map", help="Field of a paper = field of the source, e.g. --map title=Title.", rich_help_panel=_TEXT
    ),
]
SourceFormat = Annotated[
    str | None,
    Option(
        "--format",
        help="jsonl, csv, parquet or markdown, if the name does not say it.",
        rich_help_panel=_TEXT,
    ),
]
