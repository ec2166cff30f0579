"""The model server as a client meets it: a process of its own on loopback."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import pytest

from handlers.errors import UsageError
from handlers.model_server import RunningServer, ServerSettings, start
from handlers.model_server.server_settings import FAULTS
from tests.builders.model_server_calls import (
    alive,
    call,
    chat,
    eventually,
    grown,
    raw,
    reset,
)


@pytest.fixture(scope="module")
def shared() -> Iterator[RunningServer]:
    with start(ServerSettings(mode="canned")) as server:
        yield server


@pytest.fixture
def canned(shared: RunningServer) -> RunningServer:
    """One server for the module, back at its defaults for each test."""
    return reset(shared)


@pytest.mark.slow
def test_a_gloss_answers_with_the_segments_asked_and_says_that_it_is_a_gloss() -> None:
    with start(ServerSettings(mode="gloss")) as server:
        answer = chat(server)
        models = call(server, "GET", "/v1/models").body
        plain = chat(server, "研究")
    segments = json.loads(answer.content)
    assert list(segments) == ["title", "abstract"]
    assert segments["title"] == "rice of research"
    assert re.findall("⟦[0-9]+⟧", segments["abstract"]) == ["⟦0⟧", "⟦1⟧"]
    assert answer.body["model"] == "paperfleet-gloss"
    assert "not a translation" in answer.headers["x-paperfleet-notice"]
    assert "not a translation" in models["data"][0]["description"]
    assert "gloss" not in answer.content
    assert plain.content == "research"


def test_canned_answers_keep_keys_placeholders_and_numbers(canned: RunningServer) -> None:
    segments = json.loads(chat(canned).content)
    assert list(segments) == ["title", "abstract"]
    assert re.findall(r"⟦[0-9]+⟧|12\.5%|three", segments["abstract"]) == ["⟦0⟧", "three", "12.5%", "⟦1⟧"]


def test_the_bill_is_the_sum_of_what_each_answer_s_usage_costs(canned: RunningServer) -> None:
    canned.control(
        price_in="0.15", price_out="0.60", price_cached="0.075", prompt_cache=True, cache_from=128,
        reasoning_tokens=7,
    )  # fmt: skip
    before = canned.stats()
    texts = ("研究" * 70, "研究" * 70 + "二", "研究" * 40)
    usages = [chat(canned, text).body["usage"] for text in texts]
    expected = 0
    for usage in usages:
        cached = usage["prompt_tokens_details"]["cached_tokens"]
        pico = (usage["prompt_tokens"] - cached) * 150_000 + cached * 75_000
        expected += -(-(pico + usage["completion_tokens"] * 600_000) // 1000)
    assert [usage["prompt_tokens_details"]["cached_tokens"] for usage in usages] == [0, 128, 0]
    assert all(usage["completion_tokens_details"]["reasoning_tokens"] == 7 for usage in usages)
    assert grown(canned, before, "bill_nano_usd") == expected
    assert grown(canned, before, "charged") == 3


def test_max_tokens_cuts_the_answer_and_is_what_is_billed(canned: RunningServer) -> None:
    answer = chat(canned, "研究方法" * 20, max_tokens=5)
    assert answer.body["choices"][0]["finish_reason"] == "length"
    assert answer.body["usage"]["completion_tokens"] == 5


def test_the_same_text_again_counts_as_a_duplicate(canned: RunningServer) -> None:
    before = canned.stats()
    for text in ("甲", "乙", "甲"):
        chat(canned, text)
    assert grown(canned, before, "duplicates") == 1
    assert grown(canned, before, "duplicates_of_delivered") == 1


@pytest.mark.parametrize("form", ["seconds", "date", "off"])
def test_a_throttled_call_is_told_when_to_come_back_and_costs_nothing(
    canned: RunningServer, form: str
) -> None:
    canned.control(rpm=6, burst=10, retry_after=form, price_in=1)
    before, began = canned.stats(), time.time()
    first, second = chat(canned, f"一{form}"), chat(canned, f"二{form}")
    told, least = time.time(), 10 - (time.time() - began)
    assert (first.status, second.status) == (200, 429)
    assert first.headers["x-ratelimit-limit-requests"] == "6"
    assert second.headers["x-ratelimit-remaining-requests"] == "0"
    assert 1000 * least - 1 <= int(second.headers["retry-after-ms"]) <= 10_000
    assert second.body["error"]["code"] == "rate_limit_exceeded"
    if form == "seconds":
        assert least <= int(second.headers["retry-after"]) <= 10
    elif form == "date":
        back = parsedate_to_datetime(second.headers["retry-after"]).timestamp()
        assert began + 10 - 1 <= back <= told + 10 + 1, "a date has whole seconds"
    else:
        assert "retry-after" not in second.headers
    assert grown(canned, before, "charged") == 1


def test_tokens_a_minute_are_limited_too(canned: RunningServer) -> None:
    canned.control(tpm=600, burst=10)
    assert chat(canned, "研" * 90).status == 200
    refused = chat(canned, "究" * 90)
    assert refused.status == 429
    assert refused.headers["x-ratelimit-limit-tokens"] == "600"


def test_more_requests_at_once_than_allowed_are_refused(canned: RunningServer) -> None:
    canned.control(max_in_flight=2, latency=0.6, sigma=0)
    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(lambda n: chat(canned, f"{n}").status, range(6)))
    assert statuses == [200, 200, 429, 429, 429, 429]


def test_a_key_a_model_and_a_context_window_are_checked(canned: RunningServer) -> None:
    canned.control(api_key="secret", models=["m"], max_context_tokens=100)
    assert chat(canned, key="wrong").body["error"]["code"] == "invalid_api_key"
    assert chat(canned, "研究", key="secret").status == 200
    unknown = chat(canned, "研究", key="secret", model="other")
    assert (unknown.status, unknown.body["error"]["code"]) == (404, "model_not_found")
    too_long = chat(canned, "研" * 101, key="secret")
    assert (too_long.status, too_long.body["error"]["code"]) == (400, "context_length_exceeded")
    assert "secret" not in json.dumps(canned.control(latency=0))


@pytest.mark.parametrize("status", [402, 429])
def test_credit_ends_once_the_bill_passes_it(canned: RunningServer, status: int) -> None:
    spent = canned.stats()["bill_nano_usd"]
    canned.control(price_in=1, credit_usd=f"{(spent + 20_000) / 10**9:.9f}", credit_status=status)
    answers = [chat(canned, "研" * 10 + str(number)) for number in range(4)]
    statuses = [answer.status for answer in answers]
    assert statuses[0] == 200
    assert statuses[-1] == status
    assert answers[-1].body["error"]["code"] == "insufficient_quota"
    assert "retry-after" not in answers[-1].headers


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"[" * 1_000_000, b'{"messages":[]}', b'{"messages":[{"role":"user"}]}', b"\xff"],
)
def test_a_body_that_is_no_chat_request_is_refused(canned: RunningServer, body: bytes) -> None:
    assert call(canned, "POST", "/v1/chat/completions", body).status == 400


def test_unknown_paths_methods_and_settings_are_refused(canned: RunningServer) -> None:
    assert call(canned, "GET", "/nothing").status == 404
    assert call(canned, "GET", "/v1/chat/completions").status == 405
    assert call(canned, "GET", "/healthz").body == {"status": "ok"}
    with pytest.raises(UsageError, match="Extra inputs"):
        canned.control(no_such_setting=1)
    with pytest.raises(UsageError, match="keeps its port"):
        canned.control(port=1)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /stats HTTP/1.1\r\nX: " + b"x" * 40_000 + b"\r\n\r\n", b"431"),
        (b"x" * 40_000, b"431"),
        (b"POST /control HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", b"413"),
        (b"POST /control HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST /control HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
    ],
)
def test_bad_http_is_answered_and_the_connection_closed(
    canned: RunningServer, request_bytes: bytes, status: bytes
) -> None:
    answer = raw(canned, request_bytes)
    assert answer.split(b" ", 2)[1] == status


def test_requests_sent_ahead_and_in_pieces_are_answered_in_turn(canned: RunningServer) -> None:
    one = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n"
    assert raw(canned, one * 3000 + last).count(b'{"status": "ok"}') == 3001
    assert raw(canned, *(bytes([byte]) for byte in last)).count(b"200 OK") == 1


def test_latency_follows_the_answer_s_length(canned: RunningServer) -> None:
    canned.control(latency_model="length", ttft=0.1, tokens_per_second=1000, sigma=0)
    times = []
    for text in ("研", "究" * 200):
        began = time.monotonic()
        tokens = chat(canned, text).body["usage"]["completion_tokens"]
        times.append((time.monotonic() - began, 0.1 + tokens / 1000))
    assert all(expected <= took < expected + 30 for took, expected in times)


def test_the_server_dies_with_its_parent() -> None:
    script = (
        "import os; from handlers.model_server import start, ServerSettings\n"
        "print(start(ServerSettings(mode='canned')).pid, flush=True); os._exit(9)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False, timeout=20)
    pid = int(run.stdout)
    assert eventually(lambda: not alive(pid))


def test_sigterm_ends_it_and_stop_is_harmless_afterwards() -> None:
    server = start(ServerSettings(mode="canned"))
    os.kill(server.pid, 15)
    server.stop()
    server.stop()


def test_a_port_that_is_taken_is_an_error_that_says_so(canned: RunningServer) -> None:
    port = urlsplit(canned.base_url).port or 0
    with pytest.raises(UsageError, match="give another port"):
        start(ServerSettings(mode="canned", port=port))


def test_every_content_fault_is_reachable_by_its_name() -> None:
    assert set(FAULTS) <= set(ServerSettings.model_fields)
