#!/usr/bin/env python3
"""Torments several servers on one Postgres, and checks that nothing acknowledged was lost or done twice.

    python3 tests/torment/torment.py                          30 seconds, 3 nodes, a random seed
    python3 tests/torment/torment.py --seed 7 --seconds 30    the same plan of faults and requests again
    python3 tests/torment/torment.py --seconds 3600           an hour of it, about one kill -9 every 1.5 s

Clients talk to random nodes while processes are killed, frozen, ended and started again; see README.md beside
this file. It ends with a table, and with status 1 and the violations named if there are any.
"""

import argparse
import asyncio
import contextlib
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1] / "lib")]

import checker  # noqa: E402
import faults  # noqa: E402
import report  # noqa: E402
import rows  # noqa: E402
from clients import Clients  # noqa: E402
from cluster import Cluster  # noqa: E402
from recovery import Recovery  # noqa: E402
from testkit import paths  # noqa: E402

SETTLE = 60.0  # seconds until everything that was begun has ended, once nothing is broken any more


class Torment:
    def __init__(self, args, seed: int, home: Path, cluster: Cluster):
        self.args, self.seed, self.home, self.cluster = args, seed, home, cluster
        self.clients = Clients(cluster, seed, args.rate)
        self.recovery = Recovery(cluster)
        self.journal = open(home / "faults.log", "w")
        self.breaker = faults.Breaker(cluster, self.recovery, self.note)
        self.fenced: Counter = Counter()

    def note(self, text: str) -> None:
        print(text, file=self.journal, flush=True)
        if self.args.verbose:
            print(f"  {text}", flush=True)

    async def run(self) -> bool:
        await self.cluster.start_all()
        plan = faults.plan(self.seed, self.args.seconds, len(self.cluster.nodes), self.args.kills)
        print(f"  plan: {dict(sorted(Counter(f.kind for f in plan).items()))}", flush=True)
        await self.clients.traffic.populate()
        began = time.monotonic()
        workers = [asyncio.create_task(self.clients.work()) for _ in range(self.args.workers)]
        watching = asyncio.create_task(self.watch(began))
        # The plan may lag behind where too few nodes are left to break; not for ever.
        await self.breaker.run(plan, began + self.args.seconds * 1.5 + 10)
        await asyncio.sleep(max(0, began + self.args.seconds - time.monotonic()))
        self.clients.stopping = self.clients.calm = True
        watching.cancel()
        tormented = time.monotonic() - began
        await self.settle(workers)
        return await self.judge(tormented)

    async def watch(self, began: float) -> None:
        """A line a minute, and the counters of nodes, which a kill would take along."""
        minute = 0
        while True:
            await asyncio.sleep(2)
            await self.count_fenced()
            if time.monotonic() - began > 60 * (minute + 1):
                minute += 1
                print(f"  {minute} min: {len(self.clients.traffic.requests)} requests, {self.breaker.kills} kills, "
                      f"{len(self.clients.problems) + sum(bool(q.problems) for q in self.clients.traffic.requests)} "
                      "requests with a problem", flush=True)

    async def count_fenced(self) -> None:
        """The highest value that each incarnation of a node was seen with."""
        for node in self.cluster.up():
            with contextlib.suppress(Exception):
                answer = await asyncio.wait_for(node.client.call("GET", "/metrics"), 1)
                for line in answer.body.decode().splitlines():
                    if answer.status == 200 and line.startswith("engram_fenced_commits_total"):
                        life = (node.index, node.server.process.pid)
                        self.fenced[life] = max(self.fenced[life], int(float(line.split()[-1])))

    async def settle(self, workers: list[asyncio.Task]) -> None:
        """Waits until the clients have their answers and no run is open. What is left over is a violation."""
        deadline = time.monotonic() + SETTLE
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.gather(*workers), SETTLE)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.clients.finish(), max(1, deadline - time.monotonic()))
        quiet = 0
        while quiet < 2 and time.monotonic() < deadline:
            # A thawed node may still take in what was sent to it while it was frozen.
            left = self.cluster.psql("SELECT count(*) FROM runs WHERE status IN ('created', 'running')").strip()
            quiet = quiet + 1 if left == "0" else 0
            await asyncio.sleep(0.5)
        await self.count_fenced()

    async def judge(self, seconds: float) -> bool:
        clients = self.clients
        problems = clients.problems + clients.ledger.problems + self.cluster.failures
        problems += await self.nodes_answer()
        problems += self.cluster.panics()
        if ill := self.cluster.mock.stats()["ill_formed"]:
            problems.append(f"the model was sent ill-formed conversations: {ill}")
        db = rows.read(self.cluster)
        log = checker.Log(clients.traffic.requests, clients.ended, problems)
        found = checker.check(db, log)
        recovered = self.recovery.measure()
        slow = [(s, h) for s, h in recovered[0] if s > self.args.recovery_limit]
        found["recovery"] = [
            checker.Violation("recovery", f"{s:.1f} s after {h.how} of {h.node} at {h.time_of_day}", "-", h.conversation)
            for s, h in slow
        ]
        report.print_report(self, db, found, recovered, seconds)
        bad = [v for violations in found.values() for v in violations]
        if bad:
            report.explain(self, db, bad)
        return not bad

    async def nodes_answer(self) -> list[str]:
        """Every node still serves a plain request."""
        problems = []
        agent = next(a for a in self.clients.traffic.agents if not a.guarded)
        for node in self.cluster.nodes:
            if not node.running:
                problems.append(f"{node.name} has ended by itself with {node.server.process.returncode}")
            body = {"messages": [{"role": "user", "content": f"still there, {node.name}?"}], "streaming": False}
            try:
                answer = await asyncio.wait_for(node.client.call("POST", agent.path(None), body), 20)
                if answer.status != 200 or f"You said: still there, {node.name}?" not in answer.body.decode():
                    problems.append(f"{node.name} does not answer any more: {answer.status} {answer.body[:300]!r}")
            except Exception as e:
                problems.append(f"{node.name} does not answer any more: {e!r}")
        return problems


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=None, help="repeat a run (printed at its start)")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--kills", type=int, default=None, help="kill -9 at least so often (default: every 1.5 s)")
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--rate", type=float, default=20, help="requests a second at most, without repetitions")
    parser.add_argument("--recovery-limit", type=float, default=8.0,
                        help="seconds until work goes on, where nothing else disturbs it (promised are 5; the rest is "
                             "for a machine that is busy with other things; the table counts those over 5)")
    parser.add_argument("--keep", action="store_true", help="keep the logs (they are kept when something is wrong)")
    parser.add_argument("--verbose", action="store_true", help="print every fault")
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(10**6)
    if args.kills is None:
        args.kills = max(1, int(args.seconds / 1.5))
    print(f"torment: seed {seed}, {args.seconds:.0f} s, {args.nodes} nodes, {args.kills} kills", flush=True)
    binary = paths.server_binary()
    if binary.exists():
        built = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(binary.stat().st_mtime))
        print(f"  {binary}, built {built}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}", flush=True)
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    home = Path(tempfile.mkdtemp(prefix="engram-torment-"))
    ok = False
    try:
        with Cluster(home, args.nodes) as cluster:
            ok = asyncio.run(Torment(args, seed, home, cluster).run())
    finally:
        if ok and not args.keep:
            shutil.rmtree(home, ignore_errors=True)
        else:
            print(f"  logs: {home}", flush=True)
    again = f"--seed {seed} --seconds {args.seconds:.0f} --nodes {args.nodes} --kills {args.kills} --rate {args.rate:g}"
    print(f"torment: {'all well' if ok else 'VIOLATIONS'} (again: {again} --workers {args.workers})")
    raise SystemExit(0 if ok else 1)


if __name__ == "__main__":
    main()
