"""A folder of Markdown out of a real ledger and store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.atomic_file import replacing_folder
from handlers.corpus.sources.front_matter import end_of_front_matter, read_front_matter
from handlers.domain.paper import Paper
from handlers.errors import UsageError
from handlers.results import markdown_writer
from handlers.results.export import chunked
from handlers.results.export_shape import ExportShape, folder_of, format_of
from handlers.results.markdown_writer import MARKER, export_markdown, markdown_lines
from tests.builders.finished_run import RUN, FinishedRun, Outcome, finished_run
from tests.builders.whole_bodies import BODY, whole_body

FIELDS: dict[str, Any] = {
    "title": "Title: one",
    "abstract": "First.\n# no heading\n$a\n>b$",
    "keywords": ["k"],
}
RECORD: dict[str, Any] = {
    "id": "p", "status": "done", "title": "T", "source_title": "题", "keywords": [], "license": None,
    "url": None, "model": "m", "notice": "n", "segments": None, "abstract": "A", "body": None,
}  # fmt: skip


def decide(paper: Paper, _number: int) -> Outcome:
    if paper.id == "whole":
        return Outcome("done", FIELDS, whole=whole_body())
    if paper.id == "refused":
        return Outcome("flagged", FIELDS, error="numbers", whole=whole_body(refused={"body/0"}))
    return Outcome("failed", error="http_500") if paper.id == "failed" else Outcome("done", FIELDS)


@contextmanager
def made(folder: Path) -> Iterator[FinishedRun]:
    bodies = {"whole", "refused"}
    papers = [
        {"id": name, "title": f"题目{name}", "abstract": "摘要", "language": "zh", "license": "CC-BY-4.0",
         "body": BODY if name in bodies else None}
        for name in ("whole", "refused", "failed", "a/b", "Whole")
    ]  # fmt: skip
    with finished_run(folder / "state", papers, decide) as run:
        yield run


def test_calls_of_a_whole_paper_that_has_not_ended_are_those_of_its_passages(tmp_path: Path) -> None:
    papers = [{"id": name, "title": f"题目{name}", "language": "zh", "body": BODY} for name in ("one", "two")]

    def unfinished(paper: Paper, _number: int) -> Outcome:
        return Outcome("pending" if paper.id == "two" else "done", FIELDS, whole=whole_body())

    with finished_run(tmp_path / "state", papers, unfinished) as run:
        records = [record for chunk in chunked(run, RUN, ExportShape()) for _, record in chunk]
    assert [record["status"] for record in records] == ["done", "pending"]
    assert records[0]["usage"] == records[1]["usage"]
    assert (records[1]["body"], records[1]["segments"]) == (None, None)
    assert records[1]["cost_usd"] == records[0]["cost_usd"] == 3 * 0.0013


def split(text: str) -> tuple[dict[str, Any], str]:
    """Front matter as YAML reads it, and what follows."""
    opened, head, body = text.split("---\n", 2)
    assert opened == ""
    fields = yaml.safe_load(head)
    assert all(
        json.loads(line.partition(": ")[2]) == fields[line.partition(": ")[0]] for line in head.splitlines()
    )
    return fields, body


def test_there_is_a_file_for_each_paper_with_a_text_and_its_body_byte_for_byte(tmp_path: Path) -> None:
    output = tmp_path / "out"
    with made(tmp_path) as run:
        counts, files = export_markdown(run, RUN, output)
        records = [record for chunk in chunked(run, RUN, ExportShape()) for _, record in chunk]
        assert (counts["done"], counts["flagged"], counts["failed"], files) == (3, 1, 1, 3)
        names = sorted(path.name for path in output.iterdir())
        assert [name.split("-")[0] for name in names] == ["Whole", "a_b", MARKER.split("-")[0], "whole.md"]
        fields, body = split((output / "whole.md").read_text(encoding="utf-8"))
        assert body == "\n" + records[0]["body"]
        assert fields["segments"] == records[0]["segments"]
        assert (fields["title"], fields["source_title"], fields["status"]) == (
            "Title: one",
            "题目whole",
            "done",
        )
        assert records[0]["usage"]["calls"] == len(whole_body().passages) == 3
        assert records[0]["usage"]["prompt_tokens"] == 3 * 600
        _, short = split((output / names[0]).read_text(encoding="utf-8"))
        assert short == "\n# Title: one\n\nFirst.\n\\# no heading\n$a\n>b$\n"
        export_markdown(run, RUN, output, drafts=True)
        assert split((output / "refused.md").read_text(encoding="utf-8"))[0]["segments"]["flagged"] == [
            "body/0"
        ]
    assert {path.name for path in tmp_path.iterdir()} == {"out", "state"}


HOSTILE = [
    '"\n---\n# x', "a: b", "'", "\\", "---", "...", "\u2028---\u2029", "\x85x", "\x00\x1b", "\ud800",
    "\ufeff", "{{x}}", "%YAML", "!!python/object:os.system", "&a *a", "😀", "\x7f", "\ufffe", "yes", "null",
    "01:02", "\r\n---\r\n",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_ends_the_front_matter_or_is_anything_but_itself(text: str) -> None:
    record = RECORD | {"id": text, "title": text, "keywords": [text], "source_title": text, "url": text}
    written = "".join(markdown_lines(record)).encode("utf-8", "replace").decode()
    fields, body = split(written)
    expected = text.replace("\ud800", "?")
    assert (fields["id"], fields["keywords"], fields["url"]) == (expected, [expected], expected)
    assert fields["status"] == "done"
    assert [line for line in body.splitlines() if line.startswith("---")] == []
    lines = written.split("\n")
    read = read_front_matter(lines[: end_of_front_matter(lines)], "p.md")
    assert isinstance(read, dict)
    assert set(read) == set(fields)


@given(st.text(), st.text())
@settings(max_examples=25)
def test_title_and_abstract_make_one_heading(title: str, abstract: str) -> None:
    from markdown_it import MarkdownIt

    record = RECORD | {"title": title, "abstract": abstract}
    _, body = split("".join(markdown_lines(record)).encode("utf-8", "replace").decode())
    headings = [token for token in MarkdownIt().parse(body) if token.type == "heading_open"]
    assert len(headings) <= 1


def test_a_folder_that_is_no_export_is_never_replaced(tmp_path: Path) -> None:
    output = tmp_path / "mine"
    with made(tmp_path) as run:
        output.mkdir()
        export_markdown(run, RUN, output)  # an empty one is taken
        for stranger in ("notes.md", "notes.txt", ".git"):
            strange = output / stranger
            strange.mkdir() if stranger == ".git" else strange.write_text("mine")
            with pytest.raises(UsageError, match="other files in it, which would be lost"):
                export_markdown(run, RUN, output)
            strange.rmdir() if stranger == ".git" else strange.unlink()
        export_markdown(run, RUN, output)
        (output / MARKER).unlink()
        for place, words in ((output, "would be lost"), (tmp_path / "state" / "source.jsonl", "is a file")):
            with pytest.raises(UsageError, match=words):
                export_markdown(run, RUN, place)
    assert (output / "whole.md").exists()


def test_an_export_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "out"
    with made(tmp_path) as run:
        export_markdown(run, RUN, output)
        before = {path.name: path.read_bytes() for path in output.iterdir()}
        calls = iter([["fine"]])
        monkeypatch.setattr(markdown_writer, "markdown_lines", lambda _: next(calls))
        with pytest.raises((StopIteration, RuntimeError)):
            export_markdown(run, RUN, output)
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before
    assert {path.name for path in tmp_path.iterdir()} == {"out", "state"}


def test_a_link_to_a_folder_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with made(tmp_path) as run:
        export_markdown(run, RUN, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "whole.md").is_file()


@pytest.mark.parametrize("in_two_steps", [False, True])
def test_a_folder_takes_the_place_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_two_steps: bool
) -> None:
    if in_two_steps:
        monkeypatch.setattr("handlers.atomic_file._exchanged", lambda *_: False)
    for word in ("first", "second"):
        with replacing_folder(tmp_path / "x") as folder:
            (folder / word).touch()
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["second"]
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_markdown_needs_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--output FOLDER"):
        format_of("-", "markdown")
    assert format_of(tmp_path / "v1.2", "markdown") == "markdown"
    with pytest.raises(UsageError, match="contradict"):
        format_of(tmp_path / "a.csv", "markdown")
    assert folder_of(tmp_path / "new", MARKER) == (tmp_path / "new").resolve()
