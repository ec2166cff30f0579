"""Runs on a virtual clock: nothing is lost, limits hold, and the same seed gives the same run."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.errors import UsageError
from handlers.model_server.limits import Limits
from handlers.model_server.server_settings import ServerSettings
from handlers.simulation import simulation as simulate
from handlers.simulation.sim_setup import SimResult, SimSetup
from handlers.simulation.simulation import Simulation


def simulated(**given: Any) -> SimResult:
    whole = SimSetup(**given)
    setup, limits = whole.part(), None
    if setup.api_rpm is not None or setup.api_in_flight is not None:
        server = ServerSettings(rpm=setup.api_rpm, max_in_flight=setup.api_in_flight, burst=setup.api_burst)
        limits = Limits(server, now=0.0)
    return Simulation(setup, limits).run().of_whole(whole)


@settings(max_examples=25, deadline=None)
@given(
    papers=st.integers(1, 400),
    jobs=st.integers(1, 5),
    workers=st.integers(1, 12),
    transient=st.sampled_from([0.0, 0.1, 0.5]),
    repair=st.sampled_from([0.0, 0.2]),
    deaths=st.sampled_from([0.0, 200.0]),
    lease_s=st.sampled_from([0.0, 120.0]),
    api_rpm=st.sampled_from([None, 600.0]),
    hedge=st.sampled_from([0.0, 0.05]),
    seed=st.integers(0, 9),
)
def test_whatever_strikes_every_paper_comes_to_an_end_and_is_paid_for(**given: Any) -> None:
    found = simulated(latency=0.3, **given)
    assert found.samples[-1].done == given["papers"]
    answered = found.calls - found.throttled - found.transient
    assert answered + found.failed >= given["papers"]
    assert found.worker_utilization <= 1


def test_the_same_seed_gives_the_same_run_and_another_seed_another() -> None:
    first, again, other = (simulated(papers=300, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.wall_s != other.wall_s


@pytest.mark.parametrize(("jobs", "workers"), [(1, 10), (4, 25), (20, 5)])
def test_bound_by_workers_it_takes_the_sum_of_the_calls_and_a_little_more(jobs: int, workers: int) -> None:
    found = simulated(papers=4_000, jobs=jobs, workers=workers, start_s=0.0)
    bound = found.calls * found.latency_mean_s / (jobs * workers)
    assert found.binding == "workers"
    assert bound < found.wall_s < 1.15 * bound + 5


def test_a_declared_rate_is_kept_to_by_all_jobs_together() -> None:
    found = simulated(papers=1_000, jobs=4, workers=25, rpm=1_200, latency=0.5)
    assert found.calls <= 1_200 / 60 * found.wall_s + 4 * 20
    assert found.binding == "rate_limit"
    assert found.throttled == 0


def test_the_passages_of_a_paper_are_asked_side_by_side_once_its_head_is_in() -> None:
    def seconds(workers: int) -> float:
        found = simulated(
            papers=1, jobs=1, workers=workers, sigma=0.0, worker_s=0.0, start_s=0.0, sizes=(40_450.0,),
            passage_tokens=1_000.0,
        )  # fmt: skip
        assert found.calls == 42
        return found.wall_s

    assert seconds(60) == pytest.approx(2.0, rel=0.05)
    assert seconds(1) == pytest.approx(42.0, rel=0.01)


def test_whole_papers_end_once_each_whatever_dies() -> None:
    whole = {"papers": 300, "jobs": 3, "workers": 20, "sizes": (2_000.0, 9_000.0), "passage_tokens": 800.0}
    calm, dying = simulated(**whole), simulated(**whole, deaths=900.0, lease_s=20.0)
    assert dying.jobs_died > 3
    assert dying.samples[-1].done == calm.samples[-1].done == 300
    assert 0 < dying.repeated == dying.calls - calm.calls


def test_an_undeclared_limit_is_found_with_few_refusals_and_mostly_used() -> None:
    found = simulated(papers=3_000, jobs=4, workers=50, api_rpm=3_000, latency=0.5)
    assert 0 < found.throttle_rate < 0.1
    assert (3_000 - 500) / 50 <= found.wall_s < 1.35 * 3_000 / 50


def test_the_model_servers_faults_are_met_at_their_rates() -> None:
    found = simulated(papers=4_000, jobs=2, workers=50, faults=0.03, read_timeout=2.0)
    assert found.transient / found.calls == pytest.approx(6 * 0.03, rel=0.15)
    assert found.repairs / (found.calls - found.transient) == pytest.approx(0.21 / 0.79, rel=0.15)


def test_processors_that_all_jobs_share_bind_when_calls_are_short() -> None:
    found = simulated(papers=5_000, jobs=4, workers=100, latency=0.01, cores=2, cpu_s=0.004)
    assert found.binding == "machine"
    assert found.wall_s >= 5_000 * 0.004 / 2


def test_a_ramp_lets_no_more_jobs_in_than_the_minutes_allow() -> None:
    found = simulated(
        papers=10_000, jobs=200, workers=2, latency=2.0, ramp_start=5, ramp_per_minute=300, start_s=0.0
    )
    assert all(sample.jobs <= 5 + 5 * sample.at + 1 for sample in found.samples)
    assert max(sample.jobs for sample in found.samples) == 200


def test_dead_jobs_repeat_what_was_in_flight_and_their_leases_hold_batches_back() -> None:
    quick = simulated(papers=4_000, jobs=4, workers=10, deaths=60, lease_s=0)
    slow = simulated(papers=4_000, jobs=4, workers=10, deaths=60, lease_s=120)
    assert quick.jobs_died > 0
    assert quick.repeated >= quick.jobs_died
    assert quick.repeated <= quick.jobs_died * (10 + 25)
    assert slow.wall_s > quick.wall_s


def test_jobs_with_a_time_limit_end_and_others_take_their_place() -> None:
    found = simulated(papers=2_000, jobs=2, workers=10, job_s=30.0, restart_s=5.0)
    assert found.jobs_ended >= 2 * int(found.wall_s / 35) - 2
    assert found.samples[-1].done == 2_000


@pytest.mark.parametrize(
    "limits", [{}, {"rpm": 6_000.0}, pytest.param({"api_rpm": 12_000.0}, marks=pytest.mark.slow)]
)
def test_a_coarser_step_tells_the_same_time(limits: dict[str, float]) -> None:
    fine = simulated(papers=6_000, jobs=20, workers=20, **limits)
    coarse = simulated(papers=6_000, jobs=20, workers=20, step=10, **limits)
    assert coarse.wall_s == pytest.approx(fine.wall_s, rel=0.1)
    assert coarse.events < fine.events / 5
    assert coarse.calls == pytest.approx(fine.calls, rel=0.02)
    assert (coarse.papers, coarse.samples[-1].done) == (6_000, 6_000)


def test_samples_and_batches_do_not_grow_with_the_papers() -> None:
    setup = SimSetup(papers=20_000, jobs=2, workers=5, latency=0.5)
    simulation = Simulation(setup)
    found = simulation.run()
    assert len(found.samples) <= 801
    assert not any(job.held for job in simulation._jobs)
    times = [sample.at for sample in found.samples]
    assert all(first <= second for first, second in pairwise(times))


def test_a_fleet_that_takes_longer_than_anybody_waits_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate, "LONGEST", 100.0)
    with pytest.raises(UsageError, match=r"does not come to an end: [01] of 10 papers"):
        simulated(papers=10, latency=60.0, sigma=0.0, jobs=1, workers=1)


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ({"sizes": (1.0, float("nan"))}, "finite number"),
        ({"sizes": (-5.0,)}, "sizes: tokens wanted"),
        ({"sizes": ()}, "sizes: tokens wanted"),
        ({"latency": float("inf")}, "finite number"),
        ({"papers": 10**9}, "less than or equal to 100000000"),
        ({"api_rpm": 1e-300}, "api_rpm 1e-300: 10,000 papers take over 400 days; give 0.0174 or more"),
        ({"tpm": 0.01}, "tpm 0.01: 10,000 papers take over 400 days; give 8.68 or more"),
        ({"deaths": 1e9}, "give 10756 or fewer"),
        ({"job_s": 0.5}, "give 2 or more"),
    ],
)
def test_what_would_never_end_is_refused_before_it_begins(figures: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        SimSetup(**figures)


def test_slow_calls_sent_a_second_time_end_a_run_sooner_and_never_more_than_the_share() -> None:
    fleet = {"papers": 1500, "workers": 100, "latency": 8.0, "sigma": 0.6, "heartbeat_s": 0.0, "seed": 3}
    alone, hedged = simulated(**fleet), simulated(**fleet, hedge=0.02)
    assert 0 < hedged.hedges <= 0.02 * 1500
    assert hedged.calls == 1500 + hedged.hedges
    assert hedged.wall_s < alone.wall_s
