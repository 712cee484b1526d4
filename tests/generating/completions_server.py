"""A completions endpoint on loopback that answers from a real model, and fails when asked to."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from w2s_factory.generating import Model, Request, Sampling
from w2s_factory.generating.engines.transformers import Transformers


@dataclass(frozen=True)
class Seeded(Request):
    """A request whose draws have the seed that came over the wire."""

    draw_seed: int = 0  # type: ignore[misc]


class TooLongError(Exception):
    """The prompt leaves no room for an answer."""


SAMPLED = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "presence_penalty",
    "repetition_penalty",
    "max_tokens",
)


class _Quick(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, *arguments):
        self.connections = set()
        super().__init__(*arguments)

    def process_request(self, request, client_address):
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address):
        """A connection that breaks off is what some tests are about."""


class CompletionsServer:
    """Serves one model under the name `tiny`.

    Attributes:
        faults: What to do with the next requests instead of answering: a status, or "drop" the connection.
        asked: The bodies that were answered.
        headers: Those of the last request.
    """

    def __init__(self, model, *, faults=(), port=0):
        self.faults, self.asked, self.headers = list(faults), [], {}
        self._model, self._lock = str(model), threading.Lock()
        self._engines: dict[str, Transformers] = {}
        self._http = _Quick(("127.0.0.1", port), self._handler())
        self.port = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self):
        """As a kill: no more connections, and those there are break off."""
        self._http.shutdown()
        self._http.server_close()
        for connection in list(self._http.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        named = {name: body[name] for name in SAMPLED if name in body}
        sampling = Sampling(**named, stop=tuple(body.get("stop") or ()))
        bos = "auto" if body.get("add_special_tokens", True) else "none"
        with self._lock:
            self.asked.append(body)
            engine = self._engines.setdefault(bos, Transformers(Model(self._model, bos=bos), device="cpu"))
            asked = Seeded(0, 0, body["prompt"], draw_seed=body.get("seed") or 0)
            [done] = engine.complete([[asked]], sampling)
        if done.error is not None:
            raise TooLongError(done.error)
        choice = {"index": 0, "text": done.text, "finish_reason": done.finish, "logprobs": None}
        usage = {"prompt_tokens": 0, "completion_tokens": done.tokens, "total_tokens": done.tokens}
        return {
            "id": "c",
            "object": "text_completion",
            "created": 0,
            "model": "tiny",
            "choices": [choice],
            "usage": usage,
        }

    def _handler(server):  # noqa: N805  `self` is the handler's below
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self._answer(
                    200,
                    {
                        "object": "list",
                        "data": [{"id": "tiny", "object": "model", "created": 0, "owned_by": "us"}],
                    },
                )

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.headers = self.headers
                with server._lock:
                    fault = server.faults.pop(0) if server.faults else None
                if fault == "drop":
                    self.close_connection = True
                    self.connection.close()
                elif fault:
                    self._answer(fault, {"error": {"message": "told to fail", "type": "test", "code": fault}})
                else:
                    try:
                        self._answer(200, server.complete(body))
                    except TooLongError as error:
                        self._answer(400, {"error": {"message": str(error), "type": "test", "code": 400}})

            def _answer(self, status, value):
                data = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        return Handler
