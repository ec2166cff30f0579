"""Bodies to be cut, and a translator of them that is none: each run of Han becomes words in Latin letters."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from handlers.domain.value import sha256_of
from handlers.tasks.translation.masking.masking import unmask
from handlers.tasks.translation.passages.body_segments import BodyPlan, plan_body
from handlers.tasks.translation.passages.passages import passages

FOLDER = Path(__file__).parents[1] / "data" / "bodies"
SCRAPS = (
    *(
        "# ",
        "## 标题 ##\n",
        "标题\n",
        "正文。",
        "正文  \n",
        "正文\\\n",
        "word ",
        "\n",
        "\n\n",
        "\r\n",
        " ",
        "\u3000",
    ),
    *("$x$", "$", "$$", "$$\n", "$$ y $$ (1)\n", "\\$", "\\[", "\\]\n", "\\begin{align}", "\\end{align}\n"),
    *(
        "```\n",
        "```py\n",
        "~~~\n",
        "<pre>",
        "</pre>\n",
        "<!--",
        "-->\n",
        "<table>",
        "</table>",
        "<tr><td>",
        "</td>",
    ),
    *(
        "<table><td>甲</td><td>1<V≤2</table>",
        "|甲|b|\n|-|-|\n|c|乙|\n",
        "|",
        "---\n",
        "===\n",
        "![图](a.png)\n",
    ),
    *(
        "![",
        "](",
        "- ",
        "1. ",
        "> ",
        "[1] ",
        "[^1]: ",
        "[1] 王三. 水温[J]. 2010.\n",
        "参考文献\n",
        "图1 ",
        "⟦1⟧",
    ),
    *("\ud800", "\x00", "\u2028", "\x0b", "河流的水温随着季节变化，" * 40, "[1][2]" * 50),
)
"""What bodies are made of, and what breaks them."""
_HAN = re.compile("[\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+")
_NARROW = str.maketrans("，。；：（）、！？", ",.;:(),!?")


def samples() -> dict[str, tuple[str, str]]:
    """(text, language) by name."""
    return {
        path.stem: (path.read_text(encoding="utf-8"), "en" if path.stem == "thermal" else "zh")
        for path in sorted(FOLDER.glob("*.md"))
    }


def digests() -> list[str]:
    """Of what each passage of each sample asks."""
    return [
        sha256_of([name, passage.key, passage.texts(), passage.spans()])
        for name, (text, language) in samples().items()
        for passage in passages(plan_body(text, language).sent)
    ]


def glossed(masked: str) -> str:
    return _HAN.sub(lambda run: f" word{'s' * len(run[0])} ", masked).translate(_NARROW).strip()


def translated(plan: BodyPlan) -> dict[str, str]:
    """Texts by the segments' keys, as a model would answer that leaves every placeholder in its place."""
    texts: dict[str, str] = {}
    for passage in passages(plan.sent):
        spans = passage.spans()
        texts |= {key: unmask(glossed(text), spans) for key, text in passage.texts().items()}
    return texts


def said_under_other_seeds(module: str, function: str) -> set[str]:
    """What the function returns, in processes whose hashes have different seeds."""
    show = f"from {module} import {function}; print({function}())"
    return {
        subprocess.run(
            [sys.executable, "-c", show], env=os.environ | {"PYTHONHASHSEED": seed}, check=True,
            cwd=Path(__file__).parents[2], capture_output=True, text=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
