"""Task files with sources of their own: papers four times, reviews in CSV, issues in JSONL, abstracts in
Parquet; and papers for vectors, for a translation of one's own, for votes, and with bodies for passages. The
texts are the project's, put together from small parts: each record is one of a kind."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from tests.builders.task_files import FOUR, written

REVIEWS = '''v = 1
name = "reviews"
[input]
shape = "record"
id = "review"
title = "product"
[prompt]
system = "You read what customers write about what they have bought."
user = """{{ product }}, {{ stars }} of 5 stars
{{ text }}"""
[output.fields]
mood = ["pleased", "mixed", "annoyed"]
would_buy_again = "yes/no"
complaints = [{ about = "text 1..60", quote = "text 2..200" }]
[[check]]
kind = "quotes_source"
field = "complaints[].quote"
'''
ISSUES = '''v = 1
name = "issues"
[input]
shape = "record"
id = "number"
[prompt]
system = "You sort reports about a piece of software for those who mend it."
user = """{{ title }}
{{? labels }}Labels: {{ labels }}
{{/ labels }}by {{ author.login }}

{{ body | first 2000 }}"""
[output]
carry = ["title"]
[output.fields]
part = ["queue", "ledger", "reports", "documents"]
severity = "integer 1..5"
summary = "text 3..200"
"version?" = "text 1..20"
'''
ABSTRACTS = """v = 1
name = "plain-words"
check = [ { kind = "length", unit = "words", maximum = 60, message = "Use at most 60 words." } ]
output = { text = "plain" }
[input]
shape = "record"
id = "doi"
title = "headline"
[prompt]
system = "Say in at most 60 plain words what the study found."
user = "{{ headline }}. {{ summary }}"
"""
VECTORS = """v = 1
name = "vectors"
kind = "embed"
[prompt]
user = "{{ title }}: {{ abstract }}"
[embed]
dimensions = 8
"""
GERMAN = """v = 1
name = "german"
kind = "translation"
[translation]
target_language = "de"
fields = ["title", "abstract"]
[prompt]
system = "You translate into {{ target_language }}."
"""
VOTES = """v = 1
name = "votes"
[prompt]
user = "{{ title }} {{ abstract }}"
[output.fields]
field = ["physics", "other"]
reason = "text 5..300"
[model]
temperature = 0.7
samples = 3
seed = 1
"""
PASSAGES = """v = 1
name = "passages"
[input]
unit = "passage"
[prompt]
user = "{{ passage }}"
[output.fields]
terms = "list of text 1..20"
"""
PLUGIN = f"""{VOTES.partition("[model]")[0]}[[check]]
kind = "plugin"
plugin = "no_other"
options = {{ refuse = ["physics", "other"] }}
"""
_BOUNDS = {
    "subject": ("reason", "characters", 40), "methods": ("methods[].name", "characters", 30),
    "summary": ("summary", "words", 9), "polish": ("text", "words", 20),
    "reviews": ("complaints[].about", "characters", 30), "issues": ("summary", "characters", 40),
    "abstracts": ("plain", "words", 9),
    "votes": ("reason", "characters", 40), "passages": ("terms[]", "characters", 12),
}  # fmt: skip
_ITEMS = ("kettle", "lamp", "chair", "tent", "radio", "bicycle", "blanket", "pan", "clock")
_SAID = (
    "arrived two days late", "works as it should", "smells of glue", "broke after a week",
    "is lighter than the old one", "came without a manual", "looks better than in the picture",
)  # fmt: skip
_FAULTS = ("stops with a traceback", "counts one paper twice", "shows no progress", "says nothing at all")
_FOUND = (
    "slows down where the soil is wet", "grows with the square of the distance", "does not depend on age",
    "halves within a day", "is larger in cities than on the land around them",
)  # fmt: skip


@dataclass(frozen=True)
class OwnTask:
    """A task file, what its checks become later, and a source that it is for."""

    name: str
    text: str
    source: Callable[[Path, int], Path]
    calls: int = 1
    """Of a record, at most, its repairs aside."""

    @property
    def has_checks(self) -> bool:
        return self.name in _BOUNDS

    @property
    def stricter(self) -> str:
        """The same requests; one check more, where a file may say one."""
        if not self.has_checks:
            return self.text
        field, unit, most = _BOUNDS[self.name]
        said = f'kind = "length", field = "{field}", unit = "{unit}", maximum = {most}, name = "later"'
        told = f'message = "Use at most {most} {unit}."'
        if "\ncheck = [" not in self.text:
            return f"{self.text}\n[[check]]\n" + f"{said}, {told}".replace(", ", "\n") + "\n"
        return self.text.replace("\ncheck = [", f"\ncheck = [ {{ {said}, {told} }},", 1)

    def file(self, folder: Path, text: str | None = None) -> Path:
        return written(folder, self.text if text is None else text, f"{self.name}.toml")


def _choice(parts: tuple[str, ...], number: int) -> str:
    return parts[number % len(parts)]


def _json_lines(path: Path, records: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in records), "utf-8")
    return path


def papers(folder: Path, count: int) -> Path:
    return _json_lines(
        folder / "papers.jsonl",
        [
            {
                "id": f"p{n}", "title": f"On what {_choice(_FOUND, n)}, part {n}", "language": "en",
                "abstract": f"We measure sample {n} at $T_{{{n}}} = {n}.5$: it {_choice(_FOUND, n)}. Of"
                f" {n + 40} trials {n + 7} end early. The method is fit {n % 6} on corpus {n % 9}.",
                "keywords": [f"trial {n}"] if n % 3 else [],
            }
            for n in range(count)
        ],
    )  # fmt: skip


def bodies(folder: Path, count: int) -> Path:
    """Papers of two or three passages, of which no two are equal."""
    lines = [json.loads(each) for each in papers(folder, count).read_text("utf-8").splitlines()]
    for n, paper in enumerate(lines):
        told = " ".join(f"It {each}, as trial {n} shows." for each in _FOUND)
        paper["body"] = "\n\n".join(f"Trial {n} of part {part}. " + f"{told} " * 20 for part in range(2))
    return _json_lines(folder / "bodies.jsonl", lines)


def reviews(folder: Path, count: int) -> Path:
    path = folder / "reviews.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["review", "product", "stars", "text"])
        for n in range(count):
            said = f"My {_choice(_ITEMS, n)}, order {n}, {_choice(_SAID, n)}; it {_choice(_SAID, n + 3)}."
            writer.writerow([f"r{n}", _choice(_ITEMS, n), 1 + n % 5, said])
    return path


def issues(folder: Path, count: int) -> Path:
    return _json_lines(
        folder / "issues.jsonl",
        [
            {
                "number": n + 1, "title": f"Command {n} {_choice(_FAULTS, n)}",
                "author": {"login": f"user{n % 7}"},
                "body": f"With version 1.{n}.0 it {_choice(_FAULTS, n)}.\\nIt {_choice(_FAULTS, n + 1)} too.",
                "labels": ["bug"] if n % 2 else [],
            }
            for n in range(count)
        ],
    )  # fmt: skip


def abstracts(folder: Path, count: int) -> Path:
    rows = [
        {
            "doi": f"10.5555/{n}", "headline": f"Study {n} of what {_choice(_FOUND, n)}",
            "summary": f"The effect {_choice(_FOUND, n)}. In trial {n} it {_choice(_FOUND, n + 2)}.",
            "year": 2000 + n % 25,
        }
        for n in range(count)
    ]  # fmt: skip
    lines, path = _json_lines(folder / "abstracts-rows.jsonl", rows), folder / "abstracts.parquet"
    duckdb.sql(f"COPY (FROM read_json('{lines}')) TO '{path}' (FORMAT parquet)")
    return path


SEVEN = (
    *(OwnTask(name, text, papers) for name, text in FOUR.items()),
    OwnTask("reviews", REVIEWS, reviews),
    OwnTask("issues", ISSUES, issues),
    OwnTask("abstracts", ABSTRACTS, abstracts),
)
OTHERS = (
    OwnTask("vectors", VECTORS, papers),
    OwnTask("german", GERMAN, papers),
    OwnTask("votes", VOTES, papers, calls=3),
    OwnTask("passages", PASSAGES, bodies, calls=3),
)
"""Of other kinds."""
JUDGED = OwnTask("judged", PLUGIN, papers)
"""By code of the distribution of ``tests.builders.plugin_folder``, which lets nothing through."""
