"""A file of assumptions is anybody's: what is no figure is refused by its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from handlers.errors import UsageError
from handlers.planning.assumptions import AssumptionsBuilder


def taken(tmp_path: Path, text: str) -> AssumptionsBuilder:
    file = tmp_path / "assume.json"
    file.write_text(text, encoding="utf-8")
    assumed = AssumptionsBuilder()
    assumed.take_file(file)
    return assumed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"papers": true}', "papers: true is no figure"),
        ('{"papers": 1e19}', "papers: 1e\\+19 is no figure"),
        ('{"papers": 5000000000}', "papers: '5000000000' is not allowed: give .* to 1,000,000,000"),
        ('{"latency_s_per_request": NaN}', "latency_s_per_request: NaN is no figure"),
        ('{"latency_s_per_token": Infinity}', "latency_s_per_token: Infinity is no figure"),
        ('{"prompt_tokens_per_request": [500]}', "prompt_tokens_per_request: .500. is no figure"),
        ('{"rpm": 1e-300}', "rpm: '1e-300' is not allowed: give a number of 0.001 or more"),
        ('{"papers_per_worker_hour": {"gold": 5}}', "no tier 'gold'; there are standard, .* and custom"),
        ('{"papers_per_worker_hour": {"standard": 1e-300}}', "1e-300 is no rate"),
        ('{"papers_per_worker_hour": "5"}', 'papers_per_worker_hour: "5" is no figure'),
    ],
)
def test_what_is_no_figure_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=f"assume.json: .*{said}"):
        taken(tmp_path, text)


def test_all_assumptions_of_a_plan_can_be_given_again_as_a_file(tmp_path: Path) -> None:
    known = AssumptionsBuilder().build()
    assert taken(tmp_path, known.model_dump_json()).build() == known
