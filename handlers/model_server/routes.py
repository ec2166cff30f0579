"""Which path does what. The control, stats and health paths ask for no key: the server is for loopback."""

from __future__ import annotations

import json
from collections.abc import Callable

from pydantic import ValidationError

from handlers.llm.built_in import MARK
from handlers.model_server.chat import Chat
from handlers.model_server.content import Translator
from handlers.model_server.reply import HttpRequest, ServerReply, error_reply, json_reply
from handlers.model_server.server_bill import ServerBill
from handlers.model_server.server_settings import FIXED, ServerSettings

_EMBEDDINGS = frozenset({"/v1/embeddings", "/embeddings"})
_CHAT = frozenset({"/v1/chat/completions", "/chat/completions"})


class Routes:
    """The whole API as one function from request to reply."""

    def __init__(
        self,
        settings: ServerSettings,
        translator: Translator,
        *,
        monotonic: Callable[[], float],
        now: Callable[[], float],
    ) -> None:
        self._bill = ServerBill()
        self._chat = Chat(settings, translator, self._bill, monotonic=monotonic, now=now)

    @property
    def settings(self) -> ServerSettings:
        return self._chat.settings

    def reply(self, request: HttpRequest) -> ServerReply:
        path = request.path.partition("?")[0]
        if path in _CHAT:
            return self._chat.answer(request) if request.method == "POST" else _not_allowed("POST")
        if path in _EMBEDDINGS:
            return self._chat.embed(request) if request.method == "POST" else _not_allowed("POST")
        if path == "/control":
            return self._control(request.body) if request.method == "POST" else _not_allowed("POST")
        pages: dict[str, Callable[[], object]] = {
            "/v1/models": self._models,
            "/models": self._models,
            "/stats": self._bill.stats,
            "/healthz": lambda: {"status": "ok"},
        }
        if path not in pages:
            return error_reply(404, f"no such path: {path[:100]}", kind="invalid_request_error")
        return json_reply(200, pages[path]()) if request.method == "GET" else _not_allowed("GET")

    def _models(self) -> dict[str, object]:
        settings = self.settings
        names = dict.fromkeys((settings.model_name, *settings.models))
        rows = [
            {"id": name, "object": "model", "owned_by": MARK, "description": settings.notice}
            for name in names
        ]
        return {"object": "list", "data": rows}

    def _control(self, body: bytes) -> ServerReply:
        """Changes the settings named in the body's JSON object; answers with all of them but the key."""
        try:
            changes = json.loads(body)
            if not isinstance(changes, dict):
                raise ValueError("the body is not a JSON object")
            if fixed := sorted(FIXED & changes.keys()):
                raise ValueError(f"a running server keeps its {', '.join(fixed)}")
            settings = ServerSettings.model_validate(self.settings.model_dump() | changes)
        except ValidationError as error:
            what = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            return error_reply(400, what, kind="invalid_request_error")
        except (ValueError, RecursionError) as error:
            return error_reply(400, str(error), kind="invalid_request_error")
        self._chat.configure(settings)
        return json_reply(200, settings.model_dump(mode="json", exclude={"api_key"}))


def _not_allowed(method: str) -> ServerReply:
    return error_reply(405, f"use {method}", kind="invalid_request_error", headers=f"Allow: {method}\r\n")
