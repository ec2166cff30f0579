"""Papers that may need the very same request travel in one batch."""

from __future__ import annotations

import json
from pathlib import Path

from handlers.corpus.batching import cut
from handlers.corpus.index import parse_index
from handlers.corpus.ingest import ingest
from handlers.corpus.sources.formats import open_source
from handlers.domain.batch import BatchMessage

TEXT = "本文研究了温度对样品结构的影响，结果表明{}随时间变化，方法可靠且适用范围广泛。"


def batches(folder: Path, *papers: dict[str, object]) -> list[BatchMessage]:
    source = folder / "papers.jsonl"
    source.write_text("".join(json.dumps(paper, ensure_ascii=False) + "\n" for paper in papers))
    found = ingest(open_source(str(source)), folder)
    entries = parse_index(found.index.read_bytes().splitlines(keepends=True))
    return list(
        cut(
            entries,
            run_id="r",
            corpus_key=found.key,
            corpus_sha256=found.sha256,
            max_papers=2,
            max_tokens=10**6,
        )
    )


def paper(number: int, formula: str = "能量", **fields: object) -> dict[str, object]:
    return {"id": f"p{number}", "title": "温度与结构", "abstract": TEXT.format(formula), **fields}


def other(number: int) -> dict[str, object]:
    return {
        "id": f"o{number}",
        "title": f"另一篇关于第{number}种材料的论文",
        "abstract": "完全不同的内容。" * 6,
    }


def test_papers_that_differ_in_untranslated_keywords_share_a_batch(tmp_path: Path) -> None:
    crowd = [other(number) for number in range(9)]
    messages = batches(tmp_path, paper(1, keywords=["G250"]), *crowd, paper(2, keywords=["TP393", "O4"]))
    assert any({"p1", "p2"} <= set(message.ids) for message in messages)


def test_papers_that_differ_in_a_formula_alone_share_a_batch(tmp_path: Path) -> None:
    crowd = [other(number) for number in range(9)]
    messages = batches(tmp_path, paper(1, "$E = m c^2$"), *crowd, paper(2, "$E \\approx 10^{23} \\, J$"))
    assert any({"p1", "p2"} <= set(message.ids) for message in messages)


def test_every_paper_is_cut_into_exactly_one_batch_all_the_same(tmp_path: Path) -> None:
    papers = [paper(number, keywords=[f"K{number}"]) for number in range(7)] + [other(8), other(9)]
    ids = [paper_id for message in batches(tmp_path, *papers) for paper_id in message.ids]
    assert sorted(ids) == sorted(str(each["id"]) for each in papers)
