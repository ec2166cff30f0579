"""What becomes of task files, records and answers made to hurt: a table of each collection.

    python -m tests.benchmarks.hostile_tasks [files] [records] [answers]

The tests hold the same collections to what is expected; here they are shown.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from handlers.corpus.ingest import ingest
from handlers.corpus.sources.formats import open_source
from handlers.domain.paper import Paper
from handlers.tasks.file_task.answers.answer_judge import judge
from handlers.tasks.file_task.file_task import FileTask
from handlers.tasks.file_task.load_task import load_task
from handlers.tasks.file_task.task_fault import TaskFileError
from tests.builders import hostile_answers, hostile_records
from tests.builders.broken_task_files import BROKEN
from tests.builders.task_files import FOUR, answering, bundle_in, spec_of, written

Row = tuple[str, str, float]
"""What it is, what it got, milliseconds."""


def _timed(do: Callable[[], str]) -> tuple[str, float]:
    began = time.process_time()
    said = do()
    return said, 1_000 * (time.process_time() - began)


def files(folder: Path) -> Iterator[Row]:
    for text, old, new, _ in BROKEN:
        path = written(folder, text.replace(old, new, 1))

        def read(path: Path = path) -> str:
            try:
                load_task(path)
            except TaskFileError as error:
                return str(error)
            return "taken"

        yield f"{old} -> {new}", *_timed(read)


def records(folder: Path) -> Iterator[Row]:
    bundle = bundle_in(folder, hostile_records.TASK)
    task, source = FileTask.of_run(bundle, spec_of(bundle)), folder / "in.jsonl"
    rows = [json.dumps({"id": f"r{n:02}", **each}) for n, (_, each, _) in enumerate(hostile_records.RECORDS)]
    source.write_text("\n".join([*rows, *(line for _, line, _ in hostile_records.BROKEN)]), "utf-8")
    result = ingest(open_source(str(source)), folder / "state", reads=bundle.reads)
    for line, (name, *_) in zip(
        result.corpus.read_bytes().splitlines(), hostile_records.RECORDS, strict=False
    ):

        def run(line: bytes = line) -> str:
            paper = Paper.model_validate_json(line)
            reason = task.skip_reason(paper)
            if reason is not None:
                return f"skipped: {reason}"
            done = task.run(paper, answering(hostile_records.GOOD))
            return f"{done.status} {done.error or ''}".strip()

        yield name, *_timed(run)
    for each in map(json.loads, result.rejects_path.read_text("utf-8").splitlines()):
        name = hostile_records.BROKEN[each["line"] - len(rows) - 1][0]
        yield name, f"line {each['line']} rejected: {each['reason']}", 0.0


def answers(folder: Path) -> Iterator[Row]:
    bundles = {name: bundle_in(folder, text) for name, text in FOUR.items()}
    asked = [("subject", content, content) for content in hostile_answers.READ]
    asked += [("subject", content, content) for content, _ in hostile_answers.REFUSED]
    asked += [("methods", name, content) for name, content in hostile_answers.BOMBS.items()]
    for task, name, content in asked:

        def read(task: str = task, content: str = content) -> str:
            judged = judge(bundles[task], content, "stop", hostile_answers.RECORD)
            return "done" if judged.passes else f"flagged: {judged.error}: {' '.join(judged.problems)}"

        yield f"{task}: {name}", *_timed(read)


_COLLECTIONS = {"files": files, "records": records, "answers": answers}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("collections", nargs="*", help="files, records, answers; all if none is named")
    chosen = parser.parse_args().collections or list(_COLLECTIONS)
    for name in chosen:
        with tempfile.TemporaryDirectory() as folder:
            rows = list(_COLLECTIONS[name](Path(folder)))
        print(f"\n{name}: {len(rows)}, the slowest in {max(each[2] for each in rows):.1f} ms\n")
        print("| what | got | ms |\n| --- | --- | --- |")
        for what, got, took in rows:
            print(f"| {_short(what, 60)} | {_short(got, 110)} | {took:.1f} |")


def _short(text: str, most: int) -> str:
    shown = ascii(text[: most + 1])[1:-1] if not text.isprintable() else text
    shown = shown.replace("|", "\\|")
    return shown if len(shown) <= most else shown[:most] + "..."


if __name__ == "__main__":
    main()
