"""Parameters that several commands share and that are no settings."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

_SOURCE = (
    "JSONL, CSV, TSV (or .gz of them), Excel or Parquet file, a folder of Markdown files, "
    "oai+https://host/path?set=..&from=.., or `-` for standard input."
)
Source = Annotated[str, Argument(help=_SOURCE)]
SourceOrSample = Annotated[str | None, Argument(help=_SOURCE, show_default=False)]
Mapping = Annotated[
    list[str] | None,
    Option(
        "--map",
        help="Field of a paper = field of the source, e.g. --map title=Title.",
        rich_help_panel="Text",
    ),
]
SourceFormat = Annotated[
    str | None,
    Option(
        "--format",
        help="jsonl, csv, xlsx, parquet or markdown, if the name does not say it.",
        rich_help_panel="Text",
    ),
]
Encoding = Annotated[
    str | None,
    Option(
        "--encoding",
        help="Encoding of the source, e.g. gb18030 or utf-16, where it is not found out rightly.",
        rich_help_panel="Text",
    ),
]
AsJson = Annotated[bool, Option("--json", help="Print the report as JSON on stdout.")]
