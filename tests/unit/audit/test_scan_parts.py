"""The parts of a run, read again: what was paid for is counted once."""

from __future__ import annotations

from pathlib import Path

from handlers.adapters.file_store import FileStore
from handlers.audit.part_index import part_index
from handlers.audit.scan_parts import CARRIED, scan_parts
from handlers.domain.part_lines import encode
from handlers.domain.result import Part
from tests.builders.values import RUN, part_line


def test_copies_that_travelled_with_a_plan_are_no_calls_and_no_damage(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    own = encode(part_line("p1", "pending"))
    others = encode(part_line("p2", run_id="another-run"))
    store.write_parts("job-a", [Part(RUN, "b1/1-job-a-1", (own,))])
    store.write_parts(
        f"{CARRIED}actions-1-1", [Part(RUN, "carried/p1", (own,)), Part(RUN, "carried/p2", (others,))]
    )
    with part_index() as lines:
        scan = lines.add(scan_parts(RUN, store))
        entry = lines.entry("p1")
    assert (scan.calls.sent, scan.damaged) == (1, [])
    assert scan.calls.cost == part_line().calls[0].cost
    assert entry is not None
    assert entry.cost == scan.calls.cost


def test_a_copy_tells_what_was_paid_for_where_the_original_is_not(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.write_parts(
        f"{CARRIED}actions-1-1", [Part(RUN, "carried/p1", (encode(part_line("p1", "pending")),))]
    )
    (copy,) = scan_parts(RUN, store)
    assert copy.line is not None
    assert (copy.line.status, copy.line.calls) == ("pending", ())
    assert copy.line.carried == part_line("p1").calls
