"""Several servers on one Postgres of our own, the mock model, and the ways to break each of them."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from testkit import processes
from testkit.mock import MockModel
from testkit.postgres import TestPostgres
from testkit.server import EngramServer

import exits
import wire

DATABASE = "torment"


@dataclass
class Node:
    """A server with its state as whoever runs it knows it: up, down, starting, frozen or leaving."""

    index: int
    server: EngramServer
    client: wire.Client
    state: str = "down"
    # Since when it is in this state, on the monotonic clock; and the past, as (from, to, state).
    since: float = field(default_factory=time.monotonic)
    past: list[tuple[float, float, str]] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    # Of its last process: when it was started, and where its lines begin in the log.
    launched: float = 0.0
    log_from: int = 0

    def become(self, state: str) -> None:
        now = time.monotonic()
        self.past.append((self.since, now, self.state))
        self.state, self.since = state, now

    @property
    def name(self) -> str:
        return f"node{self.index}"

    @property
    def running(self) -> bool:
        return self.server.process is not None and self.server.process.poll() is None

    def last_words(self, size: int = 4_000) -> str:
        """The end of what its last process wrote."""
        with contextlib.suppress(OSError), open(self.server.log_path, "rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(self.log_from, log.tell() - size))
            return log.read().decode(errors="replace")
        return ""


class Cluster:
    """`with Cluster(home, 3) as cluster`: Postgres and the model run; `await start_all()` starts the nodes."""

    def __init__(self, home: Path, nodes: int, env: dict[str, str] | None = None, keep_alive: bool = True):
        self.home = home
        self.postgres = TestPostgres()
        self.mock = MockModel()
        self.env = env or {}
        self.nodes: list[Node] = []
        self.count, self.keep_alive = nodes, keep_alive
        self.postgres_up = True
        self.outages: list[tuple[float, float]] = []  # of Postgres, on the monotonic clock
        self.failures: list[str] = []
        self.ports_taken = 0  # starts that failed because somebody else was on the port; they were tried again

    def __enter__(self) -> "Cluster":
        try:
            self.postgres.start()
            self.postgres.psql(f"CREATE DATABASE {DATABASE}", database="template1")
            self.mock.start()
            for i in range(self.count):
                (self.home / f"node{i}").mkdir()
                server = EngramServer(
                    data_dir=self.home / f"node{i}" / "data", log=self.home / f"node{i}.log",
                    port=processes.free_port(),
                    pg_uri=self.postgres.uri_of(DATABASE),
                    env={**self.mock.server_env, "LETTA_KEEPALIVE_INTERVAL": "1", **self.env},
                )
                server.env["ENGRAM_NODE_URL"] = server.url
                self.nodes.append(Node(i, server, wire.Client(server.url, self.keep_alive)))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for node in self.nodes:
            node.server.signal(signal.SIGCONT)
            node.server.kill()
        self.mock.stop()
        self.postgres.stop()

    # -- questions

    def up(self) -> list[Node]:
        return [n for n in self.nodes if n.state == "up"]

    def psql(self, sql: str) -> str:
        """The result as text. Fails with `CalledProcessError`, quietly, when Postgres is away."""
        return subprocess.run(self._psql(sql), env=self.postgres.env, check=True, text=True, capture_output=True).stdout

    def _psql(self, sql: str) -> list:
        return [self.postgres.bin / "psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-v", "FETCH_COUNT=5000",
                "-d", self.postgres.uri_of(DATABASE), "-c", sql]

    def one_up_throughout(self, begin: float, end: float) -> bool:
        """Whether Postgres and at least one node were there all of this time."""
        if any(a < end and begin < b for a, b in self.outages):
            return False
        for node in self.nodes:
            spans = [*node.past, (node.since, time.monotonic(), node.state)]
            if all(state == "up" for a, b, state in spans if a < end and begin < b):
                return True
        return False

    def panics(self) -> list[str]:
        """Of all nodes, from their whole logs."""
        found = []
        for node in self.nodes:
            with open(node.server.log_path, errors="replace") as log:
                found += exits.panics(node.name, log)
        return found

    # -- processes

    async def start_all(self) -> None:
        # The first one makes the schema; several at once would be right too, and is what `all` does later.
        for node in self.nodes:
            await self.start(node)

    async def start(self, node: Node, seconds: float = 60) -> float:
        """Starts a node and waits until it is ready, again where it ended by itself: as a supervisor does."""
        started = time.monotonic()
        self.launch(node)
        while time.monotonic() - started < seconds:
            if not node.running:
                self.judge_end(node)
                await asyncio.sleep(0.3)
                self.launch(node)
            if await self.ready(node):
                node.become("up")
                node.starts.append(time.monotonic() - started)
                return node.starts[-1]
            await asyncio.sleep(0.05)
        raise RuntimeError(f"{node.name} is not ready after {seconds} s\n{node.server.log_tail()}")

    def launch(self, node: Node) -> None:
        """Starts the process and does not wait for it."""
        if node.running:
            # Of two with one port the first would serve on, unseen and never killed, and the other never start.
            raise RuntimeError(f"{node.name} was to be started while it runs: a mistake of this harness")
        node.become("starting")
        node.log_from = node.server.log_path.stat().st_size if node.server.log_path.exists() else 0
        node.launched = time.monotonic()
        node.server.launch()

    def judge_end(self, node: Node, told: bool = False) -> None:
        """Complains of a process that ended, not by our hand, in a way that it may not."""
        status, log = node.server.process.returncode, node.last_words()
        if exits.port_was_taken(status, log):
            self.ports_taken += 1
        if wrong := exits.complaint(node.state, status, told, self.outage_since(node.launched), log):
            self.failures.append(f"{node.name} {wrong}: {log.splitlines()[-1:]}")

    def outage_since(self, moment: float) -> bool:
        return not self.postgres_up or any(end > moment - 1 for _, end in self.outages)

    @staticmethod
    async def ready(node: Node) -> bool:
        """Whether it says so itself, and not somebody else on its port."""
        try:
            answer = await asyncio.wait_for(node.client.call("GET", "/v1/ready"), 1)
        except (wire.NotSent, wire.Unknown, asyncio.TimeoutError):
            return False
        return answer.status == 200 and node.running and processes.listens(node.server.process.pid, node.server.port)

    def kill(self, node: Node) -> bool:
        """`kill -9`. Says whether there was a process to be killed; one that was gone already may be a finding."""
        hit = node.running
        if hit:
            node.server.kill()
        elif node.server.process:
            self.judge_end(node, told=node.state == "leaving")
        node.become("down")
        node.client.forget()
        return hit

    def freeze(self, node: Node) -> None:
        node.server.signal(signal.SIGSTOP)
        node.become("frozen")

    def thaw(self, node: Node) -> None:
        node.server.signal(signal.SIGCONT)
        node.become("up")

    async def leave(self, node: Node, seconds: float = 40) -> float:
        """SIGTERM. Returns the seconds until the end, which is a complaint where it is not in order."""
        started = time.monotonic()
        if judged := not node.running:
            self.judge_end(node)
        node.become("leaving")
        node.server.signal(signal.SIGTERM)
        while node.running:
            if time.monotonic() - started > seconds:
                self.failures.append(f"{node.name} did not end within {seconds} s of SIGTERM")
                node.server.kill()
                judged = True
            await asyncio.sleep(0.02)
        if not judged:
            self.judge_end(node, told=True)
        node.become("down")
        node.client.forget()
        return time.monotonic() - started

    async def restart_postgres(self, how: str, pause: float) -> float:
        """Ends Postgres `fast`, `immediate` or by `kill`, and starts it again on the same data and port."""
        began = time.monotonic()
        self.postgres_up = False
        if how == "kill":
            self.postgres.halt(how)
        else:
            # A fast shutdown waits for the last statements. Signals may come from any thread; starts may not,
            # because a child dies with the thread that started it.
            await asyncio.to_thread(self.postgres.halt, how)
        await asyncio.sleep(pause)
        for attempt in range(5):
            self.postgres.launch()
            try:
                await asyncio.to_thread(self.postgres.wait_ready)
                break
            except RuntimeError:
                if attempt == 4:
                    raise
                await asyncio.sleep(0.3)  # what the dead processes held may be in use for a moment
        self.postgres_up = True
        self.outages.append((began, time.monotonic()))
        return time.monotonic() - began

    async def freeze_postgres(self, seconds: float) -> None:
        """Stops every process of Postgres for a while: all leases end together, and nobody can renew any."""
        began = time.monotonic()
        self.postgres_up = False
        # The postmaster first, so that it starts nobody.
        os.kill(self.postgres.process.pid, signal.SIGSTOP)
        pids = [self.postgres.process.pid, *processes.children(self.postgres.process.pid)]
        try:
            self._signal_all(pids, signal.SIGSTOP)
            await asyncio.sleep(seconds)
        finally:
            self._signal_all(pids, signal.SIGCONT)
        self.postgres_up = True
        self.outages.append((began, time.monotonic()))

    @staticmethod
    def _signal_all(pids: list[int], signum: int) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signum)

    async def drop_connections(self, share: float) -> None:
        """Ends this share of the connections to the database, some of them in the middle of a commit."""
        began = time.monotonic()
        sql = f"""SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                  WHERE datname = '{DATABASE}' AND pid <> pg_backend_pid() AND random() < {share}"""
        with contextlib.suppress(subprocess.CalledProcessError):
            await asyncio.to_thread(self.psql, sql)
        self.outages.append((began, time.monotonic()))

    def describe_open(self) -> str:
        """Runs that are open, with the owners that the database believes in, for whoever has to find out why."""
        try:
            nodes = self.psql(
                "SELECT id, url, now() - seen_at, retired, live, draining FROM nodes ORDER BY started_at")
            open_runs = self.psql("""
                SELECT r.id, r.status, r.attempts, r.background, r.created_at, c.id, c.owner, c.epoch, c.version
                FROM runs r JOIN conversations c ON c.id = r.conversation_id
                WHERE r.status IN ('created', 'running') ORDER BY c.id, r.created_at""")
        except subprocess.CalledProcessError as e:
            return e.stderr
        return (f"nodes (id, url, silent for, retired, live agents, draining):\n{nodes}\n"
                f"open runs (id, status, attempts, background, created, conversation, owner, epoch, version):\n{open_runs}")

    def rows(self, sql: str):
        """Rows as objects, one after the other: the result may be larger than one likes to hold."""
        sql = f"SELECT row_to_json(q) FROM ({sql}) q"
        process = subprocess.Popen(self._psql(sql), env=self.postgres.env, text=True, stdout=subprocess.PIPE)
        for line in process.stdout:
            yield json.loads(line)
        if process.wait():
            raise RuntimeError(f"psql failed: {sql}")
