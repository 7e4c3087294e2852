#!/usr/bin/env python3
"""A thousand agents write ten thousand letters to each other while the server is killed: each arrives exactly once.

    python3 tests/crash/agent_messages.py                                     1,000 agents, 10,000 letters, 12 kills
    python3 tests/crash/agent_messages.py --agents 50 --letters 300 --kills 3 --seed 7

Clients tell agents of the built-in model to send letters to random others with `send_message_to_agent_async`, some
by requests that wait for the answer, some by asynchronous ones. What gets no answer is sent again under the same
`otid`. Meanwhile the server is killed with `kill -9` and started again, some of the starts too. When everything has
ended, the database is read past the server: see `delivery.py` for the rules.

The pairs and the moments of the kills (in runs that have ended) follow from --seed, which is printed.
"""

import argparse
import asyncio
import contextlib
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

here = Path(__file__).resolve()
sys.path[:0] = [str(here.parent), str(here.parents[1] / "lib"), str(here.parents[1] / "torment")]

import delivery  # noqa: E402
import rows  # noqa: E402
import wire  # noqa: E402
from testkit import postgres, processes  # noqa: E402
from testkit.postgres import fresh_database  # noqa: E402
from testkit.server import EngramServer  # noqa: E402

AGAIN = {409, 429, 500, 502, 503, 504}


class Database:
    """As the readers of `tests/torment` want it."""

    def __init__(self, uri: str):
        self.uri = uri

    def rows(self, sql: str):
        return postgres.rows(self.uri, sql)

    def count(self, what: str) -> int:
        return next(iter(self.rows(f"SELECT count(*) AS n FROM runs WHERE {what}")))["n"]


