"""Faults put in on purpose: for each, whether the quick tests that must catch it do.

    python -m tests.mutations [WORD ...]

Without words all of them; with words those whose promise or file has one. Each is made in a copy of the tree,
where the tests that are named run until the first fails. Exit code 1 if one is not caught; an error if a line
that is to be changed stands in its file no more, or more than once: then the table is to be mended.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_COPIED = (
    *("handlers", "tests", "events", "docs"),
    *("paperfleet.py", "pyproject.toml", "README.md", "template.yaml"),
)
_STORIES = "tests/faults/test_state_machine.py"
_TOLD = "tests/faults/test_small_stories.py"
_WHOLE = "tests/faults/test_whole_stories.py"
_PIPELINE = "tests/unit/pipeline"


@dataclass(frozen=True)
class Mutation:
    """``old`` stands once in ``file`` and becomes ``new``, which breaks ``breaks``."""

    breaks: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def _in(file: str, breaks: str, old: str, new: str, *tests: str) -> Mutation:
    return Mutation(breaks, f"handlers/{file}", old, new, tests)


MUTATIONS = (
    _in(
        "adapters/sqlite/paper_tables.py",
        "promise 1: a paper that ended can end otherwise",
        " WHERE paper.status = 'pending' AND excluded",
        " WHERE excluded",
        "tests/contract/test_commits.py",
    ),
    _in(
        "adapters/sqlite/paper_tables.py",
        "promise 1: a paper of equal texts counts once",
        "sums[entry.status] += entry.weight",
        "sums[entry.status] += 1",
        "tests/contract/test_commits.py",
    ),
    _in(
        "pipeline/batch_runner.py",
        "promise 2: finished papers are sent again",
        "row.status not in TERMINAL and ",
        "",
        _TOLD,
    ),
    _in(
        "pipeline/calls/paper_calls.py",
        "promise 2: answers of an interrupted attempt are paid for again",
        "if (known := self._replay.get(digest)) is not None:",
        "if (known := self._replay.get(digest + '!')) is not None:",
        _STORIES,
    ),
    _in(
        "pipeline/stored_answers.py",
        "promise 2: a retry pays again for the passages that passed",
        "if not let_through:",
        "if let_through:",
        _WHOLE,
    ),
    _in(
        "pipeline/stored_answers.py",
        "promise 2: a passage that its paper blamed is not asked again",
        "last[line.passage] = line.passed if",
        "last[line.passage] = True if",
        _WHOLE,
    ),
    _in(
        "pipeline/papers/open_paper.py",
        "promise 2: a paper's terms are translated anew when it goes on",
        "self._frame = stored.frame",
        "self._frame = None",
        _WHOLE,
    ),
    _in(
        "pipeline/papers/open_paper.py",
        "promise 2: passages start though the lease is lost",
        "if not self._batch.lease.lost.is_set():",
        "if True:",
        _WHOLE,
    ),
    _in(
        "pipeline/papers/open_paper.py",
        "promise 1: a paper ends though one of its passages was broken off",
        "if self._stopped:",
        "if False:",
        _WHOLE,
    ),
    _in(
        "pipeline/calls/paper_start.py",
        "a paper counts against the limit as often as it has workers",
        "self._made = self._made or self._count()",
        "self._made = self._count()",
        f"{_PIPELINE}/test_paper_start.py",
    ),
    _in(
        "adapters/sqlite/batch_tables.py",
        "promise 2: two jobs hold one batch",
        " AND finished_at IS NULL AND lease_until <= ?",
        " AND finished_at IS NULL AND ? > 0",
        "tests/contract/test_leases.py",
    ),
    _in(
        "pipeline/committer.py",
        "promise 2: on a slow disk a kill repeats whatever waits to be booked",
        "while not self._has_room():",
        "while False:",
        f"{_PIPELINE}/test_committer.py",
    ),
    _in(
        "pipeline/calls/call_outcomes.py",
        "promise 3: a call that was cut off is not booked",
        "if isinstance(outcome, ModelCallError) and not outcome.indeterminate:",
        "if isinstance(outcome, ModelCallError):",
        f"{_PIPELINE}/test_calls.py",
    ),
    _in(
        "pipeline/calls/paper_calls.py",
        "promise 4: what a call of unknown cost may be billed for goes back to the budget",
        "taken = NanoUsd(record.cost + record.held)",
        "taken = record.cost",
        "tests/faults/test_hostile_bills.py",
    ),
    _in(
        "pipeline/calls/call_outcomes.py",
        "promise 4: nothing is held beside the estimate",
        "cost, rest = sent.quote.expected, max(0, sent.quote.worst - sent.quote.expected)",
        "cost, rest = sent.quote.expected, 0",
        "tests/faults/test_hostile_bills.py",
    ),
    _in(
        "adapters/sqlite/paper_tables.py",
        "promise 3: a part that comes again is booked again",
        "INSERT OR IGNORE INTO part (",
        "INSERT OR REPLACE INTO part (",
        "tests/contract/test_commits.py",
    ),
    _in(
        "pipeline/budget_lease.py",
        "promise 4: what a call cost stays in the pool",
        "self._pool += reserved - taken",
        "self._pool += reserved",
        f"{_PIPELINE}/test_budget_lease.py",
    ),
    _in(
        "pipeline/budget_lease.py",
        "promise 4: a draw that was never answered holds back what was drawn before",
        "            self._try(0)",
        "            return",
        "tests/faults/test_money_without_answers.py",
    ),
    _in(
        "adapters/sqlite/run_tables.py",
        "promise 4: the budget is given up while money is outstanding",
        'return "spent" if state.drawn <= state.spend + state.held else "short"',
        'return "spent"',
        f"{_PIPELINE}/test_budget_lease.py",
    ),
    _in(
        "adapters/dynamodb/money/money_tree.py",
        "promise 4: a node of a fleet's budget hears twice of what was spent below it",
        'for kind in "gbtu"),',
        'for kind in "gbu"),',
        "tests/faults/test_money_schedules.py",
    ),
    _in(
        "tasks/translation/masking/masking.py",
        "promise 5: a formula comes back changed",
        "return spans[place] if 0",
        "return spans[place].lower() if 0",
        "tests/unit/tasks/translation/test_masking.py",
    ),
    _in(
        "tasks/translation/gate/gate.py",
        "promise 5: a formula that stands twice is taken",
        "if sorted(expected) == sorted(numbers) and intact:",
        "if set(expected) == set(numbers) and intact:",
        "tests/unit/tasks/translation/test_gate.py",
    ),
    _in(
        "adapters/file_store.py",
        "promise 6: the ledger is told before the part is on disk",
        "            segment.sync()",
        "            pass",
        "tests/faults/test_durable_order.py",
    ),
    _in(
        "domain/part_lines.py",
        "promise 6: a flipped bit is not seen",
        "if checksum is not None and",
        "if checksum is None and",
        "tests/unit/domain/test_part_lines.py",
    ),
    _in(
        "pipeline/run_paper.py",
        "promise 7: an error of one paper ends its job",
        "    except Exception as error:\n        if not isinstance(error, ModelCallError):",
        "    except ModelCallError as error:\n        if not isinstance(error, ModelCallError):",
        _TOLD,
    ),
    _in(
        "pipeline/batch_runner.py",
        "promise 7: a line that is no paper stops its batch",
        "            except BadLineError as error:",
        "            except ZeroDivisionError as error:",
        _TOLD,
    ),
    _in(
        "tasks/translation/gate/gate.py",
        "gate: a number that is missing passes",
        "    if compared.missing:",
        "    if compared.missing and False:",
        "tests/unit/tasks/translation/test_gate.py",
    ),
    _in(
        "tasks/translation/gate/gate.py",
        "gate: an answer that was cut off passes",
        "    if reason in _CUT:",
        "    if reason in ():",
        "tests/unit/tasks/translation/test_gate.py",
    ),
    _in(
        "llm/limits/admission.py",
        "limiter: more calls are in flight than there are slots",
        "if self._is_full(now) or now <",
        "if now <",
        "tests/unit/llm/test_limiter.py",
    ),
    _in(
        "llm/limits/admission.py",
        "limiter: the API's Retry-After holds nobody back",
        "            self._pause(retry_after, now)",
        "            self._pause(0.0, now)",
        "tests/unit/llm/test_limiter.py",
    ),
    _in(
        "llm/limits/token_bucket.py",
        "limiter: a declared rate is passed",
        "return max(0.0, -self._level / self.rate)",
        "return 0.0",
        "tests/unit/llm/test_backoff_and_bucket.py",
        "tests/unit/llm/test_limiter.py",
    ),
)


def mutated(tree: Path, mutation: Mutation) -> str:
    """Change the file; returns what it was."""
    path = tree / mutation.file
    before = path.read_text(encoding="utf-8")
    if before.count(mutation.old) != 1:
        raise LookupError(
            f"{mutation.file}: {mutation.old!r} stands there {before.count(mutation.old)} times, not once"
        )
    path.write_text(before.replace(mutation.old, mutation.new), encoding="utf-8")
    return before


def passes(tree: Path, tests: tuple[str, ...]) -> bool:
    """Whether the quick ones of these tests pass in the tree."""
    line = [sys.executable, "-m", "pytest", "-q", "-x", "-m", "not slow", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(line, cwd=tree, env=environment, capture_output=True, text=True, timeout=900)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"the tests could not be run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.returncode == 0


def main(words: list[str]) -> int:
    chosen = [
        each for each in MUTATIONS if not words or any(word in each.breaks + each.file for word in words)
    ]
    missed = 0
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        tree = Path(folder)
        for name in _COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
            copy(ROOT / name, tree / name)
        if not passes(tree, tuple(sorted({test for each in chosen for test in each.tests}))):
            raise RuntimeError("the tests do not pass without a fault either")
        for each in chosen:
            before = mutated(tree, each)
            caught = not passes(tree, each.tests)
            (tree / each.file).write_text(before, encoding="utf-8")
            missed += not caught
            print(f"{'caught    ' if caught else 'NOT CAUGHT'}  {each.breaks} ({each.file})", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} caught")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
