"""Each fault as a client meets it, and what it costs."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from handlers.model_server import RunningServer, ServerSettings
from tests.builders.model_server_calls import (
    SEGMENTS,
    chat,
    eventually,
    grown,
    raw,
    reset,
)
from tests.builders.warm import start


@pytest.fixture(scope="module")
def shared() -> Iterator[RunningServer]:
    with start(ServerSettings(mode="canned")) as server:
        yield server


@pytest.fixture
def canned(shared: RunningServer) -> RunningServer:
    """One server for the module, back at its defaults for each test."""
    return reset(shared)


@pytest.mark.parametrize("status", [500, 503, 529])
def test_server_errors_cost_nothing(canned: RunningServer, status: int) -> None:
    canned.control(**{f"http_{status}": 1.0})
    before = canned.stats()
    assert chat(canned).status == status
    assert grown(canned, before, "charged") == 0
    assert canned.stats()["in_flight"] == 0


def test_a_reset_comes_before_any_byte_and_is_charged(canned: RunningServer) -> None:
    canned.control(reset=1.0)
    before = canned.stats()
    with pytest.raises(ConnectionResetError):
        chat(canned)
    assert (grown(canned, before, "charged"), grown(canned, before, "delivered")) == (1, 0)


def test_a_truncated_answer_breaks_off_and_is_charged(canned: RunningServer) -> None:
    canned.control(truncated=1.0)
    before = canned.stats()
    with pytest.raises(http.client.IncompleteRead):
        chat(canned)
    assert (grown(canned, before, "charged"), grown(canned, before, "delivered")) == (1, 0)


def test_a_stalled_call_is_charged_at_once_and_in_flight_until_the_client_goes(canned: RunningServer) -> None:
    canned.control(stall=1.0)
    before = canned.stats()
    address = urlsplit(canned.base_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=0.2)
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}]})
    connection.request("POST", "/v1/chat/completions", body)
    with pytest.raises(TimeoutError):
        connection.getresponse()
    assert eventually(lambda: canned.stats()["in_flight"] == 1)
    assert grown(canned, before, "charged") == 1
    connection.close()
    assert eventually(lambda: canned.stats()["in_flight"] == 0)


def test_a_malformed_answer_is_no_json_of_the_keys_asked(canned: RunningServer) -> None:
    canned.control(malformed=1.0)
    for number in range(4):
        text = json.dumps({"segments": {"title": f"研究{number}"}})
        content = chat(canned, text).content
        with pytest.raises(ValueError, match=r"Expecting|Unterminated|delimiter"):
            json.loads(content)


def test_a_dropped_placeholder_leaves_all_others(canned: RunningServer) -> None:
    canned.control(dropped_placeholder=1.0)
    assert len(re.findall("⟦[0-9]+⟧", chat(canned).content)) == 1


def test_source_left_leaves_one_segment_as_it_was(canned: RunningServer) -> None:
    canned.control(source_left=1.0)
    answer = json.loads(chat(canned).content)
    assert answer["abstract"] == SEGMENTS["abstract"]
    assert answer["title"] != SEGMENTS["title"]


def test_wrong_numbers_change_a_number_and_no_placeholder(canned: RunningServer) -> None:
    canned.control(wrong_numbers=1.0)
    content = chat(canned).content
    assert re.findall("⟦[0-9]+⟧", content) == ["⟦0⟧", "⟦1⟧"]
    assert "12.5" not in content


def test_refusals_length_cuts_and_missing_usage_are_as_models_give_them(canned: RunningServer) -> None:
    canned.control(refusal=1.0)
    assert "can't help" in chat(canned).content
    canned.control(refusal=None, length_cut=1.0)
    assert chat(canned).body["choices"][0]["finish_reason"] == "length"
    canned.control(length_cut=None, no_usage=1.0)
    before = canned.stats()
    assert "usage" not in chat(canned).body
    assert grown(canned, before, "charged") == 1


def test_a_fault_that_finds_nothing_to_damage_is_not_counted(canned: RunningServer) -> None:
    canned.control(dropped_placeholder=1.0)
    before = canned.stats()["outcomes"]
    chat(canned, json.dumps({"segments": {"title": "研究"}}))
    after = canned.stats()["outcomes"]
    assert after["ok"] == before.get("ok", 0) + 1


def test_faults_fall_the_same_way_for_the_same_seed_and_anew_for_each_try() -> None:
    def outcomes() -> list[int]:
        with start(ServerSettings(mode="canned", seed=5, http_500=0.5)) as server:
            return [chat(server, f"研究{number % 8}").status for number in range(32)]

    first = outcomes()
    assert first == outcomes()
    assert first[:8] != first[8:16]
    assert {200, 500} == set(first)


def test_habits_of_the_wire_are_sent_as_they_say(canned: RunningServer) -> None:
    canned.control(habit=["no_last_chunk"])
    before = canned.stats()
    head, _, body = exchanged(canned).partition(b"\r\n\r\n")
    size, _, rest = body.partition(b"\r\n")
    assert b"transfer-encoding: chunked" in head.lower()
    assert rest == rest[: int(size, 16)] + b"\r\n"
    assert grown(canned, before, "delivered") == 1
    canned.control(habit=["hung_up"])
    assert exchanged(canned) == b""
    assert (grown(canned, before, "charged"), grown(canned, before, "delivered")) == (2, 1)
    canned.control(habit=["event_stream"])
    assert b"content-type: text/event-stream" in exchanged(canned).lower()
    canned.control(habit=["firewall=1"])
    assert exchanged(canned).startswith(b"HTTP/1.1 403")
    assert grown(canned, before, "charged") == 3


def exchanged(server: RunningServer) -> bytes:
    """All bytes of one answer, until the server closes."""
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "研究"}]}).encode()
    lines = f"POST /v1/chat/completions HTTP/1.1\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    return raw(server, lines.encode() + body)
