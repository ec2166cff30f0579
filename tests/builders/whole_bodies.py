"""Bodies as a run of whole papers would give them back: each segment a made-up translation, the rest kept."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from handlers.domain.coverage import Coverage
from handlers.tasks.translation.masking.masking import unmask
from handlers.tasks.translation.passages.body_segments import BodySegment, plan_body
from handlers.tasks.translation.passages.joined_body import join_body
from handlers.tasks.translation.passages.passages import passages

BODY = """# 1 引言

本文研究 $x^2 + y$ 的方法，共有12组样品[3]。

$$
E = m c ^ 2
$$

## 1.1 数据

- 第一项
- 第二项

![](images/a.jpg)

图1 流程图

<table><tr><td rowspan="2">组别</td><td>1<V</td></tr><tr><td>假手术组</td></tr></table>

An English paragraph.

# 参考文献

[1] 张三. 某方法的研究[J]. 学报, 2019, 3(1): 1-5.
"""
_HAN = re.compile(r"[\u3001-\u9fff\uff01-\uff5e]+")


@dataclass(frozen=True)
class WholeBody:
    """``passages``: keys of those that were asked."""

    body: str
    coverage: Coverage
    ends: tuple[int, ...]
    passages: tuple[str, ...]

    def of_last_line(self) -> dict[str, Any]:
        return {"coverage": self.coverage, "ends": self.ends}


def whole_body(body: str = BODY, *, refused: Collection[str] = (), language: str = "zh") -> WholeBody:
    """``refused``: keys of segments that keep their source's text and are told as flagged."""
    plan = plan_body(body, language)
    sent = plan.sent
    texts = {segment.key: _translated(segment) for segment in sent if segment.key not in refused}
    joined = join_body(body, plan, texts)
    flagged = tuple(segment.key for segment in sent if segment.key in refused)
    coverage = plan.coverage.model_copy(update={"flagged": flagged})
    keys = ("head", "terms", *(passage.key for passage in passages(sent)))
    return WholeBody(joined.text, coverage, joined.ends, keys)


def _translated(segment: BodySegment) -> str:
    words = _HAN.sub(lambda found: " ".join(["words"] * max(1, len(found[0]) // 4)), segment.masked.text)
    return unmask(words, segment.masked.spans)
