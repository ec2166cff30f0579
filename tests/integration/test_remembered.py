from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from handlers.corpus.ingest import IngestResult, ingest
from handlers.corpus.ingest_cache import place_of, remember, remembered
from handlers.corpus.sources.formats import open_source
from handlers.local import ingesting
from handlers.local.ingesting import SourceSpec, ingest_source
from handlers.settings import load_settings
from tests.builders.command import corpus


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return corpus(tmp_path / "papers.jsonl", 5)


def taken(source: Path, state: Path) -> IngestResult:
    place = place_of(str(source), None, {}, state)
    result = ingest(open_source(str(source)), state)
    remember(result, place)
    return result


def test_an_unchanged_file_is_not_read_again(source: Path, tmp_path: Path) -> None:
    assert remembered(str(source), None, {}, tmp_path) is None
    assert remembered(str(source), None, {}, tmp_path) is None
    result = taken(source, tmp_path)
    assert remembered(str(source), None, {}, tmp_path) == result


def test_a_file_that_changed_is(source: Path, tmp_path: Path) -> None:
    taken(source, tmp_path)
    text = source.read_text("utf-8")
    source.write_text(text.replace("样", "品", 1), "utf-8")
    os.utime(source, ns=(0, 0))
    assert remembered(str(source), None, {}, tmp_path) is None


def test_a_file_that_grew_while_it_was_read_is_read_again(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def papers() -> int:
        settings = load_settings(state=tmp_path / "state")
        return ingest_source(SourceSpec(str(source)), settings, Console(quiet=True), again=False).papers

    def read_and_grown(*arguments: Any, **options: Any) -> IngestResult:
        result = ingest(*arguments, **options)
        with source.open("a", encoding="utf-8") as file:
            file.write('{"id": "late", "title": "迟到的论文"}\n')
        return result

    monkeypatch.setattr(ingesting, "ingest", read_and_grown)
    assert papers() == 5
    monkeypatch.undo()
    assert papers() == 6


def test_another_mapping_or_format_is_another_corpus(source: Path, tmp_path: Path) -> None:
    taken(source, tmp_path)
    assert remembered(str(source), None, {"title": "abstract"}, tmp_path) is None
    assert remembered(str(source), "jsonl", {}, tmp_path) is None


@pytest.mark.parametrize("damage", ["corpus", "index", "profile_path", "rejects_path"])
def test_a_corpus_that_lost_a_part_is_made_anew(source: Path, tmp_path: Path, damage: str) -> None:
    result = taken(source, tmp_path)
    path: Path = getattr(result, damage)
    path.write_bytes(path.read_bytes()[:-1] or b"x")
    assert remembered(str(source), None, {}, tmp_path) is None
    path.unlink()
    assert remembered(str(source), None, {}, tmp_path) is None


def test_standard_input_and_folders_are_always_read(tmp_path: Path) -> None:
    assert remembered("-", None, {}, tmp_path) is None
    assert remembered(str(tmp_path), None, {}, tmp_path) is None
