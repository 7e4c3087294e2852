#!/usr/bin/env python3
"""Restarts the nodes one after the other, by SIGTERM, under load: no request may fail.

    python3 tests/torment/rolling.py                three nodes, two rounds

The clients do what a load balancer does: they ask every node's `/v1/ready` again and again, use those that
answer 200, and turn to another one only where no connection came about, so before anything was sent. Whatever
got into a node has to be answered by it, in full. Nothing is sent twice.
"""

import argparse
import asyncio
import contextlib
import random
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1] / "lib")]

import checker  # noqa: E402
import report  # noqa: E402
import rows  # noqa: E402
import wire  # noqa: E402
from cluster import Cluster, Node  # noqa: E402
from readers import Ledger, Stream  # noqa: E402
from traffic import Request, Traffic  # noqa: E402

PATIENCE = 30.0  # seconds for one request, more than any may take


class Failed(Exception):
    """What a client of a real deployment would have noticed."""


class Balancer:
    """Sends to nodes that say that they are ready."""

    def __init__(self, cluster: Cluster, every: float, rng: random.Random):
        self.cluster, self.every, self.rng = cluster, every, rng
        self.ready: set[int] = set()
        self.refused = 0
        self._probes = [wire.Client(n.server.url) for n in cluster.nodes]

    async def probe(self) -> None:
        while True:
            await asyncio.gather(*map(self._probe, range(len(self._probes))))
            await asyncio.sleep(self.every)

    async def _probe(self, i: int) -> None:
        ok = False
        with contextlib.suppress(wire.NotSent, wire.Unknown, asyncio.TimeoutError):
            ok = (await asyncio.wait_for(self._probes[i].call("GET", "/v1/ready"), 2)).status == 200
        (self.ready.add if ok else self.ready.discard)(i)

    async def send(self, method: str, path: str, body=None, headers: str = "") -> tuple[Node, wire.Answer]:
        """The head of an answer, from the first node that takes the connection."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            candidates = sorted(self.ready)
            self.rng.shuffle(candidates)
            for i in candidates:
                node = self.cluster.nodes[i]
                try:
                    return node, await node.client.send(method, path, body, headers)
                except wire.NotSent:
                    self.refused += 1
            await asyncio.sleep(0.01)
        raise Failed("no node was ready for 5 s")

    async def call(self, method: str, path: str, body=None, headers: str = "") -> tuple[Node, wire.Answer]:
        node, answer = await self.send(method, path, body, headers)
        try:
            await answer.read()
        except wire.Unknown as e:
            raise Failed(f"{node.name} ({node.state}), {method} {path}: {answer.status}, then {e}") from None
        finally:
            answer.close()
        return node, answer


class Rolling:
    def __init__(self, args, seed: int, home: Path, cluster: Cluster):
        self.args, self.seed, self.home, self.cluster = args, seed, home, cluster
        self.balancer = Balancer(cluster, args.probe, random.Random(f"{seed}:balancer"))
        self.traffic = Traffic(seed, self.post, agents=args.agents, plain=True)
        self.ledger = Ledger()
        self.counts: Counter = Counter()
        self.failures: list[str] = []
        self.latency: dict[str, list[float]] = defaultdict(list)
        self.leaves: list[float] = []
        self.stopping = False
        self._slot = 0.0

    async def post(self, path: str, body: dict):
        _, answer = await self.balancer.call("POST", path, body)
        if answer.status not in (200, 201):
            raise Failed(f"POST {path}: {answer.status} {answer.body[:300]!r}")
        return answer.json()

    # -- load

    async def work(self, index: int) -> None:
        rng = random.Random(f"{self.seed}:worker:{index}")
        while not self.stopping:
            now = time.monotonic()
            self._slot = max(self._slot + 1 / self.args.rate, now - 1)
            await asyncio.sleep(max(0, self._slot - now))
            request = None
            began = time.monotonic()
            try:
                if rng.random() < 0.2:
                    await asyncio.wait_for(self.read(rng), PATIENCE)
                    self.latency["reads"].append(time.monotonic() - began)
                    continue
                request = await self.traffic.next()
                began = time.monotonic()
                await asyncio.wait_for(self.ask(request), PATIENCE)
                self.latency[request.kind].append(time.monotonic() - began)
            except Exception as e:
                who = f"{request.marker} ({request.kind})" if request else "a read"
                self.failures.append(f"{who} after {time.monotonic() - began:.2f} s: {type(e).__name__}: {e}")

    async def read(self, rng: random.Random) -> None:
        agent = rng.choice(self.traffic.agents)
        path = rng.choice([
            f"/v1/agents/{agent.id}", f"/v1/agents/{agent.id}/messages?limit=20", "/v1/runs/?active=true&limit=20",
            f"/v1/agents/{agent.id}/core-memory/blocks",
        ])
        node, answer = await self.balancer.call("GET", path)
        if answer.status != 200:
            raise Failed(f"{node.name} ({node.state}), GET {path}: {answer.status} {answer.body[:200]!r}")

    async def ask(self, request: Request) -> None:
        request.attempts += 1
        path = request.agent.path(request.conversation)
        if request.kind == "async":
            _, answer = await self._expect_200(request, await self.balancer.call("POST", f"{path}/async", request.body()))
            await self._until_ended(request, answer.json()["id"])
        elif not request.streams:
            _, answer = await self._expect_200(request, await self.balancer.call("POST", path, request.body()))
            body = answer.json()
            request.stop_reasons.add(body["stop_reason"]["stop_reason"])
            request.answers.add(tuple(m["id"] for m in body["messages"]))
            for m in body["messages"]:
                request.shown[m["id"]] = m["message_type"]
                request.runs.add(m["run_id"])
        else:
            await self._stream(request, path)
        if request.stop_reasons != {"end_turn"}:
            raise Failed(f"it stopped for {request.stop_reasons}")
        request.outcomes.append("answered")

    async def _expect_200(self, request: Request, found: tuple[Node, wire.Answer]) -> tuple[Node, wire.Answer]:
        node, answer = found
        if answer.status != 200:
            raise Failed(f"{node.name} ({node.state}) answered {answer.status} {answer.body[:300]!r}")
        return found

    async def _until_ended(self, request: Request, run: str) -> None:
        request.runs.add(run)
        while True:
            _, answer = await self._expect_200(request, await self.balancer.call("GET", f"/v1/runs/{run}"))
            state = answer.json()
            if state["status"] in ("completed", "failed", "cancelled"):
                request.stop_reasons.add(state["stop_reason"])
                return
            await asyncio.sleep(0.1)

    async def _stream(self, request: Request, path: str) -> None:
        stream = Stream(self.ledger if request.numbered else None)
        node, answer = await self.balancer.send("POST", path, request.body())
        try:
            if answer.status != 200:
                raise Failed(f"{node.name} ({node.state}) answered {answer.status} {(await answer.read())[:300]!r}")
            await stream.read(answer, request.runs.add)
        except wire.Unknown as e:
            raise Failed(f"{node.name} ({node.state}) cut a stream after {stream.frames} frames: {e}") from None
        finally:
            answer.close()
        request.problems += stream.problems
        request.stop_reasons.update(stream.stop_reasons)
        if stream.failed:
            raise Failed(f"an error in the stream of {node.name} ({node.state}): {stream.failed}")
        if not request.kind.endswith("tokens"):
            request.shown |= {m["id"]: m["message_type"] for m in stream.whole}

    # -- the operator

    async def run(self) -> bool:
        await self.cluster.start_all()
        probing = asyncio.create_task(self.balancer.probe())
        await asyncio.sleep(0.2)
        await self.traffic.populate()
        workers = [asyncio.create_task(self.work(i)) for i in range(self.args.workers)]
        began = time.monotonic()
        await asyncio.sleep(1)
        for _ in range(self.args.rounds):
            for node in self.cluster.nodes:
                self.leaves.append(await self.cluster.leave(node))
                await self.cluster.start(node)
                # The next one only goes when this one takes requests again.
                while node.index not in self.balancer.ready:
                    await asyncio.sleep(0.05)
                await asyncio.sleep(self.args.pause)
        seconds = time.monotonic() - began
        self.stopping = True
        await asyncio.gather(*workers)
        probing.cancel()
        return self.judge(seconds)

    def judge(self, seconds: float) -> bool:
        requests = self.traffic.requests
        db = rows.read(self.cluster)
        problems = self.failures + self.ledger.problems + self.cluster.failures + self.cluster.panics()
        if ill := self.cluster.mock.stats()["ill_formed"]:
            problems.append(f"the model was sent ill-formed conversations: {ill}")
        log = checker.Log([q for q in requests if q.outcomes], {}, problems)
        found = [v for violations in checker.check(db, log).values() for v in violations]
        total = len(requests) + len(self.latency["reads"])
        print(f"  {len(self.leaves)} restarts in {seconds:.1f} s under {total / seconds:.1f} requests/s; "
              f"SIGTERM to end: {report.quantiles(self.leaves)}")
        print(f"  {total} requests, {len(self.failures)} failed; {self.balancer.refused} connections refused "
              "and tried elsewhere")
        for kind, values in sorted(self.latency.items()):
            print(f"  {kind}: {report.quantiles(values)}")
        print(f"  runs: {dict(Counter(r.status for r in db.runs.values()))}", flush=True)
        if found:
            (self.home / "open.txt").write_text(self.cluster.describe_open())
        for violation in found[:40]:
            print(f"  FAILED {violation}")
        return not found and bool(requests)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between two restarts")
    parser.add_argument("--probe", type=float, default=0.25, help="seconds between two looks at /v1/ready")
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--agents", type=int, default=16)
    parser.add_argument("--rate", type=float, default=30, help="requests a second at most")
    parser.add_argument("--keep", action="store_true", help="keep the logs (they are kept when something failed)")
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(10**6)
    print(f"rolling restart: seed {seed}, {args.nodes} nodes, {args.rounds} rounds", flush=True)
    home = Path(tempfile.mkdtemp(prefix="engram-rolling-"))
    ok = False
    try:
        # A connection for every request: reusing one that is just being closed is not the server's fault.
        with Cluster(home, args.nodes, keep_alive=False) as cluster:
            ok = asyncio.run(Rolling(args, seed, home, cluster).run())
    finally:
        if ok and not args.keep:
            shutil.rmtree(home, ignore_errors=True)
        else:
            print(f"  logs: {home}", flush=True)
    print(f"rolling restart: {'0 failed requests' if ok else f'FAILED (seed {seed})'}")
    raise SystemExit(0 if ok else 1)


if __name__ == "__main__":
    main()
