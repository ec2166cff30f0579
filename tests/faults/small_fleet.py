"""A fleet in one thread, a step at a time: real adapters, real batch runner, an API that keeps its books."""

from __future__ import annotations

import json
import math
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.audit.regate import regate
from handlers.corpus.ingest import IngestResult, ingest
from handlers.corpus.sources.formats import open_source
from handlers.domain.batch import QueueMessage
from handlers.domain.call import ChatRequest
from handlers.domain.job import JobRecord, JobStats
from handlers.domain.ledger import PaperRow
from handlers.domain.paper import TERMINAL, Paper
from handlers.domain.part_lines import decode
from handlers.domain.result import PartLine
from handlers.domain.run import RunSpec
from handlers.llm.limits.aimd import AimdLimit
from handlers.llm.prices.tariff import ModelTariff
from handlers.pipeline.batch_runner import BatchRunner
from handlers.pipeline.circuit_breaker import CircuitBreaker
from handlers.pipeline.committer import Committer
from handlers.pipeline.context import JobContext, RunContext
from handlers.pipeline.deliveries.returns import Returns
from handlers.pipeline.heartbeat import BatchLease, Heartbeat
from handlers.pipeline.pace import EMBEDDED
from handlers.pipeline.result_names import ResultNames
from handlers.pipeline.stop import Deadline, StopSignal
from handlers.ports import Backend, BatchQueue, Ledger, ObjectStore, Task
from handlers.runs.submit import RunRequest, queue_entry, submit_run
from handlers.tasks.translation.passages import BODY_VERSION
from handlers.tasks.translation.translate import TranslateTask
from tests.builders.command import chinese_paper
from tests.builders.fakes import FakeClock
from tests.builders.judge import Gate, Judge
from tests.builders.paragraph_task import ParagraphTask
from tests.faults.crashing import CrashError, Point, Process
from tests.faults.one_thread import PRICE, Answer, Answerer, Api, AtOnce, Inline, Unheld
from tests.faults.oracle import Oracle, Recording, Watched
from tests.faults.seven_promises import Standing, standing_of

_PASSAGE = 10
"""Abstracts that make one."""
_NUMBER = re.compile(r"第(\d+)组样品")


