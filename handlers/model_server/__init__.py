"""The built-in model server: a simulated OpenAI-compatible API with latency, limits, faults and a bill.

Its texts are a word-by-word gloss or filler, never translations, and its bill is computed here alone, so
that it can be held against a client's ledger.
"""

from handlers.model_server.launch import RunningServer, start
from handlers.model_server.running import serve
from handlers.model_server.server_settings import ServerSettings

__all__ = ["RunningServer", "ServerSettings", "serve", "start"]
