"""An export whose lines other processes make: the same bytes, the same errors, nothing half-written."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.domain.paper import PaperStatus
from handlers.domain.part_lines import encode
from handlers.domain.result import Part
from tests.builders import values
from tests.builders.values import RUN, call, part_line

ROOT = Path(__file__).parents[2]
PAPERS = 4_200
"""More chunks than are made before other processes are started."""
STATUSES: tuple[PaperStatus, ...] = ("done", "done", "flagged", "failed", "skipped", "pending")
_PART = 50

_EXPORT = """
import json, os, signal, sys
from pathlib import Path
from handlers.adapters.file_store import FileStore
from handlers.adapters.sqlite.sqlite_ledger import SqliteLedger
from handlers.errors import PaperfleetError
from handlers.ports import Backend
from handlers.results import export as exporting
from handlers.results.export_shape import ExportShape

root, tasks, fate = Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3]
started, parent, fork, block = [], os.getpid(), os.fork, exporting._block

def counted():
    started.append(1)
    return fork()

def dies_in_a_worker(make, chunk):
    if os.getpid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
    return block(make, chunk)

os.fork = counted
if fate == "killed":
    exporting._block = dies_in_a_worker
ledger, store = SqliteLedger(root / "ledger.sqlite3"), FileStore(root)
backend, shape = Backend(ledger, None, store, None), ExportShape(drafts=True)
for output, processes, printed in tasks:
    started.clear()
    if printed:
        sys.stdout = open(output, "w")
    try:
        where = "-" if printed else Path(output)
        told = sorted(exporting.export_jsonl(backend, "r", where, shape=shape, processes=processes).items())
    except PaperfleetError as error:
        told = error
    if printed:
        sys.stdout.close()
    print(len(started), told, file=sys.stderr)
"""


class Exported(NamedTuple):
    processes: int
    told: str
    """Papers by status, or what was wrong."""
    bytes: bytes


class Task(NamedTuple):
    output: Path
    processes: int
    printed: bool = False
    """To standard output, which is that file."""


def exported(state: Path, *tasks: Task, fate: str = "spared") -> list[Exported]:
    """One after the other, in a process that has no other threads."""
    asked = json.dumps([(str(task.output), task.processes, task.printed) for task in tasks])
    line = [sys.executable, "-W", "error", "-c", _EXPORT, str(state), asked, fate]
    ran = subprocess.run(line, check=True, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert not ran.stdout
    return [
        Exported(
            int(said.partition(" ")[0]),
            said.partition(" ")[2],
            (task.output.exists() and task.output.read_bytes()) or b"",
        )
        for task, said in zip(tasks, ran.stderr.splitlines(), strict=True)
    ]


def paper(number: int) -> dict[str, Any]:
    """Some say no language, some follow another, some have half a surrogate pair in their title."""
    fields = {
        "id": f"p{number}",
        "title": f"题目{number}",
        "abstract": "研究。" * (number % 40),
        "keywords": [],
    }
    fields |= {"language": "en" if STATUSES[number % 6] == "skipped" else "zh"} if number % 7 else {}
    fields |= {"same_as": f"p{number - 10}"} if number % 50 == 11 else {}
    return fields


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("export") / "state"
    store, ledger = FileStore(root), SqliteLedger(root / "ledger.sqlite3")
    papers = [paper(number) for number in range(PAPERS)]
    source = root / "source.jsonl"
    source.write_text(
        "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in papers), encoding="utf-8"
    )
    store.put_file(values.CORPUS, source)
    ledger.create_run(values.run_record(papers=PAPERS, same_as=1))
    numbers = [number for number in range(PAPERS) if "same_as" not in papers[number] and number % 97]
    for start in range(0, len(numbers), _PART):
        lines = [
            part_line(f"p{each}", STATUSES[each % 6], calls=(call("1"),) * (each % 3))
            for each in numbers[start : start + _PART]
        ]
        (pointers,) = store.write_parts("job-a", [Part(RUN, f"b{start}", tuple(map(encode, lines)))])
        entries = [
            values.entry(line.id, line.status, pointer=where, cost=1500)
            for line, where in zip(lines, pointers, strict=True)
        ]
        ledger.commit([values.commit(*entries, part=str(start))])
    ledger.close()
    store.close()
    yield root


@pytest.mark.slow
def test_other_processes_give_the_same_file_to_the_byte(state: Path, tmp_path: Path) -> None:
    alone, shared, printed = exported(
        state,
        Task(tmp_path / "alone.jsonl", 1),
        Task(tmp_path / "shared.jsonl", 2),
        Task(tmp_path / "printed.jsonl", 2, printed=True),
    )
    assert (alone.processes, shared.processes, printed.processes) == (0, 2, 2)
    assert alone[1:] == shared[1:] == printed[1:]
    assert [json.loads(line)["id"] for line in shared.bytes.splitlines()] == [f"p{n}" for n in range(PAPERS)]


@pytest.mark.slow
def test_a_process_that_is_killed_loses_no_result(state: Path, tmp_path: Path) -> None:
    (alone,) = exported(state, Task(tmp_path / "alone.jsonl", 1))
    (killed,) = exported(state, Task(tmp_path / "killed.jsonl", 2), fate="killed")
    assert (killed.processes, *killed[1:]) == (2, *alone[1:])


@pytest.mark.slow
def test_a_damaged_result_is_named_alike_and_no_file_is_left(state: Path, tmp_path: Path) -> None:
    (segment,) = (state / "runs" / RUN / "segments").iterdir()
    whole = segment.read_bytes()
    segment.write_bytes(whole.replace(b'"id":"p3991"', b'"id":"p3992"'))
    out, printed = tmp_path / "out.jsonl", tmp_path / "printed"
    try:
        alone, shared, *prints = exported(
            state,
            Task(out, 1),
            Task(out, 2),
            Task(printed, 1, printed=True),
            Task(tmp_path / "again", 2, printed=True),
        )
    finally:
        segment.write_bytes(whole)
    assert "the result of paper 'p3991'" in alone.told
    assert alone[1:] == shared[1:] == (alone.told, b"")
    # Standard output gets what came before, as much of it.
    assert prints[0][1:] == prints[1][1:]
    assert len(prints[0].bytes.splitlines()) == 3991
    assert {path.name for path in tmp_path.iterdir()} == {"printed", "again"}
