"""Entries of a bibliography are kept, and prose is never taken for one."""

from __future__ import annotations

import pytest

from handlers.tasks.translation.passages.reference_rule import is_reference, is_references_heading

ENTRIES = (
    "[1] 王三，赵四．河流水温研究进展[J]．水科学，2010，21(3)：300－306．",
    "［12］孙五．水生态学［M］．北京：某某出版社，2001．",
    "[3] SMITH J, DOE A. Stream temperature[J]. Journal of Streams, 2005, 12(4): 1-9.",
    "4. 玻恩. 晶格动力学理论. 北京: 北京大学出版社, 1989.",
    "[5]钱六.经验公式的检验.环境学报,2015(2):7-10.",
    "李一．模型研究［D］．某市：某某大学，2012．",
    "[6] 某某网. 年度报告[EB/OL]. (2017-05-27)[2017-12-15]. http://example.org",
    "[7] 김철수. 하천 수온 연구[J]. 한국환경학회지, 2011, 3(2): 1-8.",
    "Müller, H. (2010). Die Temperatur der Flüsse. Zeitschrift für Hydrologie, 12(3), 45–60.",
    "Иванов И. И. Температура воды // Журнал. 2010. Т. 12. № 3. С. 45-60.",
    "Dupont, J.-P. La température des rivières. Revue, 2010, vol. 12, p. 45–60.",
    "김철수, 강의 수온, 수문학회지, 12(3), 45-60, 2010.",
)
PROSE = (
    "[1] 本文的数据由2019年的野外观测得到，由青石河管理站提供资助。",
    "[2] 2019年，我们测定了3个断面的水温。结果见表2。",
    "1. 枯水期为2005年至2010年，其间降水较少。",
    "（3）IAU2000章动模型",
    "2.3.4 术后并发症纳入11篇文献，异质性检验表明差异不明显。",
    "[4] This work was done in 2012 and its results are discussed by our group.",
    "河流水温影响鱼类的产卵[J]，已有研究多采用经验公式。这里不同。",
    "[5] 作者简介：王三，男，1980年生，教授，通讯作者。",
    "长" * 1_600 + "[J] 2010",
)


@pytest.mark.parametrize("text", ENTRIES)
def test_an_entry_under_a_heading_of_its_own_is_kept(text: str) -> None:
    assert is_reference(text, listed=True)


@pytest.mark.parametrize("text", PROSE)
def test_prose_is_sent_wherever_it_stands(text: str) -> None:
    assert not is_reference(text, listed=True)
    assert not is_reference(text, listed=False)


def test_elsewhere_an_entry_takes_all_three_signs() -> None:
    assert is_reference(ENTRIES[0], listed=False)
    assert not is_reference(ENTRIES[5], listed=False)


@pytest.mark.parametrize(
    "text",
    [
        *("参考文献", "参考文献：", "参考文献(References)：", "5.参考文献", "【参考文献】", "附中文参考文献"),
        *(
            "References",
            "REFERENCES:",
            "Bibliography",
            "7 Literature cited",
            "参考文献 References",
            "**参考文献**",
        ),
        *("参 考 文 献：", "七、参考文献", "VII. References", "參考文獻", "参考文献一覧", "注释与参考文献"),
        *("Literaturverzeichnis", "Literatur", "Références bibliographiques", "Bibliografía", "Referências"),
        *(
            "Riferimenti bibliografici",
            "Список использованных источников",
            "Библиография",
            "References and Notes",
        ),
        *("参考文献（References）:", "主要参考文献", "参考資料", "Литература", "참고문헌", "文 献"),
    ],
)
def test_headings_of_bibliographies(text: str) -> None:
    assert is_references_heading(text)


@pytest.mark.parametrize(
    "text",
    [
        "2 文献探讨",
        "1.1 新天文参考框架",
        "文献检索结果",
        "Reference frames",
        "参考文献的选取",
        "",
        "结论",
        "Quellen",
        "Literature review",
    ],
)
def test_headings_of_other_sections(text: str) -> None:
    assert not is_references_heading(text)
