"""The texts that come with the project, and the real corpus where it is at hand."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from pathlib import Path

import pytest

from handlers.corpus.ingest import ingest
from handlers.corpus.language import detect_language
from handlers.corpus.sources.formats import open_source
from handlers.domain.paper import Paper

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "handlers" / "corpus" / "sample.jsonl"
PAIRS = ROOT / "tests" / "data" / "reference_pairs.jsonl"
REAL = Path(os.environ.get("PAPERFLEET_CORPUS_DIR", ROOT.parent / "shared" / "corpus"))
EXACT = re.compile(
    r"\$\$.+?\$\$|\$[^$]+\$|\\\(.+?\\\)|\[\d[\d,\- ]*\]|https?://[^\s，。；]+|[\w.]+@[\w.]+\w|`[^`]+`",
    re.DOTALL,
)


def test_the_sample_has_what_its_readers_are_told(tmp_path: Path) -> None:
    result = ingest(open_source(str(SAMPLE)), tmp_path)
    assert (result.papers, result.rejects, result.same_as, result.duplicates) == (39, 1, 1, 0)
    assert result.profile.no_derivatives == 1
    assert {code: share.papers for code, share in result.profile.languages.items()} == {"en": 1, "zh": 38}
    papers = [Paper.model_validate_json(line) for line in result.corpus.read_bytes().splitlines()]
    assert "../../etc/passwd" in {paper.id for paper in papers}
    assert sum(not paper.abstract for paper in papers) == 1
    assert all((paper.url or "").startswith("https://example.org/") for paper in papers)
    assert any(paper.abstract.replace("\\$", "").count("$") % 2 for paper in papers)


def test_the_reference_pairs_are_sixty_over_ten_fields_with_exact_spans() -> None:
    pairs = [json.loads(line) for line in PAIRS.read_text("utf-8").splitlines()]
    assert len({pair["id"] for pair in pairs}) == len(pairs) == 60
    assert len({pair["field"] for pair in pairs}) >= 10
    spans = 0
    for pair in pairs:
        source, target = pair["source"], pair["target"]
        assert len(source["keywords"]) == len(target["keywords"])
        found = Counter(EXACT.findall(source["abstract"]))
        assert found == Counter(EXACT.findall(target["abstract"])), pair["id"]
        assert not re.search("[\u3000-\u9fff\uff00-\uffef]", EXACT.sub("", target["abstract"])), pair["id"]
        spans += bool(found)
    assert spans >= 25


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no real corpus in {REAL.name}; set PAPERFLEET_CORPUS_DIR")
def test_every_real_full_text_is_a_paper(tmp_path: Path) -> None:
    result = ingest(open_source(str(REAL / "chinaxiv-fulltext-300.jsonl.gz")), tmp_path)
    assert (result.papers, result.rejects, result.duplicates) == (300, 0, 0)
    assert result.profile.filled["body"] == 300


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no real corpus in {REAL.name}; set PAPERFLEET_CORPUS_DIR")
def test_the_detector_agrees_with_the_real_corpus_on_almost_every_paper() -> None:
    agree = total = 0
    for number, record in open_source(str(REAL / "chinaxiv-abstracts.jsonl.gz")).records():
        if isinstance(record, dict) and number % 10 == 0 and record["abstract"]:
            total += 1
            agree += detect_language(record["title"] + " " + record["abstract"]) == record["language"]
    assert agree / total > 0.98
