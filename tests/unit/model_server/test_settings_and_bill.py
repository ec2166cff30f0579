from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from handlers.model_server import chance, tokens
from handlers.model_server.faults import damage, pick
from handlers.model_server.limits import Bucket, Limits, duration
from handlers.model_server.server_bill import ServerBill, Tariff
from handlers.model_server.server_settings import FAULTS, ServerSettings
from handlers.model_server.tokens import PromptCache, Tokens


def test_every_setting_has_a_description_for_its_flag() -> None:
    assert all(field.description for field in ServerSettings.model_fields.values())


def test_a_rate_for_every_fault_gives_way_to_a_fault_s_own() -> None:
    rates = ServerSettings(faults=0.03, stall=0.0, reset=0.1).rates
    assert (rates["stall"], rates["reset"], rates["http_500"]) == (0.0, 0.1, 0.03)


def test_fault_rates_over_one_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"add up to 1\.5, over 1"):
        ServerSettings(faults=0.1)


def test_a_price_finer_than_a_pico_dollar_is_refused() -> None:
    with pytest.raises(ValidationError, match="finer than a pico-USD"):
        ServerSettings(price_in=Decimal("0.0000001"))


@given(st.floats(0, 1, exclude_max=True))
def test_faults_are_picked_at_their_rates(uniform: float) -> None:
    rates = ServerSettings(faults=0.05).rates
    picked = [name for name in FAULTS if rates[name]]  # those of schemas have rates of their own alone
    expected = picked[min(int(uniform / 0.05), len(picked) - 1)] if uniform < len(picked) * 0.05 else None
    # A float at the very edge between two faults may fall to either.
    assert expected in {pick(rates, max(0.0, uniform + edge)) for edge in (-1e-9, 0.0, 1e-9)}


@given(
    st.integers(0, 10**7),
    st.integers(0, 10**6),
    st.decimals(0, 1000, places=6),
    st.decimals(0, 1000, places=6),
    st.decimals(0, 1000, places=6),
)
def test_a_request_is_charged_exactly_and_rounded_up(
    prompt: int, completion: int, price_in: Decimal, price_out: Decimal, price_cached: Decimal
) -> None:
    settings = ServerSettings(price_in=price_in, price_out=price_out, price_cached=price_cached)
    cached = prompt // 3
    exact = Fraction(price_in) * (prompt - cached) + Fraction(price_cached) * cached
    exact = (exact + Fraction(price_out) * completion) * 1000  # USD per million tokens → nano-USD per token
    assert Tariff(settings).charge(Tokens(prompt, completion, cached)) == ceil(exact)


def test_repeats_are_told_from_repeats_of_answers_that_arrived() -> None:
    bill = ServerBill()
    for delivered in (False, True, True):
        bill.enter()
        bill.charge(b"same", Tokens(1, 1), 7)
        bill.leave(b"same", delivered=delivered, latency=0.5, now=3.0)
    stats = bill.stats()
    assert stats["bill_nano_usd"] == 21
    assert (stats["duplicates"], stats["duplicates_of_delivered"], stats["largest_repeat"]) == (2, 1, 3)
    assert (stats["delivered"], stats["latency_sum"]) == (2, 1.0)
    assert stats["last_answer_at"] == 3.0


def test_tokens_are_one_a_han_character_and_one_for_four_others() -> None:
    assert tokens.count("") == 0
    assert tokens.count("研究ab") == 3
    assert tokens.count("abcde") == 2
    assert tokens.count_messages(["研究", "abcd"]) == 11


@given(st.text(alphabet="研究abc ⟦⟧é"), st.integers(0, 30))
def test_a_cut_text_is_the_longest_beginning_within_the_limit(text: str, limit: int) -> None:
    cut = tokens.cut(text, limit)
    assert text.startswith(cut)
    assert tokens.count(cut) <= limit
    assert cut == text or tokens.count(text[: len(cut) + 1]) > limit


