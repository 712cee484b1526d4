"""A completions endpoint on loopback that answers from a real model, and fails when asked to."""

from __future__ import annotations

import contextlib
import json
import socket
import tempfile
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s_factory.answers.thinking import split_thinking
from w2s_factory.chat import Turn, opens_thinking
from w2s_factory.generating import ChatSettings, Model, Request, Sampling, make_engine

if TYPE_CHECKING:
    from w2s_factory.generating import Engine


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


class UnknownModelError(Exception):
    """Neither `tiny` nor a loaded adapter."""


class CompletionsServer:
    """Serves one model under the name `tiny`, and LoRA adapters on top of it where it loads any.

    Attributes:
        faults: What to do with the next requests instead of answering: a status, or "drop" the connection.
        asked: The bodies that were answered.
        headers: Those of the last request.
        reasoning_key: The key of a message under which thinking is given apart; None to leave it in the text.
        prompt_ids: The token ids of the last conversation.
        adapters: The folders of the adapters that are loaded, by name; None if it loads none, as servers do.
        changes: Each request to load or unload an adapter: the endpoint, and the adapter's name.
    """

    def __init__(self, model, *, faults=(), port=0, reasoning_key=None, loads_adapters=False):
        self.adapters, self.changes = {} if loads_adapters else None, []
        self.reasoning_key, self.prompt_ids, self._folder = reasoning_key, [], Path(tempfile.mkdtemp())
        self.faults, self.asked, self.headers = list(faults), [], {}
        self._model, self._lock = str(model), threading.Lock()
        self._engines: dict[tuple[str, str], Engine] = {}
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
        bos = "auto" if body.get("add_special_tokens", True) else "none"
        with self._lock:
            self.asked.append(body)
            engine = self._engine(body["model"], bos)
            done = self._done(engine, Seeded(0, 0, body["prompt"], draw_seed=body.get("seed") or 0), body)
        return self.body("text_completion", done, {"text": done.text})

    def chat(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer turns as a chat server does: its template, its parser of thinking, no special tokens."""
        switch = {None: "auto", True: "on", False: "off"}[
            body.get("chat_template_kwargs", {}).get("enable_thinking")
        ]
        with self._lock:
            self.asked.append(body)
            engine = make_engine("transformers", self._named(body["model"]), {"device": "cpu"})
            chat = engine.start_chat(ChatSettings(thinking=switch, template=self._template(body)))
            prompt = chat.prompt(tuple(Turn(**message) for message in body["messages"]))
            self.prompt_ids = [token for token, _ in engine.tokens(prompt)]
            done = self._done(engine, Seeded(0, 0, prompt, draw_seed=body.get("seed") or 0), body)
        message = {"role": "assistant", "content": done.text}
        if self.reasoning_key is not None:
            opened = opens_thinking(prompt, chat.markers)
            thinking, answer, closed = split_thinking(done.text, opened=opened)
            message |= {"content": answer if closed else None, self.reasoning_key: thinking or None}
        return self.body("chat.completion", done, {"message": message})

    def change_adapters(self, what, body):
        """Load or unload an adapter as vLLM's server does; return status and text."""
        name, loaded = body["lora_name"], body["lora_name"] in (self.adapters or {})
        self.changes.append((what, name))
        if self.adapters is None:
            return 404, "Not Found"
        if what == "unload_lora_adapter":
            found = self.adapters.pop(name, None)
            return (200, "removed") if found else (404, f"The lora adapter '{name}' cannot be found.")
        if loaded:
            return 400, f"The lora adapter '{name}' has already been loaded."
        self.adapters[name] = body["lora_path"]
        return 200, "added"

    def _named(self, name, bos="auto"):
        if name not in ("tiny", *(self.adapters or ())):
            raise UnknownModelError(f"The model `{name}` does not exist.")
        return Model(self._model, (self.adapters or {}).get(name), bos=bos)

    def _engine(self, name, bos):
        model = self._named(name, bos)
        if (name, bos) not in self._engines:
            self._engines[name, bos] = make_engine("transformers", model, {"device": "cpu"})
        return self._engines[name, bos]

    def _template(self, body):
        if "chat_template" not in body:
            return "auto"
        file = self._folder / "sent.jinja"
        file.write_text(body["chat_template"])
        return file

    def _done(self, engine, asked, body):
        named = {name: body[name] for name in SAMPLED if name in body}
        [done] = engine.complete([[asked]], Sampling(**named, stop=tuple(body.get("stop") or ())))
        if done.error is not None:
            raise TooLongError(done.error)
        return done

    def body(self, kind, done, choice):
        choice = {"index": 0, "finish_reason": done.finish, "logprobs": None, **choice}
        usage = {"prompt_tokens": 0, "completion_tokens": done.tokens, "total_tokens": done.tokens}
        return {"id": "c", "object": kind, "created": 0, "model": "tiny", "choices": [choice], "usage": usage}

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
                elif "lora_adapter" in self.path:
                    status, text = server.change_adapters(self.path.rpartition("/")[2], body)
                    self._answer(
                        status, text if status == 200 else {"error": {"message": text, "code": status}}
                    )
                else:
                    try:
                        chat = self.path.endswith("/chat/completions")
                        self._answer(200, server.chat(body) if chat else server.complete(body))
                    except TooLongError as error:
                        self._answer(400, {"error": {"message": str(error), "type": "test", "code": 400}})
                    except UnknownModelError as error:
                        self._answer(404, {"error": {"message": str(error), "type": "test", "code": 404}})

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
