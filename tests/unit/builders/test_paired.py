"""Ratios of paired runs against those that were kept."""

from __future__ import annotations

from tests.benchmarks.paired import worse
from tests.benchmarks.peer_bench import Shape


def test_a_ratio_is_worse_once_it_is_more_than_the_share_above_what_was_kept() -> None:
    before = {"2x500": {"wall": 1.0, "CPU": 1.6}}
    assert worse({"2x500": {"wall": 1.09, "CPU": 1.0}}, before, 0.1) == []
    assert worse({"2x500": {"wall": 1.11, "CPU": 1.6}}, before, 0.1) == ["2x500, wall: 1.11 where it was 1"]
    assert worse({"10x100": {"wall": 9.0}}, before, 0.1) == []  # a shape that was not kept
    gone = ["2x500, wall: none where it was 1", "2x500, CPU: none where it was 1.6"]
    assert worse({"2x500": {"memory": 9.0}}, before, 0.1) == gone


def test_a_shape_is_read_as_it_is_written_and_names_its_scenario() -> None:
    shape = Shape.of("2x500")
    assert (shape, str(shape), shape.scenario) == (Shape(2, 500), "2x500", "1000")
