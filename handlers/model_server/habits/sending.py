"""What gateways do to the bytes of a completion, and connections that end in their own way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from handlers.model_server.habits.turn import Habit, Turn
from handlers.model_server.reply import Ending, ServerReply, encoded

_STREAM = "text/event-stream; charset=utf-8"
_PIECE = 40
_LETTER = re.compile(rb"(?<=[a-z]{3} [a-z])[a-z](?=[a-z]{2})")
_SERVICE = 0.2
"""Seconds that an API at least works on one call while the others wait."""


def _bytes(write: Callable[[bytes], bytes], content_type: str = "") -> Callable[[ServerReply], ServerReply]:
    def change(reply: ServerReply) -> ServerReply:
        return replace(reply, body=write(reply.body), content_type=content_type or reply.content_type)

    return change


def _ends(ending: Ending) -> Callable[[ServerReply], ServerReply]:
    return lambda reply: replace(reply, ending=ending) if reply.ending == "whole" else reply


def _habit(name: str, description: str, change: Callable[[ServerReply], ServerReply]) -> Habit:
    def act(turn: Turn) -> None:
        if turn.reply is not None:
            turn.reply = change(turn.reply)

    return Habit(name, description, "wire", act)


def _stream(turn: Turn) -> None:
    choices = turn.completion.get("choices")
    if turn.reply is None or not choices:
        return
    events = "".join(f"data: {encoded(each)}\n\n" for each in _chunks(turn.completion, choices[0]))
    body = f"{events}data: [DONE]\n\n".encode("utf-8", "replace")
    turn.reply = replace(turn.reply, body=body, content_type=_STREAM)


def _chunks(completion: dict[str, Any], choice: dict[str, Any]) -> Iterator[dict[str, Any]]:
    head = {name: completion.get(name) for name in ("id", "created", "model")}
    head["object"] = "chat.completion.chunk"
    message = choice["message"]
    text = message.get("content")
    pieces: list[dict[str, Any]] = [{**message, "content": ""}]
    if isinstance(text, str):
        pieces += [{"content": text[at : at + _PIECE]} for at in range(0, len(text), _PIECE)]
    for delta in pieces:
        yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    finish = {"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}
    yield {**head, "choices": [finish]}
    if "usage" in completion:
        yield {**head, "choices": [], "usage": completion["usage"]}


def _one_at_a_time(turn: Turn) -> None:
    if turn.reply is None:
        return
    service = max(_SERVICE, turn.reply.delay)
    turn.line.free_at = max(turn.now, turn.line.free_at) + service
    turn.reply = replace(turn.reply, delay=turn.line.free_at - turn.now)


SENDING = (
    Habit("event_stream", "an event stream although none was asked for", "wire", _stream),
    _habit("stream_end", "a whole completion with a stream's end behind it",
           _bytes(lambda body: body + b"\n\ndata: [DONE]\n\n", _STREAM)),
    _habit("comments", "comment lines of a gateway before the JSON",
           _bytes(lambda body: b": STILL WORKING\n\n: STILL WORKING\n\n" + body)),
    _habit("blank_lines", "blank lines before the JSON (DeepSeek)", _bytes(lambda body: b"\n\n\n\n" + body)),
    _habit("invalid_byte", "one byte that is no UTF-8",
           _bytes(lambda body: _LETTER.sub(b"\xe9", body, count=1))),
    _habit("no_last_chunk", "all of the JSON in chunks, and no last one", _ends("no_last_chunk")),
    _habit("hung_up", "the connection closed without a byte, and billed", _ends("hung_up")),
    Habit("one_at_a_time", "calls wait for one another, and are billed if the client hangs up", "wire",
          _one_at_a_time),
)  # fmt: skip
