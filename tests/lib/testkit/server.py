"""The server under test as a context manager."""

import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from . import paths, processes


class EngramServer:
    """One `engram server` process on a port and data directory of its own.

    with EngramServer(env={"LETTA_PG_URI": uri}) as server: ...

    `pg_uri=None` means the embedded database. `kill()` and `start()` again restart it on the same data
    and the same port, which is what the crash tests do.
    """

    def __init__(
        self,
        *,
        env: dict[str, str] | None = None,
        pg_uri: str | None = None,
        data_dir: Path | None = None,
        port: int | None = None,
        log: Path | None = None,
        start_seconds: float = 60,
    ):
        self.port = port or processes.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._own_dir = None if data_dir else Path(tempfile.mkdtemp(prefix="engram-test-"))
        self.data_dir = data_dir or self._own_dir / "data"
        self.log_path = log or self.data_dir.parent / f"engram-{self.port}.log"
        self.env = dict(env or {})
        if pg_uri:
            self.env["LETTA_PG_URI"] = pg_uri
        self.start_seconds = start_seconds
        self.process: subprocess.Popen | None = None

    def launch(self) -> None:
        """Starts the process and does not wait for it."""
        binary = paths.server_binary()
        if not binary.exists():
            raise FileNotFoundError(f"{binary} does not exist: run `cargo build` first, or set ENGRAM_BIN")
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [binary, "server", "--port", str(self.port), "--data-dir", self.data_dir],
                env=processes.clean_environment(NO_COLOR="1", **self.env),
                cwd=self.data_dir.parent,  # so that a developer's `.env` has no say
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=processes.die_with_parent(),
            )

    def start(self) -> float:
        """Starts the process; returns the seconds until it answered its health route."""
        self.launch()
        try:
            return processes.wait_for_http(f"{self.url}/v1/health/", self.start_seconds, self.process)
        except RuntimeError as e:
            self.kill()
            raise RuntimeError(f"{e}\n--- end of {self.log_path}\n{self.log_tail()}") from None

    def kill(self) -> None:
        """`kill -9`: the crash that the tests are about."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def signal(self, signum: int) -> None:
        """Sends a signal, as SIGSTOP or SIGTERM, and does not wait for what comes of it."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signum)

    def stop(self) -> int:
        """An orderly end. Returns the exit status."""
        return processes.stop(self.process) if self.process else 0

    def log_tail(self, lines: int = 40) -> str:
        """The end of the log without the lines on single requests."""
        try:
            log = self.log_path.read_text(errors="replace").splitlines()
        except OSError:
            return "(no log)"
        return "\n".join([line for line in log if "::observe" not in line][-lines:])

    def __enter__(self) -> "EngramServer":
        self.start()
        return self

    def __exit__(self, kind, *_):
        self.stop()
        if kind is not None:
            print(f"--- end of the server's log ({self.log_path})\n{self.log_tail()}")
        elif self._own_dir:
            shutil.rmtree(self._own_dir, ignore_errors=True)
