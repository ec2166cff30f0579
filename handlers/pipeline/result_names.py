"""The fingerprints under which results of a paper may stand, whichever release and settings led to them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from pydantic import ValidationError

from handlers.domain.paper import Paper
from handlers.domain.run import RunSpec
from handlers.errors import EarlierLayoutError, PaperfleetError, UsageError
from handlers.ports import Ledger, Task

logger = logging.getLogger(__name__)

TaskOf = Callable[[RunSpec], Task]
_MOVES = frozenset(
    (
        "masking_version",
        "max_tokens",
        "glossary",
        "skip_no_derivatives",
        "full_text",
        "body_version",
        "target_language",
        "json_mode",
    )
)
"""Settings that differ between runs and may change no byte of a paper's requests."""
_FREE = frozenset(("corpus", "corpus_sha256", "batch_papers", "batch_tokens"))
"""Settings that no fingerprint has."""
_RUNS, _OTHERS = 20, 4
"""Runs looked at, the latest first, and different settings taken from them at most."""


class ResultNames:
    """Of the papers of one run. A name is the digest of the requests as sent; earlier releases digested the
    settings in its place, so that a result of theirs is found by the settings that it was made with, where
    these ask the same for the paper."""

    def __init__(self, task: Task, spec: RunSpec, task_of: TaskOf, others: Sequence[RunSpec] = ()) -> None:
        self._task = task
        self.spec = spec
        self._task_of = task_of
        self._earlier = spec.fingerprints()
        self._other_specs = others
        self._others = list(self._known(others))
        self._sent = spec, task
        self.have_bodies = any(other.full_text for other in others)
        """Whether other runs may have asked for the same papers with their bodies."""

    def _known(self, others: Sequence[RunSpec]) -> Iterator[tuple[Task, Callable[[str], str]]]:
        """Those of a version that this one knows."""
        for other in others:
            with suppress(UsageError):
                yield self._task_of(other), other.fingerprints()

    def name(self, paper: Paper, sent: RunSpec) -> str:
        """The name of a result that comes of these requests. ``sent``: the settings without what the endpoint
        does not take. Raises what the task raises."""
        return self._as_sent(sent).fingerprint(paper)

    def _as_sent(self, sent: RunSpec) -> Task:
        if self._is_own(sent):
            return self._task
        if self._sent[0] != sent:
            self._sent = sent, self._task_of(sent)
        return self._sent[1]

    def earlier(self, paper: Paper) -> str:
        """What earlier releases called it, with the same settings."""
        return self._earlier(self._task.digest(paper))

    def all(self, paper: Paper, sent: RunSpec) -> list[str]:
        """Every name to look for, the one that a new result gets first. Raises what the task raises."""
        tasks = (self._task,) if self._is_own(sent) else (self._as_sent(sent), self._task)
        digest = self._task.digest(paper)
        names = [*(task.fingerprint(paper) for task in tasks), self._earlier(digest)]
        names += [name for task in tasks for name in task.earlier_fingerprints(paper)]
        names += [name(digest) for _, name in self._others]
        return list(dict.fromkeys(names))

    def without_bodies(self) -> ResultNames:
        """The names that runs which send no bodies give to the same papers."""
        bare: list[RunSpec] = []
        for spec in map(_without_body, (self.spec, *self._other_specs)):
            if spec not in bare:
                bare.append(spec)
        return ResultNames(self._task_of(bare[0]), bare[0], self._task_of, bare[1:])

    def _is_own(self, sent: RunSpec) -> bool:
        return sent is self.spec or sent == self.spec  # the first is ten times as quick, and usual

    def is_same(self, paper: Paper, name: str) -> bool:
        """Whether a result that was found under a name of ``all`` is one of this paper's requests: other
        settings must have asked the same. They are asked for it here, as few names have a result."""
        digest = self._task.digest(paper) if self._others else ""
        named = [task for task, other in self._others if other(digest) == name]
        asked = self._task.fingerprint(paper) if named else ""
        return not named or any(task.fingerprint(paper) == asked for task in named)


def _without_body(spec: RunSpec) -> RunSpec:
    return spec.model_copy(update={"full_text": False, "body_version": None})


def kindred(spec: RunSpec, ledger: Ledger) -> list[RunSpec]:
    """Settings of the ledger's latest runs that may ask the same of a paper as ``spec``."""
    named = [spec.model_copy(update=dict.fromkeys(_FREE))]
    found = []
    for run_id in reversed(ledger.run_ids()[-_RUNS:]):
        try:
            other = ledger.run(run_id).spec
        except EarlierLayoutError as error:
            other = error.spec
        except (PaperfleetError, ValidationError, KeyError):
            logger.warning("run %s cannot be read: its results are not looked for", run_id, exc_info=True)
            continue
        bare = other.model_copy(update=dict.fromkeys(_FREE))
        if bare not in named and _fixed(other) == _fixed(spec):
            named.append(bare)
            found.append(other)
    kept, left = found[:_OTHERS], found[_OTHERS:]
    if not any(other.full_text for other in kept):  # whose heads may be paid for
        kept += [other for other in left if other.full_text][:1]
    return kept


def _fixed(spec: RunSpec) -> dict[str, object]:
    return {name: value for name, value in spec if name not in _MOVES | _FREE}
