"""Texts by what their source has: backslashes, entities, white space, placeholders in other brackets."""

from __future__ import annotations

import re

import pytest

from handlers.tasks.translation.gate.gate import GateInput, check
from handlers.tasks.translation.raw_answer import parse
from tests.unit.tasks.translation.reading.samples import GOOD, SOURCES, dump


def _read(raw: str, source: str) -> str | None:
    """``raw``: the inside of a JSON string."""
    fields = parse(f'{{"abstract": "{raw}"}}', {"abstract": source}).fields
    return fields.get("abstract") if fields else None


@pytest.mark.parametrize(
    ("raw", "source", "meant"),
    [
        (r"the authors\' results", "作者", "the authors' results"),
        (r"it\\'s 5\\% of a\\_b", "百分之五", "it's 5% of a_b"),
        (r"\tau and \beta", r"\tau 与 \beta", r"\tau and \beta"),
        (r"\rho, \nu, 3\times 10", r"\rho、\nu、3\times 10", r"\rho, \nu, 3\times 10"),
        (r"time \tau, \nu, \rho, 3\times10, T\to 0", "τ与ν、ρ、3×10、T→0", "time τ, ν, ρ, 3×10, T→ 0"),
        (r"$\\tau$ and \\(\\nu\\)", "τ与ν", "τ and ν"),
        (r"one\n\ntwo\tthree", "一二三", "one two three"),
        (r"one\ntwo", "一\n二", "one\ntwo"),
        (r"one.\\nTwo", "一。二。", None),
        (r"one.\\n\\n2", "一。二。", "one. 2"),
        (r"R&amp;D, p &lt; 0.05, &#945;&nbsp;&#x3b2;", "R&D", "R&D, p < 0.05, α β"),
        (r"R&amp;amp;D", "R&D", "R&D"),
        (r"R&amp;D &lt; 1", "R&amp;D", "R&amp;D < 1"),
        (r"caf\\u00e9", "咖啡馆", "café"),
        (r"\tau", "弛豫时间", None),
        (r"of\nu", "频率", None),
        (r"\beta", "参数", None),
        (r"\frac{1}{2}", "一半", None),
        (r"a\\b", "甲", None),
        (r"growth \\ loss", r"生长\损失", "growth \\ loss"),
        (r"growth \\ loss \\ x", r"生长\损失", None),
        (r"growth \\ loss", "生长损失", None),
        (r"growth \\ loss", r"生长\\损失", None),
        (r"Poincar\'e map", "庞加莱映射", None),
        (r"d\'Alembert", "达朗贝尔", "d'Alembert"),
    ],
)
def test_a_text_is_read_by_what_its_source_has(raw: str, source: str, meant: str | None) -> None:
    if meant is None and (read := _read(raw, source)) is not None:
        assert "\\" in read  # a command of the model's own, which is refused after the gate
    else:
        assert _read(raw, source) == meant


FORMS = [
    *(
        r"[\1]",
        r"[[\1]]",
        r"【\1】",
        r"〚\1〛",
        r"⟦\1]",
        r"[\1⟧",
        r"⟦ \1 ⟧",
        r"[ \1 ]",
        r"<\1>",
        r"{\1}",
        r"{{\1}}",
    ),
    *(
        r"［\1］",
        r"⟦⟦\1⟧⟧",
        r"`⟦\1⟧`",
        r"《\1》",
        r"⟦#\1⟧",
        r"\\[\1\\]",
        r"&#10214;\1&#10215;",
        r"\\u27e6\1\\u27e7",
    ),
]


def _in_form(form: str) -> dict[str, str]:
    return {key: re.sub(r"⟦(\d)⟧", form, text) for key, text in GOOD.items()}


@pytest.mark.parametrize("form", FORMS)
def test_placeholders_in_other_brackets_are_read_where_they_can_only_be_meant(form: str) -> None:
    assert parse(dump(_in_form(form)), SOURCES).fields == GOOD


def test_placeholders_with_full_width_digits_are_read() -> None:
    wide = {key: text.translate(str.maketrans("123", "１２３")) for key, text in GOOD.items()}
    assert parse(dump(wide), SOURCES).fields == GOOD


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("We see (1) and (2).", "见⟦1⟧与⟦2⟧。"),
        ("We see [1] and [1].", "见⟦1⟧与⟦2⟧。"),
        ("We see [1], [2] and [3].", "见⟦1⟧与⟦2⟧。"),
        ("We see [1] and [2].", "①见⟦1⟧；②见⟦2⟧。"),
        ("We see [1] and [2].", "（1）见⟦1⟧；（2）见⟦2⟧。"),
        ("We see x_{1} and x_{2}.", "见⟦1⟧与⟦2⟧。"),
        ("We see 【1】 and 【2】.", "【1】见⟦1⟧；【2】见⟦2⟧。"),
        ("We see [1] and ⟦1⟧.", "见⟦1⟧与⟦2⟧。"),
    ],
)
def test_brackets_that_may_mean_something_else_are_no_placeholders(text: str, source: str) -> None:
    verdict = check(GateInput({"abstract": source}, "zh", "en", ""), dump({"abstract": text}), "stop")
    assert "placeholders" in verdict.failed