class SmallFleet:
    """Runs over one corpus, the processes that died, and what the oracle says of the ledger."""

    def __init__(
        self,
        folder: Path,
        *,
        ledger: Ledger,
        store: ObjectStore,
        queue_of: Callable[[str], BatchQueue],
        clock: FakeClock,
        papers: int = 7,
        paragraphs: int = 0,
        task_of: Callable[[RunSpec], Task] = TranslateTask,
        answer: Answerer | None = None,
    ) -> None:
        """``paragraphs``: of each body, each a passage; without any, papers are their abstracts."""
        self.clock = clock
        self._task_of = task_of
        self._full_text = bool(paragraphs)
        self.oracle = Oracle()
        self.raw, self.store = ledger, Recording(store, self.oracle)
        self.ledger: Any = Watched(ledger, self.oracle)
        self._queue_of, self._queues = queue_of, {}
        self.runs: dict[str, RunSpec] = {}
        self.dead: list[tuple[str, str]] = []
        self.frozen: list[Callable[[], Any]] = []
        self.seen: list[tuple[str, QueueMessage]] = []
        self.api = Api(clock, self.look_for_answer, answer)
        self.found = self._ingest(folder, papers, paragraphs)
        self.sources = {
            paper["id"]: paper for paper in map(json.loads, self.found.corpus.read_bytes().splitlines())
        }
        self.deadline = math.inf
        self._jobs = 0
        self._open: list[tuple[Committer, Heartbeat]] = []

    def _ingest(self, folder: Path, papers: int, paragraphs: int) -> IngestResult:
        import random

        chance = random.Random(3)
        made = [chinese_paper(number, chance) for number in range(papers)]
        for paper in made if paragraphs else ():
            number = _NUMBER.search(paper["abstract"])
            paper["keywords"] = [number and number[0]]
            length = 1 if self._task_of is ParagraphTask else _PASSAGE
            texts = [chinese_paper(1000 * n, chance)["abstract"] * length for n in range(1, paragraphs + 1)]
            paper["body"] = "\n\n".join(_NUMBER.sub(number[0], text) for text in texts)
        made.append({**made[0], "id": "twin"})
        made.append({"id": "english", "title": "An English title", "abstract": "Done.", "language": "en"})
        source = folder / "papers.jsonl"
        source.write_text("".join(json.dumps(paper, ensure_ascii=False) + "\n" for paper in made))
        found = ingest(open_source(str(source)), folder)
        self.store.put_file(found.key.removesuffix(".jsonl") + ".index", found.index)
        self.store.put_file(found.key, found.corpus)
        return found

    # what people do

    def queue(self, run_id: str) -> BatchQueue:
        if run_id not in self._queues:
            self._queues[run_id] = self._queue_of(run_id)
        return self._queues[run_id]

    def backend(self, run_id: str) -> Backend:
        return Backend(self.ledger, self.queue(run_id), self.store, self.clock)

    def submit(
        self, run_id: str, *, budget: int | None = None, process: Process | None = None, **changes: Any
    ):
        fixed = {
            "corpus_sha256": self.found.sha256, "corpus": self.found.key, "prompt_version": "p",
            "model": "model-a", "masking_version": "1", "batch_papers": 15, "full_text": self._full_text,
            "body_version": BODY_VERSION if self._full_text else None,
        }  # fmt: skip
        spec = RunSpec.model_validate(fixed | changes)
        see = (process or Process()).sees
        if run_id not in self.runs:
            self.oracle.budgets[run_id] = budget
        self.runs.setdefault(run_id, spec)
        request = RunRequest(
            run_id=run_id, spec=spec, papers=self.found.papers, same_as=self.found.same_as, budget=budget
        )
        with suppress(CrashError):
            ledger, queue, store = map(see, (self.ledger, self.queue(run_id), self.store))
            submit_run(Backend(ledger, queue, store, self.clock), request)

    def work(
        self,
        run_id: str,
        answers: Sequence[Answer] = (),
        point: Point | None = None,
        seconds: float = math.inf,
    ) -> None:
        """Receive one message and work on it, as a process that perhaps dies on the way, or has so many
        ``seconds`` (a call takes one)."""
        for message in self.queue(run_id).receive(limit=1, visibility=120):
            delivery = QueueMessage(message.id, message.receipt, message.body, message.receives)
            self.seen.append((run_id, delivery))
            self.deadline = self.clock.monotonic() + seconds
            self.deliver(run_id, delivery, answers, point)
            self.deadline = math.inf

    def deliver(
        self, run_id: str, delivery: QueueMessage, answers: Sequence[Answer] = (), point: Point | None = None
    ) -> None:
        self.api.script = deque(answers)
        process = Process(point)
        self._jobs += 1
        job_id = f"job-{self._jobs}"
        ledger, queue, store = map(process.sees, (self.ledger, self.queue(run_id), self.store))
        backend = Backend(ledger, queue, store, self.clock)
        contexts: dict[str, RunContext] = {}
        stop = StopSignal()
        stop.wait = self.clock.sleep
        job = JobContext(
            id=job_id, session_id="s", owner="host:1:1", backend=backend,
            limiter=Unheld(AimdLimit(ceiling=1, start=1), self.clock), stop=stop, deadline=Deadline(),
            call_timeout=60,
        )  # fmt: skip
        job.deadline.use(lambda: self.deadline - self.clock.monotonic())

        def context(name: str) -> RunContext:
            if name not in contexts:
                contexts[name] = self._context(name, job)
            self.api.run_id = name
            return contexts[name]

        committer = AtOnce(backend, job_id, on_failure=stop.abandon)
        heartbeat = Heartbeat(backend, lambda: list(contexts.values()))
        heartbeat.close()
        self._heartbeat = heartbeat
        returns = Returns(backend, EMBEDDED, job.max_receives)
        runner = BatchRunner(job, context, committer, Inline(1), heartbeat, returns)
        try:
            if not runner.run([delivery]):
                queue.delete(delivery.receipt)
            for each in contexts.values():
                each.budget.return_unused()
                ledger.end_job(each.run_id, job_id, at=self.clock.now(), outcome="finished", stats=None)
        except CrashError:
            pass
        finally:
            committer.close()
        self.oracle.must(7, process.dead or committer.failure is None, str(committer.failure))
        self.frozen += process.kept
        if process.dead:
            self.dead += [(name, job_id) for name in contexts or (run_id,)]

    def judge_again(self, run_id: str, gate: Gate, process: Process | None = None) -> None:
        """``gate``: papers that it refuses, whatever the task's own says."""
        process = process or Process()
        ledger, store = process.sees(self.ledger), process.sees(self.store)
        record = self.raw.run(run_id)
        with suppress(CrashError):
            task: Any = Judge(self._task_of(record.spec), gate)
            regate(Backend(ledger, self.queue(run_id), store, self.clock), record, task)
        self.frozen += process.kept

    def leases(self) -> list[BatchLease]:
        """Of the process that works."""
        return list(self._heartbeat._leases)

    def _context(self, run_id: str, job: JobContext) -> RunContext:
        ledger, now = job.backend.ledger, self.clock.now()
        record = ledger.run(run_id)
        ledger.start_job(JobRecord(job.id, run_id, "s", job.owner, 1, now, now, None, "", JobStats()))
        task, breaker = self._task_of(record.spec), CircuitBreaker(self.clock)
        names = ResultNames(task, record.spec, self._task_of)
        made = RunContext(
            job=job,
            record=record,
            task=task,
            names=names,
            model=self.api,
            tariff=ModelTariff(PRICE),
            breaker=breaker,
        )
        made.refresh()
        return made

    def bury(self) -> None:
        """What the parent does for a job whose process is gone."""
        for run_id, job_id in self.dead:
            freed = self.ledger.free_leases(run_id, job_id)
            self.ledger.end_job(run_id, job_id, at=self.clock.now(), outcome="killed", stats=None)
            self.queue(run_id).send(map(queue_entry, freed))
        self.dead.clear()

    def close(self) -> None:
        for queue in self._queues.values():
            queue.close()

    # what must hold

    def look_for_answer(self, run_id: str, request: ChatRequest) -> None:
        """Promise 2, asked at the moment of the call: what the ledger has is never sent again."""
        text = " ".join(message.content for message in request.messages)
        numbers = set(_NUMBER.findall(text))
        asked = [
            paper["id"]
            for paper in self.sources.values()
            if numbers & set(_NUMBER.findall(paper["abstract"])) and paper["id"] != "twin"
        ]
        self.oracle.must(2, len(asked) == 1, "every text has its number")
        paper = Paper.model_validate(self.sources[asked[0]])
        known = self.raw.reusable([self._task_of(self.runs[run_id]).fingerprint(paper)])
        self.oracle.must(2, not known, f"{asked[0]} is done in another run and was sent again")
        row = self.raw.paper_rows(run_id, asked).get(asked[0])
        if row is None:
            return
        self.oracle.must(2, row.status not in TERMINAL, f"{row.paper_id} is {row.status} and was sent again")
        paid = self._paid(
            row, sorted(self._answers(run_id, row), key=lambda line: (line.generation, line.at))
        )
        self.oracle.must(2, request.digest not in paid, "a paid answer is asked for again")

    def _paid(self, row: PaperRow, lines: Sequence[PartLine]) -> set[str]:
        """Digests that were answered since the paper was opened, or before for a passage that passed; of one
        without passages, what was let through until the retry that opened it."""
        said = {line.passage: line for line in lines if line.passed or line.reason is not None}
        return {
            call.request
            for line in lines
            for call in line.carried + line.calls
            if call.outcome == "ok"
            if line.generation >= row.generation
            or (
                (last := said.get(line.passage))
                and last.passed
                and last.generation == line.generation
                and (line.passage or line.generation == row.generation - 1)
            )
        }

    def _answers(self, run_id: str, row: PaperRow) -> Iterator[PartLine]:
        """What the paper was ever answered without ending."""
        for message in self.raw.unfinished_batches(run_id):
            for answer in self.raw.answers(run_id, message.batch_id).get(row.paper_id, ()):
                where = answer.pointer
                yield decode(self.store.read(where.key, where.offset, where.length), where)

    def standings(self) -> list[Standing]:
        """Every run as it stands."""
        return [
            standing_of(
                run_id,
                ledger=self.raw,
                store=self.store,
                oracle=self.oracle,
                sources=self.sources,
                papers=self.found.papers,
                bill=self.api.bill[run_id],
                has_dead=any(run == run_id for run, _ in self.dead),
            )
            for run_id in self.runs
            if run_id in self.raw.run_ids()
        ]

    def united(self, state: Path, run_id: str) -> tuple[object, ...]:
        """What a union of the run's states says: every outcome, every part and every dollar of theirs."""
        with closing(SqliteLedger(state / "ledger.sqlite3")) as ledger, closing(FileStore(state)) as store:
            rows = {row.paper_id: row for row in ledger.entries(run_id)}
            expected = {paper: said for (run, paper), said in self.oracle.papers.items() if run == run_id}
            assert {
                key: (row.generation, row.status, row.weight, row.error) for key, row in rows.items()
            } == expected
            for row in rows.values():
                if row.pointer is not None:
                    where = row.pointer
                    line = decode(store.read(where.key, where.offset, where.length), where)
                    assert (line.id, line.status) == (row.paper_id, row.status)
            totals, money = ledger.totals(run_id), ledger.budget_state(run_id)
            assert sum(totals.counts.values()) == self.found.papers
            jobs = [job for (run, _), job in self.oracle.jobs.items() if run == run_id]
            certain, drawn = sum(job.spent for job in jobs), self.oracle.drawn(run_id)
            assert certain <= money.spend <= max(drawn, certain), "no call twice, and none forgotten"
            assert money.held == self.oracle.held(run_id)
            assert money.drawn == money.spend + money.held
            return sorted(rows.values(), key=lambda row: row.paper_id), totals, money
