"""What the pipeline needs of a task: the half of ``ports`` that is about papers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from handlers.domain.call import ChatAnswer, ChatRequest
from handlers.domain.paper import Paper
from handlers.domain.result import PassageResult, TaskResult
from handlers.domain.tasks.reads import Reads

Ask = Callable[[ChatRequest], ChatAnswer]
"""How a task calls the model: retried, limited, paid for and booked. Raises RejectedError's classes
for the task to mend (split, flag); whatever else it raises is not the task's business."""


class Task(Protocol):
    """What is done with each paper. Pure but for ``ask``; the same paper and answers give the same result."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def reads(self) -> Reads | None:
        """What it reads of a record; None: what papers are normalised for."""

    @property
    def columns(self) -> Mapping[str, Mapping[str, Any]] | None:
        """Of its answers, the type of each field in JSON Schema's words (``type``, ``enum``, ``items``,
        ``properties``, bounds), no references; None: a translated paper's."""

    @property
    def carry(self) -> tuple[str, ...]:
        """Fields of the source that stand beside the answers."""

    @property
    def gate(self) -> str:
        """Version or digest of what judges answers."""

    @property
    def notice(self) -> str:
        """What whoever reads a result must know of it."""

    def digest(self, paper: Paper) -> str:
        """Equal for papers of which it reads the same."""

    def size(self, paper: Paper) -> float:
        """What it reads, in tokens of no vocabulary in particular."""

    def skip_reason(self, paper: Paper) -> str | None:
        """Why the paper needs no call, or None."""

    def fingerprint(self, paper: Paper) -> str:
        """Equal for papers and settings for which ``run`` asks the same and judges alike."""

    def earlier_fingerprints(self, paper: Paper) -> Sequence[str]:
        """What earlier releases called the same result."""

    def run(self, paper: Paper, ask: Ask) -> TaskResult:
        """Make calls until the gate is content or every repair is tried."""

    def first_request(self, paper: Paper) -> ChatRequest:
        """The request that ``run`` asks first (for ``paperfleet try`` and for estimates)."""

    def requests(self, paper: Paper) -> Iterator[ChatRequest]:
        """All that ``run`` asks if every answer passes at once (for plans)."""


class PassageWork(Protocol):
    """One passage of a paper: what one worker does for it."""

    @property
    def key(self) -> str:
        """``head``, ``terms``, ``body/0`` ..."""

    @property
    def weight(self) -> int:
        """Its size in tokens, roughly."""

    def run(self, ask: Ask) -> PassageResult:
        """Make its calls until the gate is content or every repair is tried. Raises what ``ask`` raises and
        is not the task's to mend."""


@runtime_checkable
class SampledTask(Task, Protocol):
    """A task that asks a record several times over, one answer after the other, until they decide."""

    def samples(self, paper: Paper) -> Sequence[PassageWork]:
        """All answers that may be asked for, keys ``sample/0``, ``sample/1`` ...; none where ``run`` asks
        nothing either."""

    def voted(self, results: Mapping[str, PassageResult]) -> TaskResult | None:
        """What the answers so far come to, in their order; None while a later one can change it."""

    def undecided(self, results: Mapping[str, PassageResult]) -> TaskResult | None:
        """The verdict where no other answer is asked for before they decide: flagged by what is wrong with
        those that are refused; None if none is."""


@runtime_checkable
class WholePaperTask(Task, Protocol):
    """A task that cuts some papers into passages which are asked side by side, in two stages. The same paper
    and the same answers give the same passages, frame and result.

    A paper that makes too many passages is whole as well, has none in either stage, and its ``result`` of no
    passages is flagged ``too_long``. A stage can be without passages in others too: no ``terms`` where there
    are no candidates, no ``head`` where title, abstract and keywords have no word to translate. Of ``terms``
    nothing flags or fails the paper, calls that fail neither: its frame is what passed.
    """

    def is_whole(self, paper: Paper) -> bool:
        """Whether the paper is worked on by passages; else ``run`` does it."""

    def first(self, paper: Paper) -> Iterable[PassageWork]:
        """The first stage: ``head`` and ``terms``, each made as it is taken: the head need not wait for the
        body to be cut."""

    def frame(self, paper: Paper, results: Mapping[str, PassageResult]) -> dict[str, str]:
        """The paper's terms, by what the first stage's passages came to."""

    def rest(self, paper: Paper, frame: Mapping[str, str]) -> Sequence[PassageWork]:
        """The second stage: the body's passages."""

    def result(self, paper: Paper, results: Mapping[str, PassageResult]) -> TaskResult:
        """The paper put together and judged as a whole, by what all its passages came to. One that is not
        there, or whose status is ``failed``, leaves it flagged with its segments named in
        ``coverage.failed``; whether the paper is ``failed`` is the caller's to say. Where the frame was
        known, ``terms`` is not among them."""


class Cut(Protocol):
    """The end of one call, which another thread may bring about."""

    def reaches(self, cut: Callable[[], None]) -> AbstractContextManager[None]:
        """Within it, and only there, ``cut`` may be called; from another thread, too."""