def test_a_bucket_lets_in_its_burst_and_then_its_rate() -> None:
    bucket = Bucket(60, 10, now=0.0)
    for _ in range(10):
        assert bucket.wait(1, now=0.0) == 0
        bucket.take(1)
    assert bucket.wait(1, now=0.0) == pytest.approx(1.0)
    assert bucket.wait(1, now=1.0) == pytest.approx(0.0)


def test_a_request_larger_than_the_bucket_is_let_in_when_it_is_full_and_pays_later() -> None:
    limits = Limits(ServerSettings(tpm=600, burst=1), now=0.0)
    assert limits.wait(100, in_flight=0, now=0.0) == 0
    assert limits.wait(1, in_flight=0, now=0.0) == pytest.approx(9.1)


def test_a_refusal_takes_nothing_from_the_other_bucket() -> None:
    limits = Limits(ServerSettings(rpm=60, tpm=60, burst=10), now=0.0)
    assert limits.wait(10, in_flight=0, now=0.0) == 0
    assert limits.wait(10, in_flight=0, now=0.0) > 0
    assert "x-ratelimit-remaining-requests: 9\r\n" in limits.headers()
    assert "x-ratelimit-remaining-tokens: 0\r\n" in limits.headers()


@pytest.mark.parametrize(("seconds", "text"), [(0, "0ms"), (0.0201, "21ms"), (1.52, "1.52s"), (360, "6m0s")])
def test_durations_are_written_as_openai_does(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_draws_depend_on_seed_text_and_how_often_it_was_seen() -> None:
    digest = chance.text_digest(1, [("user", "a")])
    assert chance.draws(digest, 0) == chance.draws(digest, 0)
    assert chance.draws(digest, 0) != chance.draws(digest, 1)
    assert digest != chance.text_digest(2, [("user", "a")])
    assert chance.text_digest(1, [("user", "a"), ("user", "")]) != digest


def test_lognormal_latency_has_its_median() -> None:
    values = [
        chance.lognormal(chance.draws(n.to_bytes(16, "little"), 0)[1], median=2.0, sigma=0.5)
        for n in range(2001)
    ]
    assert sorted(values)[1000] == pytest.approx(2.0, rel=0.05)
    assert chance.lognormal(0.9, median=2.0, sigma=0) == 2.0


def test_a_dropped_segment_is_one_key_of_the_answer() -> None:
    answer = {"body/17/4": "one", "body/18": "two", "terms/0": "three"}
    kept = [damage("dropped_segment", answer, answer, chance / 3) for chance in range(3)]
    assert [set(answer) - set(each or {}) for each in kept] == [{key} for key in answer]
    assert damage("dropped_segment", {}, {}, 0.5) is None


@pytest.mark.parametrize(("chance", "text"), [(0.1, "## two"), (0.9, "Translation\n\ntwo")])
def test_added_structure_is_put_before_a_body_s_text(chance: float, text: str) -> None:
    answer = {"title": "one", "body/18": "two"}
    assert damage("added_structure", answer, answer, chance) == {"title": "one", "body/18": text}
    assert damage("added_structure", {"title": "one"}, {"title": "one"}, chance) is None


def test_of_a_prompt_the_longest_beginning_seen_before_is_cached() -> None:
    cache, fixed = PromptCache(), "rule " * 100
    assert cache.seen("m", [("system", fixed), ("user", "研" * 100 + "甲" * 100)]) == 0
    assert cache.seen("m", [("system", fixed), ("user", "研" * 100 + "乙" * 100)]) == 192  # 4 + 125 + 4 + 64
    assert cache.seen("m", [("system", fixed), ("user", "研" * 100 + "甲" * 100)]) == 320
    assert cache.seen("m", [("system", fixed + "!"), ("user", "研" * 100)]) == 64
    assert cache.seen("other", [("system", fixed), ("user", "研" * 100)]) == 0
    assert cache.seen("m", [("user", "\ud800")]) == 0