class Swarm:
    def __init__(self, args, seed: int, server: EngramServer, database: Database):
        self.args, self.seed, self.server, self.database = args, seed, server, database
        self.client = wire.Client(server.url)
        self.chance = random.Random(f"{seed}:swarm")
        self.requests: list[delivery.Request] = []
        self.failures: list[str] = []
        self.starts: list[float] = []
        self.kills = self.kills_in_start = self.unknown = 0
        self.over = False  # nobody sends any more

    # -- clients

    async def create(self) -> list[str]:
        async def one(i: int) -> str:
            body = {
                "name": f"swarm-{i}", "model": "engram/scripted", "embedding": "engram/embed", "tools": [delivery.SEND],
                "agent_type": delivery.TYPES[i % len(delivery.TYPES)],
                "memory_blocks": [{"label": "human", "value": f"Number {i}."}],
            }
            answer = await self.client.call("POST", "/v1/agents/", body)
            if answer.status not in (200, 201):
                raise RuntimeError(f"no agent: {answer.status} {answer.body[:500]!r}")
            return answer.json()["id"]

        return await self.spread(one, range(self.args.agents))

    async def spread(self, work, items) -> list:
        """Some at a time, in the order of the items."""
        results: dict[int, object] = {}
        queue = iter(list(enumerate(items)))

        async def worker():
            for i, item in queue:
                results[i] = await work(item)

        await asyncio.gather(*(worker() for _ in range(self.args.workers)))
        return [results[i] for i in sorted(results)]

    async def send(self, request: delivery.Request) -> None:
        """Sends it until there is an answer, always under the same name."""
        path = f"/v1/agents/{request.agent}/messages" + ("" if request.waits else "/async")
        body = {"messages": [{"role": "user", "content": request.text, "otid": request.otid}]}
        deadline = time.monotonic() + self.args.patience
        while time.monotonic() < deadline:
            request.attempts += 1
            try:
                answer = await asyncio.wait_for(self.client.call("POST", path, body), 60)
            except wire.NotSent:
                await asyncio.sleep(0.1)
                continue
            except (wire.Unknown, asyncio.TimeoutError):
                self.unknown += 1
                continue
            if answer.status == 200:
                said = answer.json()
                request.runs |= {m["run_id"] for m in said["messages"]} if request.waits else {said["id"]}
                return
            if answer.status not in AGAIN:
                self.failures.append(f"request {request.number}: {answer.status} {answer.body[:300]!r}")
                return
            await asyncio.sleep(min(float(answer.headers.get("retry-after", 0.2)), 1))
        self.failures.append(f"request {request.number} got no answer within {self.args.patience:.0f} s")

    # -- the killer

    async def start(self) -> None:
        """Starts the server and waits until it answers. An end by itself is a finding."""
        began = time.monotonic()
        self.server.launch()
        while time.monotonic() - began < 60:
            with contextlib.suppress(wire.NotSent, wire.Unknown, asyncio.TimeoutError):
                if (await asyncio.wait_for(self.client.call("GET", "/v1/health/"), 2)).status == 200:
                    self.starts.append(time.monotonic() - began)
                    return
            if self.server.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.server.process.returncode}\n{self.server.log_tail(5)}")
            await asyncio.sleep(0.05)
        raise RuntimeError(f"the server does not start\n{self.server.log_tail(5)}")

    def kill(self) -> None:
        if self.server.process.poll() is not None:
            self.failures.append(f"the server had ended by itself with {self.server.process.returncode}")
            return
        self.server.kill()
        self.client.forget()
        self.kills += 1

    async def torment(self, total: int) -> None:
        for moment in delivery.moments(self.seed, self.args.kills, total):
            while (ended := await self.ended()) < moment:
                await asyncio.sleep(0.1)
            await asyncio.sleep(self.chance.uniform(0, 0.2))
            self.kill()
            print(f"  killed after {ended} of {total} runs; ", end="", flush=True)
            if self.chance.random() < self.args.in_start:
                self.server.launch()
                soon = self.chance.uniform(0, 1)
                await asyncio.sleep(soon)
                self.kill()
                self.kills_in_start += 1
                print(f"killed {soon:.2f} s into the start; ", end="", flush=True)
            await self.start()
            print(f"up again in {self.starts[-1]:.2f} s", flush=True)

    async def ended(self) -> int:
        return await asyncio.to_thread(self.database.count, "status NOT IN ('created', 'running')")

    async def settle(self, total: int) -> None:
        """Waits until no run is open, for as long as there is progress."""
        seen, since = -1, time.monotonic()
        while time.monotonic() - since < self.args.patience:
            ended = await self.ended()
            if ended >= total and not await asyncio.to_thread(self.database.count, "status IN ('created', 'running')"):
                return
            if ended != seen:
                seen, since = ended, time.monotonic()
            await asyncio.sleep(0.2)
        self.failures.append(f"{seen} of {total} runs have ended, and nothing has for {self.args.patience:.0f} s")

    # -- the whole

    async def run(self) -> bool:
        await self.start()
        began = time.monotonic()
        agents = await self.create()
        print(f"  {len(agents)} agents in {time.monotonic() - began:.1f} s", flush=True)
        self.requests = delivery.plan(self.seed, agents, self.args.letters)
        total = len(self.requests) + self.args.letters
        began = time.monotonic()
        killer = asyncio.create_task(self.torment(total))
        sending = asyncio.create_task(self.spread(self.send, self.requests))
        # Should the killer fail, nobody has to wait for a server that does not come back.
        await asyncio.wait({killer, sending}, return_when=asyncio.FIRST_EXCEPTION)
        for task in (killer, sending):
            if task.done():
                task.result()
        sent = time.monotonic() - began
        await asyncio.gather(killer, sending)
        await self.settle(total)
        seconds = time.monotonic() - began
        await asyncio.sleep(1)  # a letter that came twice would come now
        return self.judge(sent, seconds)

    def judge(self, sent: float, seconds: float) -> bool:
        db = rows.read(self.database)
        found = delivery.check(db, self.requests)
        found["complaints of clients and starts"] = self.failures
        count = self.args.letters
        print(
            f"  {len(self.requests)} requests with {count} letters in {seconds:.1f} s ({count / seconds:.0f} letters/s, "
            f"{len(db.runs) / seconds:.0f} runs/s), sent within {sent:.1f} s\n"
            f"  {self.kills} kill -9, {self.kills_in_start} of them in a start; restarts took "
            f"{max(self.starts[1:], default=0):.2f} s at most\n"
            f"  {sum(q.attempts for q in self.requests)} attempts, {self.unknown} with unknown outcome; "
            f"{sum(r.attempts > 1 for r in db.runs.values())} runs were begun more than once\n"
            f"  {len(db.messages)} messages, {sum(len(m.content.get('calls') or []) for m in db.messages)} tool calls"
        )
        for name, violations in found.items():
            print(f"  {len(violations):6}  {name}")
        for name, violations in found.items():
            for violation in violations[:10]:
                print(f"  FAILED {name}: {violation}")
        return self.kills >= self.args.kills and not any(found.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=1000)
    parser.add_argument("--letters", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--in-start", type=float, default=0.25, help="share of the kills that hit the start after them too")
    parser.add_argument("--workers", type=int, default=32, help="requests at the same time")
    parser.add_argument("--patience", type=float, default=180, help="seconds for one request, and without any progress")
    parser.add_argument("--seed", type=int, default=None, help="repeat a run (printed at its start)")
    parser.add_argument("--keep", action="store_true", help="keep the server's log (it is kept when something is wrong)")
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(10**6)
    print(f"agent messages: seed {seed}, {args.agents} agents, {args.letters} letters, {args.kills} kills", flush=True)
    home = Path(tempfile.mkdtemp(prefix="engram-swarm-"))
    ok = False
    try:
        with contextlib.ExitStack() as stack:
            uri = stack.enter_context(fresh_database("swarm"))
            # Nobody else gets its port between two lives.
            server = EngramServer(data_dir=home / "data", log=home / "server.log", pg_uri=uri, port=processes.free_port())
            stack.callback(server.kill)
            ok = asyncio.run(Swarm(args, seed, server, Database(uri)).run())
    except RuntimeError as e:
        print(f"  FAILED: {e}")
    finally:
        if ok and not args.keep:
            shutil.rmtree(home, ignore_errors=True)
        else:
            print(f"  log: {home / 'server.log'}", flush=True)
    again = f"--seed {seed} --agents {args.agents} --letters {args.letters} --kills {args.kills}"
    print(f"agent messages: {'every letter arrived once' if ok else 'FAILED'} (again: {again} --workers {args.workers})")
    sys.stdout.flush()
    os._exit(0 if ok else 1)  # a request may still hang


if __name__ == "__main__":
    main()
