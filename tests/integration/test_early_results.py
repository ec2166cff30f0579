"""Results that are made while the last papers land: the file that an export at the end would have written."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from handlers.adapters.file_store import FileStore
from handlers.bootstrap.state import State, open_state
from handlers.domain.paper import PaperStatus
from handlers.domain.part_lines import encode
from handlers.domain.result import Part
from handlers.local import early_results
from handlers.local.early_results import EarlyResults
from handlers.model_server import ServerSettings, start
from handlers.results import early_export, source_rows
from handlers.results.early_export import complete, write_ahead
from handlers.results.export import export_jsonl
from handlers.settings import Settings, load_settings
from tests.builders import values
from tests.builders.command import PRICES, corpus, here
from tests.builders.values import RUN, part_line

PAPERS, CHUNK = 160, 50
STATUSES: tuple[PaperStatus, ...] = ("done", "done", "flagged", "failed", "skipped")


def paper(number: int) -> dict[str, Any]:
    fields: dict[str, Any] = {"id": f"p{number}", "title": f"题目{number}", "abstract": "研究。"}
    fields |= {"language": "en" if number % 5 == 4 else "zh"} if number % 7 else {}
    return fields | ({"same_as": f"p{number - 10}"} if number % 50 == 11 else {})


LEADERS = [number for number in range(PAPERS) if "same_as" not in paper(number)]
FOLLOWED = {number - 10 for number in range(PAPERS) if "same_as" in paper(number)}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(state=tmp_path / "state", run_id=RUN)


@pytest.fixture
def state(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[State]:
    monkeypatch.setattr(source_rows, "_CHUNK", CHUNK)
    with open_state(RUN, settings) as opened:
        source = settings.state / "source.jsonl"
        lines = (json.dumps(paper(number), ensure_ascii=False) + "\n" for number in range(PAPERS))
        source.write_text("".join(lines), encoding="utf-8")
        assert isinstance(opened.store, FileStore)
        opened.store.put_file(values.CORPUS, source)
        followers = PAPERS - len(LEADERS)
        opened.ledger.create_run(values.run_record(papers=PAPERS, same_as=followers))
        opened.ledger.add_batches([values.batch("b1", [f"p{number}" for number in LEADERS])])
        (settings.state / "runs" / RUN).mkdir(parents=True, exist_ok=True)
        yield opened


def land(state: State, numbers: Sequence[int], part: str, generation: int = 1) -> None:
    lines = [part_line(f"p{number}", STATUSES[number % 5], generation=generation) for number in numbers]
    if lines:
        (pointers,) = state.store.write_parts("job-a", [Part(RUN, part, tuple(map(encode, lines)))])
        entries = [
            values.entry(
                line.id,
                line.status,
                pointer=where,
                weight=1 + (number in FOLLOWED),
                generation=generation,
            )
            for number, line, where in zip(numbers, lines, pointers, strict=True)
        ]
        state.ledger.commit([values.commit(*entries, part=part)])


@pytest.mark.parametrize("share", [0.0, 0.5, 0.97, 1.0])
def test_what_is_completed_is_an_export_to_the_byte(state: State, tmp_path: Path, share: float) -> None:
    early = [number for number in LEADERS if random.Random(number).random() < share]
    land(state, early, "1")
    ahead = write_ahead(state, RUN, tmp_path / "scratch")
    land(state, sorted(set(LEADERS).difference(early)), "2")
    assert ahead is not None and bool(ahead.gaps) is (share < 1)
    told = complete(state, RUN, tmp_path / "completed.jsonl", tmp_path / "scratch", ahead)
    assert told == export_jsonl(state, RUN, tmp_path / "exported.jsonl")
    assert (tmp_path / "completed.jsonl").read_bytes() == (tmp_path / "exported.jsonl").read_bytes()


def test_nothing_is_remembered_of_more_papers_than_fit(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(early_export, "_MOST_BYTES", 1_000)
    assert write_ahead(state, RUN, tmp_path / "scratch") is None


@pytest.fixture
def began(state: State, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[EarlyResults]:
    """All but three papers have landed, and the process has begun."""
    monkeypatch.setattr(early_results, "_LEAST", 100)
    early = EarlyResults(settings)
    assert not early.is_due(state.ledger)  # nothing has landed
    land(state, LEADERS[:-3], "1")
    assert early.is_due(state.ledger)
    state.close()
    parent, own = os.pipe()
    with early:
        early.begin(parent, own)
        yield early
    os.close(parent)
    os.close(own)
    assert not [*(settings.state / "runs" / RUN).glob(".*")]


def test_a_session_ends_with_what_its_process_wrote_ahead(began: EarlyResults, settings: Settings) -> None:
    began.wait(lambda: False)
    with open_state(RUN, settings) as state:
        assert not began.is_due(state.ledger)  # once is enough
        land(state, LEADERS[-3:], "2")
        assert began.finish(state)
        results = settings.state / "runs" / RUN / "results.jsonl"
        export_jsonl(state, RUN, results.with_name("exported.jsonl"))
    assert results.read_bytes() == results.with_name("exported.jsonl").read_bytes()


def test_results_that_do_not_fit_the_ledger_are_made_again(began: EarlyResults, settings: Settings) -> None:
    began.wait(lambda: False)
    (scratch,) = (settings.state / "runs" / RUN).glob(".*")
    scratch.write_bytes(scratch.read_bytes()[:1_000])
    with open_state(RUN, settings) as state:
        land(state, LEADERS[-3:], "2")
        assert not began.finish(state)
        scratch.unlink()
        assert not began.finish(state)


def test_papers_that_were_opened_again_are_written_as_they_ended_last(
    began: EarlyResults, settings: Settings
) -> None:
    began.wait(lambda: False)
    assert here("retry", "--state", settings.state, "--run-id", RUN, "--flagged").code == 0
    with open_state(RUN, settings) as state:
        land(state, LEADERS[-3:], "2")
        flagged = [number for number in LEADERS[:-3] if STATUSES[number % 5] == "flagged"]
        land(state, flagged, "3", generation=2)
        assert not state.ledger.totals(RUN).counts["pending"]
        assert not began.finish(state)


def test_a_process_that_nobody_waits_for_leaves_nothing(began: EarlyResults, settings: Settings) -> None:
    began.wait(lambda: True)
    with open_state(RUN, settings) as state:
        assert not began.finish(state)


@pytest.mark.slow
def test_a_run_writes_its_results_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERFLEET_API_KEY", "k")
    monkeypatch.setattr(early_results, "_LEAST", 100)
    written: list[bool] = []
    finish = EarlyResults.finish
    monkeypatch.setattr(EarlyResults, "finish", lambda *given: written.append(finish(*given)) or written[-1])
    flags = [
        "--state",
        tmp_path / "state",
        "--run-id",
        RUN,
        "--model",
        "m",
        *PRICES,
        "--jobs",
        2,
        "--workers",
        20,
    ]
    settings = ServerSettings(latency=0.5, sigma=0.6)
    with start(settings) as server:
        ran = here("run", corpus(tmp_path / "papers.jsonl", 400), *flags, "--base-url", server.base_url)
    assert ran.code == 0 and written == [True], ran.err
    exported = here(
        "export", "--state", tmp_path / "state", "--run-id", RUN, "--output", tmp_path / "out.jsonl"
    )
    assert exported.code == 0
    results = tmp_path / "state" / "runs" / RUN / "results.jsonl"
    assert results.read_bytes() == (tmp_path / "out.jsonl").read_bytes()
