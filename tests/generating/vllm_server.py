"""vLLM's OpenAI-compatible server as a process that can be killed and started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request


class VllmServer:
    """Serves `model` as `tiny` and `adapter`, a LoRA, as `adapted`, on a loopback port that stays the same.

    It loads other adapters while it runs if there is an adapter.
    """

    def __init__(self, model, adapter, log, *options):
        lora = ["--enable-lora", "--lora-modules", f"adapted={adapter}"] if adapter else []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._log = log
        self._command = [
            sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--host", "127.0.0.1", "--port", str(self.port),
            "--model", str(model), "--served-model-name", "tiny", *lora, *options,
            "--dtype", "float32", "--max-model-len", "512", "--gpu-memory-utilization", "0.4", "--enforce-eager",
            "--generation-config", "vllm",
        ]  # fmt: skip

    def start(self, *, wait=True):
        environment = os.environ | {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_ENABLE_V1_MULTIPROCESSING": "1"}
        environment["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] = "True"
        log = self._log.open("a")
        self._process = subprocess.Popen(
            self._command, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        while wait and not self._healthy():
            assert self._process.poll() is None, self._log.read_text()
            time.sleep(0.2)

    def kill(self):
        """At once, with all its workers."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _healthy(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False
