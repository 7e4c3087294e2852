"""The mock model (`tests/mock_openai.py`) as a context manager, and its control routes as methods."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

from . import paths, processes


class MockModel:
    """A process of its own, so that a slow test never slows the model and the other way round."""

    def __init__(self, log: Path | None = None, python: str | None = None):
        self.port = processes.free_port()
        self.root = f"http://127.0.0.1:{self.port}"
        self.base_url = f"{self.root}/v1"
        self.python = python or sys.executable
        self.log = log
        self.process: subprocess.Popen | None = None

    @property
    def server_env(self) -> dict[str, str]:
        """What a server needs in its environment to use this model."""
        return {"OPENAI_API_KEY": "mock-key", "OPENAI_BASE_URL": self.base_url}

    def start(self) -> None:
        out = open(self.log, "ab") if self.log else subprocess.DEVNULL
        self.process = subprocess.Popen(
            [self.python, str(paths.TESTS / "mock_openai.py"), "--port", str(self.port)],
            env=processes.clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT if self.log else None,
            preexec_fn=processes.die_with_parent(),
        )
        processes.wait_for_http(f"{self.root}/__stats", 20, self.process)

    def stop(self) -> None:
        if self.process:
            processes.stop(self.process, seconds=3)

    def _call(self, path: str, body: dict | None = None):
        request = urllib.request.Request(
            self.root + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30) as answer:
            return json.load(answer)

    def stats(self) -> dict:
        """Counters, the largest prompt seen, and violations of the conversation's form."""
        return self._call("/__stats")

    def requests(self, contains: str = "") -> list[dict]:
        """The last chat requests, oldest first; `contains` keeps those whose JSON has that text."""
        kept = self._call("/__requests")
        return [r for r in kept if not contains or contains in json.dumps(r["body"], ensure_ascii=False)]

    def reset(self) -> None:
        self._call("/__reset", {})

    def release(self) -> None:
        """Lets every request to `slow-…`-by-gate and `fault-hang` models go on (see `mock_openai.py`)."""
        self._call("/__release", {})

    def __enter__(self) -> "MockModel":
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
