"""Headers as databases, repositories and people write them, and the fields that they fill."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from handlers.corpus.field_names import FieldReader
from handlers.corpus.ingest import ingest
from handlers.corpus.sources.formats import open_source
from handlers.corpus.sources.source_notes import NotingSource
from handlers.errors import UsageError

TABLES = {
    "in capitals": ("ID TITLE ABSTRACT KEYWORDS", "ID TITLE ABSTRACT KEYWORDS"),
    "as a sentence": ("Paper ID|Paper Title|Abstract|Key words", "Paper ID|Paper Title|Abstract|Key words"),
    "Chinese": ("编号 题名 摘要 关键词", "编号 题名 摘要 关键词"),
    "Chinese, another": ("序号 标题 内容摘要 关键字", "序号 标题 内容摘要 关键字"),
    "traditional Chinese": ("編號 篇名 摘要 關鍵詞", "編號 篇名 摘要 關鍵詞"),
    "Japanese": ("論文番号 論文名 抄録 キーワード", "論文番号 論文名 抄録 キーワード"),
    "Korean": ("논문번호 제목 초록 키워드", "논문번호 제목 초록 키워드"),
    "German": ("Kennung|Titel|Zusammenfassung|Schlagwörter", "Kennung|Titel|Zusammenfassung|Schlagwörter"),
    "French": ("Identifiant|TITRE|Resume|Mots clés", "Identifiant|TITRE|Resume|Mots clés"),
    "Russian": ("Идентификатор|Название|Аннотация|Ключевые слова",) * 2,
    "Web of Science": ("PT AU TI DE ID AB DI UT", "UT TI AB DE"),
    "Scopus": ("Authors|Title|DOI|Abstract|Author Keywords|EID", "EID|Title|Abstract|Author Keywords"),
    "Zotero": (
        "Key|Item Type|Publication Title|Title|Abstract Note|Manual Tags",
        "Key|Title|Abstract Note|Manual Tags",
    ),
    "CNKI": (
        "Title-题名 Author-作者 Keyword-关键词 Summary-摘要 DOI-DOI",
        "DOI-DOI Title-题名 Summary-摘要 Keyword-关键词",
    ),
    "DSpace": (
        "id dc.title[en] dc.title[zh_CN] dc.description.abstract[zh_CN] dc.subject[zh_CN]",
        "id dc.title[zh_CN] dc.description.abstract[zh_CN] dc.subject[zh_CN]",
    ),
    "in two languages": ("DOI Title 题名 Abstract 摘要 关键词", "DOI 题名 摘要 关键词"),
    "of two languages, by tags": (
        "id title_en title_cn abstract_en abstract_cn keywords_zh-CN",
        "id title_cn abstract_cn keywords_zh-CN",
    ),
    "of two languages, in camel case": (
        "ID titleEN titleZh abstractEn abstractZh",
        "ID titleZh abstractZh -",
    ),
    "of two languages, in words": (
        "编号|标题(中文)|标题(英文)|Abstract (Chinese)|摘要（英文）|关键词(中)",
        "编号|标题(中文)|Abstract (Chinese)|关键词(中)",
    ),
    "of one language, by tags": ("id title_en abstract_en", "id title_en abstract_en -"),
    "with an English column beside others": ("id 题名 abstract_en keywords_cn", "id 题名 - keywords_cn"),
    "of what only sounds like it": ("id source_title title_id abstract_length", "id - - -"),
    "of nothing that is known": ("Kopje Inhalt de la ut", "- - - -"),
}


def split(names: str) -> list[str]:
    return names.split("|") if "|" in names else names.split(" ")


@pytest.mark.parametrize(("header", "wanted"), TABLES.values(), ids=list(TABLES))
def test_a_header_fills_the_fields_of_a_paper(header: str, wanted: str) -> None:
    columns = split(header)
    raw, _ = FieldReader({}, columns).read({name: f"<{name}>" for name in columns})
    found = [raw[field] for field in ("id", "title", "abstract", "keywords")]
    assert found == [None if name == "-" else f"<{name}>" for name in split(wanted)]


def ingested(folder: Path, text: str, **mapping: str) -> tuple[list[dict[str, Any]], str]:
    """The papers, and what is said of their fields."""
    path = folder / ("in.jsonl" if text.startswith("{") else "in.csv")
    path.write_text(text, encoding="utf-8")
    source = open_source(str(path))
    result = ingest(source, folder / "state", mapping=mapping)
    assert isinstance(source, NotingSource)
    lines = result.corpus.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines], "; ".join(source.notes.phrases())


def test_what_is_taken_for_what_is_said(tmp_path: Path) -> None:
    papers, said = ingested(tmp_path, "DOI,No.,标题,Abstract,备注\n10.1/a,1,甲,乙,x\n,2,丙,丁,\n")
    assert [paper["id"] for paper in papers] == ["10.1/a", "2"]  # a row without the better id has another
    first = {"id": "10.1/a", "title": "甲", "abstract": "乙", "keywords": [], "language": "zh"}
    assert papers[0] == first | {"No.": "1", "备注": "x"}
    assert (
        said == "taken: id from DOI or No., title from 标题, abstract from Abstract (else: --map FIELD=NAME)"
    )


def test_a_field_s_own_name_goes_before_all_others(tmp_path: Path) -> None:
    papers, said = ingested(tmp_path, "id,title,Title,题名\n1,own,other,third\n2,,other,third\n")
    assert ([paper["title"] for paper in papers], said) == (["own", ""], "")


def test_records_of_several_shapes_are_read_each_by_its_own(tmp_path: Path) -> None:
    records = [
        {"ID": "1", "Title": "甲", "URL": {"no": "text"}, "Keywords": ["a"]},
        {"id": "2", "title": "乙", "Keywords": [1]},
        {"id": "3", "TITLE": " ", "题名": "丙"},
    ]
    papers, _ = ingested(tmp_path, "".join(json.dumps(each) + "\n" for each in records))
    read = [(each["id"], each["title"], each["keywords"]) for each in papers]
    assert read == [("1", "甲", ["a"]), ("2", "乙", []), ("3", "丙", [])]
    assert (papers[0]["URL"], papers[1]["Keywords"]) == ({"no": "text"}, [1])  # carried along, as before


@pytest.mark.parametrize(
    "text", ["Nr,Titel,Text\n1,a,b\n", '{"Nr": "1", "Titel": "a"}\n{"Nr": "2", "Titel": "a", "Text": "b"}\n']
)
def test_a_mapping_to_what_is_not_there_names_what_is(tmp_path: Path, text: str) -> None:
    with pytest.raises(
        UsageError, match="--map title=Title: the source has no 'Title'; it has Nr, Titel, Text"
    ):
        ingested(tmp_path, text, title="Title", id="Nr")
    papers, _ = ingested(tmp_path, text, title="TITEL", id="nr")  # case is no difference
    assert papers[0]["title"] == "a"


def test_names_that_nobody_would_write_are_read_in_linear_time() -> None:
    record = {f"{n}" + "-题" * 99_000: "x" for n in range(9)} | {f"t{n}\ud800": 1 for n in range(5_000)}
    raw, _ = FieldReader({}).read(record)
    assert set(raw.values()) == {None}
