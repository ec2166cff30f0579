"""What the answers to a paper's requests say so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from handlers.domain.result import Check


@dataclass(frozen=True)
class Reading:
    """What the answers say so far. ``fields`` are masked; ``error`` is None when all is well."""

    fields: dict[str, str]
    bad: frozenset[str] = frozenset()
    checks: tuple[Check, ...] = ()
    problems: tuple[str, ...] = ()
    error: str | None = None
    raw: str = ""
    judged: frozenset[str] = frozenset()
    """Segments that ``checks`` are about."""
    doubtful: frozenset[str] = frozenset()
    """Segments that are good enough, and are asked about once."""
    questions: tuple[str, ...] = ()

    def merged(self, later: Reading) -> Reading:
        """With a later answer for some of the keys; its verdict is the one that counts."""
        return replace(later, fields={**self.fields, **later.fields})


def taken(before: Reading, later: Reading) -> Reading:
    """With the later answer in place of what was said of the same texts."""
    bad = (before.bad - later.judged) | later.bad
    fields = {**before.fields, **later.fields}
    refused = later if later.bad else before
    return replace(refused, fields=fields, bad=bad, judged=frozenset(), doubtful=frozenset())


def best(refused: Reading, judged: Reading) -> Reading:
    """What passes is taken from the pieces, the rest stays as it was."""
    good = {key: text for key, text in judged.fields.items() if key not in judged.bad}
    fields = {**refused.fields, **good}
    bad = refused.bad - frozenset(good)
    if bad:
        return replace(refused, fields=fields, bad=bad)
    return replace(judged, fields=fields, bad=bad, error=None, problems=())


def both(left: Reading, right: Reading) -> Reading:
    first = left if left.error else right
    fields = {**left.fields, **right.fields}
    return replace(first, fields=fields, bad=left.bad | right.bad, problems=left.problems + right.problems)


def refusal(sources: Mapping[str, str], error: str) -> Reading:
    refused = Check(name=error, verdict="fail")
    return Reading({}, frozenset(sources), (refused,), error=error, judged=frozenset(sources))
