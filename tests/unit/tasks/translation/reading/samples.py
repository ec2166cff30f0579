"""One question and its good answer, with a placeholder in most texts, quotes and an apostrophe."""

from __future__ import annotations

import json

SOURCES = {
    "title": "⟦1⟧的热导率",
    "abstract": "测量了⟦2⟧与⟦3⟧。作者的结果说“好”。",
    "keywords/0": "热导",
    "keywords/1": "自旋",
}
GOOD = {
    "title": "Thermal conductivity of ⟦1⟧",
    "abstract": "We measured ⟦2⟧ and ⟦3⟧. The authors' results say \"good\", it's so.",
    "keywords/0": "heat",
    "keywords/1": "spin",
}
DRAFT = {key: text.replace("Thermal", "Heat").replace("measured", "studied") for key, text in GOOD.items()}


def dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
