"""A source that would be skipped whole is refused, and what is not sent of the others is said."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from handlers.corpus.ingest import IngestResult
from handlers.errors import SourceError
from handlers.local.ingesting import SourceSpec, ingest_source
from handlers.local.task_file import task_bundle
from handlers.settings import Settings


def ingested(folder: Path, source: Path, *mapping: str, full_text: bool = False) -> tuple[IngestResult, str]:
    """The result, and what was said."""
    said = StringIO()
    settings = Settings(state=folder / "state", full_text=full_text)
    result = ingest_source(SourceSpec(str(source), mapping), settings, Console(file=said))
    return result, said.getvalue()


def reading(folder: Path, *fields: str, carry: str = "") -> Path:
    """A task file that reads these."""
    user = " ".join(f"{{{{? {name} }}}}{{{{ {name} }}}}{{{{/ {name} }}}}" for name in fields)
    file = folder / "own.toml"
    file.write_text(
        f'v = 1\nname = "own"\ninput = {{ shape = "record" }}\nprompt = {{ user = "{user}" }}\n'
        f'[output]\ntext = "answer"\ncarry = [{carry}]\n',
        encoding="utf-8",
    )
    return file


def table(path: Path, header: str, *rows: str) -> Path:
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    return path


@pytest.mark.parametrize("full", [0, 5], ids=["all are empty", "nearly all are empty"])
def test_a_source_without_texts_is_refused_before_a_run(tmp_path: Path, full: int) -> None:
    source = table(tmp_path / "in.csv", "编号,title,Kop", *(f"{n},{'题' * (n < full)},x" for n in range(100)))
    with pytest.raises(
        SourceError, match=f"{100 - full} of 100 papers have neither title nor abstract"
    ) as refused:
        ingested(tmp_path, source)
    assert "--map title=NAME" in str(refused.value)
    assert "the source has 编号, title, Kop" in str(refused.value)
    with pytest.raises(SourceError):  # nor is it remembered as good
        ingested(tmp_path, source)


def test_whoever_names_the_column_of_a_nearly_empty_source_knows_it(tmp_path: Path) -> None:
    source = table(tmp_path / "in.csv", "id,title,note", "1,题,x", *(f"{n},,x" for n in range(2, 100)))
    result, said = ingested(tmp_path, source, "title=title")
    assert result.papers == 99
    assert said.endswith("99 papers (98 without a text)\n")


def test_why_the_first_rejected_line_is_rejected_is_said(tmp_path: Path) -> None:
    """An id that is none, say: a run would go on with the few that are left."""
    rows = [f"{n % 3},题 {n}" for n in range(9)]
    for _ in range(2):  # it is remembered with the rest
        said = "".join(ingested(tmp_path, table(tmp_path / "in.csv", "id,title", *rows))[1].split("\n"))
        assert "3 papers (6 lines rejected, e.g. line 5: the id stands in line 2 with another text" in said
    few = "".join(ingested(tmp_path, table(tmp_path / "few.csv", "id,title", *rows[:4]))[1].split("\n"))
    assert "3 papers (1 line rejected, e.g. line 5: the id stands in line 2 with another text" in few


def test_dropped_records_with_other_content_are_said_by_their_lines(tmp_path: Path) -> None:
    rows = ["1,题,x", "1,题,x", *(f"1,题,{n}" for n in range(7)), "2,题,x"]
    source = table(tmp_path / "in.csv", "id,title,note", *rows)
    for _ in range(2):  # it is remembered with the rest
        said = "".join(ingested(tmp_path, source)[1].split("\n"))
        assert (
            "8 duplicates dropped, 7 of them with other content beside the text: lines 4, 5, 6, 7, 8, ..."
            in said
        )
        assert ".rejects.jsonl" in said


def test_fields_that_few_records_have_are_said_and_each_task_has_a_corpus_of_its_own(tmp_path: Path) -> None:
    source = table(tmp_path / "in.csv", "id,text,note", *(f"{n},x{n}," for n in range(8)), "8,x8,y", "9,,")
    found = set()
    for fields, told in (
        (("note", "text"), "10 records (1 without a text); note is in 1 of 10\n"),
        (("text",), "10 records (1 without a text)\n"),
    ):
        for _ in range(2):
            said = StringIO()
            settings = Settings(state=tmp_path / "state", task=reading(tmp_path, *fields))
            result = ingest_source(
                SourceSpec(str(source)),
                settings,
                Console(file=said, width=200),
                again=False,
                bundle=task_bundle(settings),
            )
            assert said.getvalue().endswith(told)
            found.add(result.sha256)
    assert len(found) == 2


def test_a_field_to_carry_along_that_no_record_has_is_said_with_the_nearest(tmp_path: Path) -> None:
    source = table(tmp_path / "in.csv", "id,product,text", *(f"{n},a,x{n}" for n in range(200)), "200,a,x,y")
    for carry, told in (
        ('"text", "produkt"', "no record has 'produkt', its column is empty; nearest: product"),
        ('"zzz.a", "id"', "no record has 'zzz.a', its column is empty; the source has id, product, text"),
        ('"product", "text"', ""),
    ):
        settings = Settings(state=tmp_path / "state", task=reading(tmp_path, "text", carry=carry))
        said = StringIO()
        ingest_source(
            SourceSpec(str(source)), settings, Console(file=said, width=200), bundle=task_bundle(settings)
        )
        warned = [line for line in said.getvalue().splitlines() if line.startswith("warning: ")]
        assert warned == [f"warning: output.carry: {told}"] * bool(told)


def test_bodies_that_are_not_sent_are_said(tmp_path: Path) -> None:
    papers = tmp_path / "papers"
    papers.mkdir()
    for name, text in (("a", "# 题目\n\n正文"), ("b", "# 题目二\n\n正文"), ("c", "# 题目三")):
        (papers / f"{name}.md").write_text(text, encoding="utf-8")
    assert (
        "3 papers; 2 papers have bodies, which are not sent: `--full-text`\n" in ingested(tmp_path, papers)[1]
    )
    assert "bodies" not in ingested(tmp_path, papers, full_text=True)[1]


def test_whoever_stops_the_reading_of_a_source_is_told_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> IngestResult:
        raise KeyboardInterrupt

    source = table(tmp_path / "in.csv", "id,title", "1,题")
    monkeypatch.setattr("handlers.local.ingesting.ingest", stopped)
    said = StringIO()
    with pytest.raises(KeyboardInterrupt):
        ingest_source(SourceSpec(str(source)), Settings(state=tmp_path / "state"), Console(file=said))
    assert "nothing of it is kept, no call was made; the same command begins again" in said.getvalue()
