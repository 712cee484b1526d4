"""A completions server without a model: it answers at once, and fails in each way that servers fail."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

PASSING = ("429", "500", "503", "drop", "stall", "cut body", "restart")
"""Faults after which the client asks again: a status, no whole answer, no answer in time, a server that restarts."""

LASTING = ("not JSON", "no choices", "no text", "aborted")
"""Answers that a client takes for complete."""

FAULTS = (*PASSING, *LASTING)


class _Handler(BaseHTTPRequestHandler):
    """Answers, or does what the server's next fault says."""

    protocol_version = "HTTP/1.1"
    played: ClassVar[FaultyServer]

    def do_GET(self) -> None:
        self._send(200, json.dumps({"object": "list", "data": [{"id": "tiny", "object": "model"}]}).encode())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fault = self.played.next_fault()
        if fault.isdigit():
            self._send(int(fault), json.dumps({"error": {"message": "a fault", "code": int(fault)}}).encode())
        elif fault in ("drop", "stall", "restart"):
            time.sleep(0.6 if fault == "stall" else 0)
            self.close_connection = True
            if fault == "restart":
                threading.Thread(target=self.played.restart, daemon=True).start()
        else:
            self._send(200, spoilt(completion(body), fault), cut=fault == "cut body")

    def _send(self, status: int, data: bytes, *, cut: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if cut else data)
        self.close_connection |= cut

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request, client_address):
        """A connection that breaks off is part of the tests."""


class FaultyServer:
    """Answers each prompt with a text that follows from it, under the model name `tiny`.

    Attributes:
        faults: What the next requests meet, in order: one of `FAULTS`, or "" for an answer.
        url: Its address.
    """

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._faults, self._state = threading.Lock(), threading.Lock()
        self._start(0)
        self.port = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"

    def _start(self, port: int) -> None:
        self._http = _Server(("127.0.0.1", port), type("Handler", (_Handler,), {"played": self}))
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def restart(self) -> None:
        """End, and come back at the same address a moment later."""
        with self._state:
            self._end()
            time.sleep(0.03)
            self._start(self.port)

    def stop(self) -> None:
        with self._state:
            self._end()

    def _end(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def next_fault(self) -> str:
        with self._faults:
            return self.faults.pop(0) if self.faults else ""


def completion(body: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to a request, which follows from its prompt and seed."""
    asked = f"{body['prompt']} {body.get('seed')}"
    number = int(hashlib.sha256(asked.encode()).hexdigest(), 16) % 90 + 10
    text = f" So it is {number}.\n#### {number}"
    choice = {"index": 0, "text": text, "finish_reason": "stop", "logprobs": None}
    usage = {"prompt_tokens": 1, "completion_tokens": 9, "total_tokens": 10}
    kind = {"id": "c", "object": "text_completion", "created": 0, "model": "tiny"}
    return {**kind, "choices": [choice], "usage": usage}


def spoilt(answer: dict[str, Any], fault: str) -> bytes:
    """Return an answer's body, with the fault in it if it is one of answers."""
    if fault == "not JSON":
        return b"<html>busy</html>"
    choice = answer["choices"][0]
    if fault == "no choices":
        answer["choices"] = []
    elif fault == "no text":
        choice["text"] = None
    elif fault == "aborted":
        choice |= {"finish_reason": "abort", "text": choice["text"][:3]}
    return json.dumps(answer).encode()
