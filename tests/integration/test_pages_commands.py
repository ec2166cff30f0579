"""``report --html``, ``review`` and ``export --format parquet`` as a user starts them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from handlers.cli.main import main
from tests.builders.command import corpus, lines, paperfleet
from tests.builders.finished_run import RUN, Outcome, finished_run

EXTRAS = ("jinja2", "altair", "vl_convert", "latex2mathml", "duckdb")


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("state")
    source = lines(corpus(folder / "corpus.jsonl", 30))
    fields = {"title": "A study", "abstract": "We study $x ^ 2$.", "keywords": ["one", "two"]}
    with finished_run(folder / "state", source, lambda _paper, _number: Outcome("done", fields)):
        yield folder / "state"


def flags(state: Path) -> list[object]:
    return ["--state", state, "--run-id", RUN]


@pytest.mark.slow
def test_report_writes_the_page_beside_what_it_prints(state: Path, tmp_path: Path) -> None:
    page = tmp_path / "new" / "run.html"
    ran = paperfleet("report", *flags(state), "--html", page, "--json")
    assert ran.code == 0, ran.err
    assert ran.report["counts"]["done"] == 30
    assert "<title>Run backfill: finished</title>" in page.read_text()
    assert [path.name for path in page.parent.iterdir()] == ["run.html"]


def test_a_plan_that_is_none_is_a_sentence_and_exit_2(state: Path, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text("[]")
    ran = paperfleet(
        "report", *flags(state), "--html", tmp_path / "run.html", "--plan", tmp_path / "plan.json"
    )
    assert ran.code == 2
    assert "a JSON object wanted" in ran.err
    assert not (tmp_path / "run.html").exists()


def test_review_prints_where_to_begin(state: Path, tmp_path: Path) -> None:
    ran = paperfleet("review", *flags(state), "--output", tmp_path / "site")
    assert ran.code == 0, ran.err
    assert ran.out.strip() == str(tmp_path / "site" / "index.html")
    assert "30 papers on 2 pages" in ran.err
    assert "<msup>" in (tmp_path / "site" / "pages" / "0001.html").read_text()


@pytest.mark.parametrize("run_id", ["nobody", RUN])
def test_a_run_or_state_that_is_not_there_makes_no_site(state: Path, tmp_path: Path, run_id: str) -> None:
    there = state if run_id != RUN else tmp_path / "nowhere"
    ran = paperfleet("review", "--state", there, "--run-id", run_id, "--output", tmp_path / "site")
    assert ran.code == 2
    assert not (tmp_path / "site").exists()
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.slow
def test_parquet_has_the_rows_of_the_jsonl(state: Path, tmp_path: Path) -> None:
    for form in ("jsonl", "parquet"):
        ran = paperfleet("export", *flags(state), "--format", form, "--output", tmp_path / f"results.{form}")
        assert ran.code == 0, ran.err
    read = duckdb.connect().execute(
        "SELECT id, title, keywords, cost_usd FROM read_parquet(?)", [str(tmp_path / "results.parquet")]
    )
    wanted = [
        (row["id"], row["title"], row["keywords"], row["cost_usd"])
        for row in lines(tmp_path / "results.jsonl")
    ]
    assert read.fetchall() == wanted
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results.jsonl", "results.parquet"]


@pytest.mark.slow
def test_the_command_loads_no_library_of_an_extra_until_it_needs_one() -> None:
    program = (
        "import sys; from handlers.cli.main import app_of; app_of();"
        f"print([name for name in {EXTRAS} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize(
    ("missing", "arguments", "extra"),
    [
        ("altair", ["report", "--html", "run.html"], "report"),
        ("jinja2", ["review", "--output", "site"], "report"),
        ("duckdb", ["export", "--format", "parquet", "--output", "results.parquet"], "parquet"),
    ],
)
def test_without_an_extra_the_command_names_it_and_leaves_nothing(
    state: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    missing: str,
    arguments: list[str],
    extra: str,
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.setattr(sys, "argv", ["paperfleet", *arguments, *map(str, flags(state))])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert f"pip install 'paperfleet[{extra}]'" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_markdown_is_a_folder_with_a_file_a_paper(state: Path, tmp_path: Path) -> None:
    ran = paperfleet("export", *flags(state), "--format", "markdown", "--output", tmp_path / "papers")
    assert ran.code == 0, ran.err
    assert "30 files" in ran.err
    assert len(list((tmp_path / "papers").glob("*.md"))) == 30
    for words, more in (("--columns", ["--columns", "id"]), ("--bom", ["--bom"]), ("would be lost", [])):
        ran = paperfleet("export", *flags(state), "--format", "markdown", "--output", tmp_path, *more)
        assert ran.code == 2
        assert words in ran.err
