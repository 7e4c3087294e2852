"""What is broken, when and how: a plan made from the seed, and the hand that carries it out.

The plan fixes the moments, the kinds, the targets and every delay. When a target is not up at its moment, the
next node takes its place, and the moment waits while too few are left: so a seed repeats a run as closely as
a race can be repeated.
"""

import asyncio
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass

from cluster import Cluster, Node
from recovery import Recovery

# How many of each, for every hundred of `kill` (-9 of one node).
MIX = {
    "freeze": 9,  # SIGSTOP for longer than a lease, then SIGCONT: a zombie that believes to be the owner
    "term": 8,  # SIGTERM, as in a rolling restart
    "term_kill": 4,  # the same, killed while it hands over
    "pair": 5,  # two nodes at once
    "all": 3,  # all of them at once
    "pg_fast": 3, "pg_immediate": 2, "pg_kill": 2,  # Postgres ends in one of three ways, and comes back
    "pg_freeze": 2,  # Postgres stands still for longer than a lease
    "pg_drop": 5,  # connections to Postgres break, some in the middle of a commit
}
PROCESSES = {"kill": 1, "term_kill": 1, "pair": 2, "all": 3}
RESTARTS = {"pg_fast": "fast", "pg_immediate": "immediate", "pg_kill": "kill"}
LONG = ("freeze", "pg_freeze")


@dataclass
class Fault:
    at: float  # seconds from the beginning
    kind: str
    target: int
    delay: float  # until the restart, or the time frozen
    in_start: float | None = None  # the start is killed too, after this time

    def __str__(self) -> str:
        again = f", killed again {self.in_start:.2f} s into the start" if self.in_start is not None else ""
        return f"{self.at:7.2f} s  {self.kind:12} node{self.target}  {self.delay:.2f} s{again}"


def plan(seed: int, seconds: float, nodes: int, kills: int) -> list[Fault]:
    """Faults over this time with (about) this many processes killed by -9."""
    rng = random.Random(f"{seed}:faults")
    kinds: list[str] = []
    killed = 0
    while killed < kills:
        kind = rng.choices(["kill", *MIX], [100, *MIX.values()])[0]
        if kind in ("pair", "all", "freeze") and nodes < 3:
            kind = "kill"
        kinds.append(kind)
        killed += PROCESSES.get(kind, 0)
    # A short run has each of them too.
    for kind in MIX:
        if kind not in kinds and (nodes >= 3 or kind.startswith(("term", "pg"))) and seconds >= 20:
            kinds.append(kind)
    rng.shuffle(kinds)
    # The first second is quiet, so that there is something to break.
    moments = sorted(rng.uniform(1, max(seconds - 1, 2)) for _ in kinds)
    faults = []
    for at, kind in zip(moments, kinds):
        delay = rng.uniform(4, 6) if kind in LONG else rng.uniform(0, 0.5) if kind == "term" else rng.uniform(0, 2)
        again = rng.uniform(0, 1) if kind == "kill" and rng.random() < 0.1 else None
        faults.append(Fault(at, kind, rng.randrange(nodes), delay, again))
    return faults


class Breaker:
    """Carries a plan out on a cluster. `kills` counts processes that lived and were killed, `done` the faults."""

    def __init__(self, cluster: Cluster, recovery: Recovery, say=lambda text: None):
        self.cluster, self.recovery, self.say = cluster, recovery, say
        self.done: Counter = Counter()
        self.kills = 0
        self.kills_in_start = 0
        self.leave_seconds: list[float] = []
        self._busy: set[asyncio.Task] = set()
        self._postgres_busy = False

    async def run(self, faults: list[Fault], until: float) -> None:
        began = time.monotonic()
        for fault in faults:
            await asyncio.sleep(max(0, began + fault.at - time.monotonic()))
            while not (targets := self._targets(fault)):
                if time.monotonic() > until:
                    break
                await asyncio.sleep(0.03)
            if not targets:
                break
            self.done[fault.kind] += 1
            self.say(f"{fault}  (at {time.monotonic() - began:.2f} s: {', '.join(t.name for t in targets if t)})")
            task = asyncio.create_task(self._carry_out(fault, targets))
            self._busy.add(task)
            task.add_done_callback(self._over)
        while self._busy:
            await asyncio.wait(self._busy)

    def _over(self, task: asyncio.Task) -> None:
        self._busy.discard(task)
        # As a node that did not come up again: nobody waits for the task, so it would not be heard of.
        if error := task.exception():
            self.cluster.failures.append(f"a fault could not be carried out: {error!r}")

    def _targets(self, fault: Fault) -> list[Node | None]:
        """Whom it hits now; empty when it has to wait."""
        nodes = self.cluster.nodes
        if fault.kind.startswith("pg"):
            return [] if self._postgres_busy else [None]
        ring = [nodes[(fault.target + i) % len(nodes)] for i in range(len(nodes))]
        up = [n for n in ring if n.state == "up"]
        if fault.kind == "all":
            # Everything that runs: frozen ones would come back and be right to do so.
            return up if len(up) == len(nodes) else []
        wanted = 2 if fault.kind == "pair" else 1
        # One stays; a cluster of one has none to spare.
        spare = 1 if len(nodes) > 1 else 0
        return up[:wanted] if len(up) >= wanted + spare else []

    async def _carry_out(self, fault: Fault, targets: list[Node | None]) -> None:
        if fault.kind.startswith("pg"):
            self._postgres_busy = True
            if how := RESTARTS.get(fault.kind):
                await self.cluster.restart_postgres(how, fault.delay)
            elif fault.kind == "pg_freeze":
                await self.cluster.freeze_postgres(fault.delay)
            else:
                await self.cluster.drop_connections(min(1.0, fault.delay))
            self._postgres_busy = False
        elif fault.kind == "freeze":
            node = targets[0]
            self.cluster.freeze(node)
            await self.recovery.hit(node, "freeze")
            await asyncio.sleep(fault.delay)
            self.cluster.thaw(node)
        elif fault.kind == "term":
            # At once: it is no target for anybody else while we ask the database.
            targets[0].become("leaving")
            # What it drives goes on elsewhere; and a conversation that was hit before is disturbed by this.
            await self.recovery.hit(targets[0], "term")
            self.leave_seconds.append(await self.cluster.leave(targets[0]))
            await asyncio.sleep(fault.delay)
            await self.cluster.start(targets[0])
        else:
            if fault.kind == "term_kill":
                targets[0].become("leaving")
                targets[0].server.signal(signal.SIGTERM)
                await asyncio.sleep(fault.delay / 4)
            for node in targets:
                self.kills += self.cluster.kill(node)
            await asyncio.gather(*(self._come_back(fault, node, i) for i, node in enumerate(targets)))

    async def _come_back(self, fault: Fault, node: Node, i: int) -> None:
        await self.recovery.hit(node, "kill")
        await asyncio.sleep(fault.delay * (1, 0.5, 0.75)[i % 3])
        if fault.in_start is not None:
            # A crash loop is what a supervisor makes of a crash.
            self.cluster.launch(node)
            await asyncio.sleep(fault.in_start)
            if self.cluster.kill(node):
                self.kills += 1
                self.kills_in_start += 1
        await self.cluster.start(node)
