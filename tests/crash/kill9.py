#!/usr/bin/env python3
"""Kills the server with `kill -9` while clients talk to it, and checks that nothing acknowledged is lost.

    python3 tests/crash/kill9.py                       200 requests and 12 kills, on both kinds of database
    python3 tests/crash/kill9.py --database embedded --requests 60 --kills 4 --seed 7

Several workers send messages to several agents: plain, streamed, in the background and asynchronous ones,
many of them with tool calls that write to memory. Nothing is ever sent twice. At random moments the
server is killed and started again on the same data; some of these starts are killed as well. At the end,
with the server left alone:

1. every run that was acknowledged (its id or an answer was received) is `completed`, or `failed` with a
   reason; and no run of any agent is left in between;
2. no user message occurs twice, and that of a completed run occurs, with its answer, once;
3. every tool call has exactly one result, after it; a memory that a tool wrote was written once;
4. messages that a client was shown are stored under the same id;
5. the model never saw an ill-formed conversation; every agent still answers.

The random numbers come from --seed, which is printed; the moments of the kills follow the number of
requests sent so far, so a seed repeats a run as closely as a race can be repeated.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

import httpx  # noqa: E402
from testkit.mock import MockModel  # noqa: E402
from testkit.postgres import fresh_database  # noqa: E402
from testkit.server import EngramServer  # noqa: E402

HEADERS = {"x-stainless-package-version": "1.12.1", "user-agent": "Letta/Python 1.12.1"}
# The answers of the built-in model come at once; the mock's take long enough to be cut off.
MODELS = ["engram/scripted", "openai/drip-5", "openai/slow-100"]
KINDS = ["plain", "stream", "tokens", "background", "async"]


@dataclass
class Request:
    """One message, and what its sender learned about it."""

    number: int
    agent: str
    agent_type: str
    kind: str
    text: str = ""
    run: str | None = None
    answered: bool = False  # the whole answer was received
    shown: set[str] = field(default_factory=set)  # ids of the messages that the client saw
    problem: str | None = None

    @property
    def marker(self) -> str:
        return f"req-{self.number:04}-end"


class Torment:
    def __init__(self, args, seed: int, server: EngramServer, mock: MockModel):
        self.args, self.server, self.mock = args, server, mock
        self.random = random.Random(seed)
        self.http = httpx.Client(base_url=server.url, headers=HEADERS, timeout=60, trust_env=False)
        self.up = threading.Event()
        self.lock = threading.Lock()
        self.sent = 0
        self.requests: list[Request] = []
        self.starts: list[float] = []
        self.failures: list[str] = []
        self.given_up = False
        self.shown_parts = 0
        self.kills_in_start = 0
        self.reasons: Counter = Counter()

    # -- preparation

    def create_agents(self) -> list[tuple[str, str]]:
        agents = []
        for i in range(self.args.agents):
            kind = ("letta_v1_agent", "memgpt_agent")[i % 2]
            body = {
                "name": f"torment-{i}", "model": MODELS[i % len(MODELS)], "embedding": "engram/embed", "agent_type": kind,
                "memory_blocks": [{"label": "human", "value": "Notes:", "limit": 100_000}],
                # Also for the newer type, which does not have it by default.
                "tools": ["archival_memory_insert"],
            }
            answer = self.http.post("/v1/agents/", json=body)
            answer.raise_for_status()
            agents.append((answer.json()["id"], kind))
        return agents

    def plan(self, agents: list[tuple[str, str]]) -> None:
        for number in range(self.args.requests):
            agent, agent_type = self.random.choice(agents)
            request = Request(number, agent, agent_type, self.random.choice(KINDS))
            calls = [self.tool_call(request, i) for i in range(self.random.choice([0, 1, 1, 2, 3]))]
            request.text = f"{' '.join(calls)} {request.marker}".strip()
            self.requests.append(request)

    def tool_call(self, request: Request, i: int) -> str:
        note = f"note {i} of {request.marker}"
        if self.random.random() < 0.5:
            name, arguments = "archival_memory_insert", {"content": note}
        elif request.agent_type == "memgpt_agent":
            name, arguments = "core_memory_append", {"label": "human", "content": note}
        else:
            name, arguments = "memory_insert", {"label": "human", "new_string": note}
        return f"[[call {name} {json.dumps(arguments)}]]"

    # -- the workers

    def work(self, request: Request) -> None:
        while True:
            self.up.wait()
            if self.given_up:
                return
            with self.lock:
                self.sent = max(self.sent, request.number + 1)
            try:
                self.send(request)
                return
            except httpx.ConnectError:
                time.sleep(0.02)  # never reached the server: not sent, so it may be sent now
            except httpx.HTTPError as e:
                request.problem = f"{type(e).__name__}: {e}"
                return

    def send(self, request: Request) -> None:
        path = f"/v1/agents/{request.agent}/messages"
        body: dict = {"messages": [{"role": "user", "content": request.text}]}
        if request.kind == "async":
            answer = self.http.post(f"{path}/async", json=body)
            if answer.status_code == 200:
                request.run = answer.json()["id"]
            else:
                request.problem = f"{answer.status_code}: {answer.text[:200]}"
            return
        if request.kind == "plain":
            answer = self.http.post(path, json=body)
            if answer.status_code == 200:
                messages = answer.json()["messages"]
                request.answered = True
                request.run = messages[-1].get("run_id")
                request.shown = {m["id"] for m in messages}
            else:
                request.problem = f"{answer.status_code}: {answer.text[:200]}"
            return
        body |= {"streaming": True, "stream_tokens": request.kind == "tokens", "background": request.kind == "background"}
        with self.http.stream("POST", path, json=body) as answer:
            if answer.status_code != 200:
                request.problem = f"{answer.status_code}: {answer.read()[:200]!r}"
                return
            for line in answer.iter_lines():
                if line == "data: [DONE]":
                    request.answered = request.problem is None
                elif line.startswith("data: {"):
                    frame = json.loads(line[6:])
                    request.run = frame.get("run_id") or request.run
                    kind = frame.get("message_type")
                    if kind == "error_message":
                        request.problem = frame["message"]
                    # Pieces of a message are shown before it is stored; whole messages afterwards.
                    elif str(frame.get("id", "")).startswith("message-") and request.kind != "tokens":
                        request.shown.add(frame["id"])

    # -- the killer

    def start(self) -> None:
        """Starts the server. A start that fails is a finding, also when the next one succeeds."""
        for attempt in range(3):
            try:
                self.starts.append(self.server.start())
                self.up.set()
                return
            except RuntimeError as e:
                self.fail(f"start {len(self.starts) + 1}, attempt {attempt + 1}: {str(e).splitlines()[-1]}")
        self.given_up = True
        self.up.set()  # so that the workers see it
        raise RuntimeError("the server does not start any more")

    def torment(self) -> None:
        moments = sorted(self.random.sample(range(1, self.args.requests), min(self.args.kills, self.args.requests - 1)))
        delays = [self.random.uniform(0, 0.35) for _ in moments]
        # Some starts are killed too: a crash loop is what a supervisor makes of a crash.
        early = [self.random.uniform(0, 2) if self.random.random() < self.args.in_start else None for _ in moments]
        with ThreadPoolExecutor(self.args.workers) as pool:
            working = [pool.submit(self.work, r) for r in self.requests]
            for moment, delay, soon in zip(moments, delays, early):
                while self.sent < moment and not all(w.done() for w in working):
                    time.sleep(0.005)
                time.sleep(delay)
                self.up.clear()
                self.server.kill()
                print(f"  killed after {self.sent} requests; ", end="", flush=True)
                if soon is not None:
                    self.server.launch()
                    time.sleep(soon)
                    self.server.kill()
                    self.kills_in_start += 1
                    print(f"killed {soon:.2f} s into the start; ", end="", flush=True)
                self.start()
                print(f"up again in {self.starts[-1]:.2f} s", flush=True)
            for w in working:
                w.result()

    # -- the checks

    def fail(self, text: str) -> None:
        self.failures.append(text)

    def get(self, path: str, **params):
        answer = self.http.get(path, params=params)
        answer.raise_for_status()
        return answer.json()

    def all_messages(self, agent: str) -> list[dict]:
        """Everything, with the calls of `send_message` and their results as such."""
        out: list[dict] = []
        after = {}
        while True:
            page = self.get(f"/v1/agents/{agent}/messages", limit=500, order="asc", use_assistant_message="false", **after)
            if not page:
                return out
            out += page
            after = {"after": page[-1]["id"]}

    def check_runs(self) -> dict[str, dict]:
        deadline = time.monotonic() + 60
        states: dict[str, dict] = {}
        wanted = {r.run for r in self.requests if r.run}
        for agent in sorted({r.agent for r in self.requests}):
            wanted |= {r["id"] for r in self.get("/v1/runs/", agent_id=agent, limit=1000)}
        for run in sorted(wanted):
            while True:
                answer = self.http.get(f"/v1/runs/{run}")
                if answer.status_code == 404:
                    self.fail(f"{run} was acknowledged and does not exist any more")
                    break
                state = answer.json()
                states[run] = state
                if state["status"] in ("completed", "failed", "cancelled", "expired"):
                    break
                if time.monotonic() > deadline:
                    self.fail(f"{run} is still {state['status']}")
                    break
                time.sleep(0.1)
        for run, state in states.items():
            if state["status"] == "failed":
                if not (reason := self.reason(state)):
                    self.fail(f"{run} failed without a reason: {state}")
                self.reasons[str(reason)[:100]] += 1
            elif state["status"] != "completed":
                self.fail(f"{run} ended as {state['status']}")
        return states

    @staticmethod
    def reason(state: dict) -> str | None:
        """Why a run failed, in words; the kind of the failure alone does not help anybody."""
        metadata = state.get("metadata") or {}
        return metadata.get("error") or (metadata.get("result") or {}).get("error")

    def check_messages(self, states: dict[str, dict]) -> Counter:
        counts: Counter = Counter()
        by_agent: dict[str, list[Request]] = {}
        for r in self.requests:
            by_agent.setdefault(r.agent, []).append(r)
        for agent, requests in by_agent.items():
            messages = self.all_messages(agent)
            counts["messages"] += len(messages)
            if len({(m["id"], m["message_type"], str(m.get("tool_call", ""))) for m in messages}) != len(messages):
                self.fail(f"{agent}: a message is listed twice")
            self.check_tools(agent, messages, counts)
            users = Counter(str(m["content"]) for m in messages if m["message_type"] == "user_message")
            stored = {m["id"] for m in messages}
            spoken = [self.spoken_text(m) for m in messages]
            for r in requests:
                mine = [n for text, n in users.items() if r.marker in text]
                times = sum(mine)
                answers = sum(f"You said: {r.marker}" == s for s in spoken)
                if times > 1:
                    self.fail(f"{agent}: the user's message {r.marker} is there {times} times")
                if answers > 1:
                    self.fail(f"{agent}: {r.marker} was answered {answers} times")
                completed = r.run and states.get(r.run, {}).get("status") == "completed"
                if completed and (times, answers) != (1, 1):
                    self.show(messages, r.marker)
                    self.fail(f"{r.run} ({r.kind}) is completed, with {times} user messages and {answers} answers")
                if r.answered and not completed and not r.problem:
                    self.fail(f"{r.marker} ({r.kind}) was answered, but its run is {states.get(r.run or '', {}).get('status')}")
                if lost := r.shown - stored:
                    self.fail(f"{agent}: {r.marker} ({r.kind}) was shown messages that are not stored: {sorted(lost)}")
            self.check_memory(agent, requests)
        return counts

    def show(self, messages: list[dict], marker: str) -> None:
        """The part of a conversation that is wrong, for whoever has to find out why. Only the first few."""
        self.shown_parts += 1
        near = next((i for i, m in enumerate(messages) if marker in json.dumps(m)), None)
        if near is None or self.shown_parts > 3:
            return
        print(f"    around {marker}:")
        for m in messages[max(0, near - 3):near + 9]:
            what = m.get("content") or m.get("tool_call") or m.get("tool_return") or ""
            print(f"      {m['message_type']:20} {m.get('run_id')} {str(what)[:100]!r}")

    @staticmethod
    def spoken_text(message: dict) -> str | None:
        if message["message_type"] == "assistant_message":
            return str(message["content"])
        call = message.get("tool_call") or {}
        if message["message_type"] == "tool_call_message" and call.get("name") == "send_message":
            with contextlib.suppress(ValueError):
                return json.loads(call["arguments"]).get("message")
        return None

    def check_tools(self, agent: str, messages: list[dict], counts: Counter) -> None:
        called: dict[str, int] = {}
        returned: Counter = Counter()
        for position, m in enumerate(messages):
            if m["message_type"] == "tool_call_message":
                for c in m.get("tool_calls") or [m["tool_call"]]:
                    counts["tool calls"] += 1
                    if c["tool_call_id"] in called:
                        self.fail(f"{agent}: the tool call {c['tool_call_id']} is there twice")
                    called[c["tool_call_id"]] = position
            elif m["message_type"] == "tool_return_message":
                for t in m.get("tool_returns") or [m]:
                    returned[t["tool_call_id"]] += 1
                    if called.get(t["tool_call_id"], position) >= position:
                        self.fail(f"{agent}: the result of {t['tool_call_id']} stands before its call")
        for call_id in called:
            if returned[call_id] != 1:
                self.fail(f"{agent}: the tool call {call_id} has {returned[call_id]} results")
        if stray := set(returned) - set(called):
            self.fail(f"{agent}: results without a call: {sorted(stray)}")

    def check_memory(self, agent: str, requests: list[Request]) -> None:
        passages = Counter(p["text"] for p in self.get(f"/v1/agents/{agent}/archival-memory", limit=1000))
        block = self.get(f"/v1/agents/{agent}/core-memory/blocks/human")["value"]
        for r in requests:
            for i in range(3):
                note = f"note {i} of {r.marker}"
                written = passages[note] + block.count(note)
                if written > 1:
                    self.fail(f"{agent}: «{note}» was written {written} times")
                elif written == 0 and note in r.text and r.answered and not r.problem:
                    self.fail(f"{agent}: «{note}» was answered, but not written")

    def check_agents_answer(self, agents: list[tuple[str, str]]) -> None:
        for agent, _ in agents:
            answer = self.http.post(f"/v1/agents/{agent}/messages", json={"messages": [{"role": "user", "content": "still there?"}]})
            if answer.status_code != 200 or "You said: still there?" not in answer.text:
                self.fail(f"{agent} does not answer any more: {answer.status_code} {answer.text[:300]}")
        if ill := self.mock.stats()["ill_formed"]:
            self.fail(f"the model was sent ill-formed conversations: {ill}")

    def run(self) -> bool:
        self.start()
        agents = self.create_agents()
        self.plan(agents)
        started = time.monotonic()
        self.torment()
        seconds = time.monotonic() - started
        states = self.check_runs()
        counts = self.check_messages(states)
        self.check_agents_answer(agents)
        acknowledged = [r for r in self.requests if r.run]
        print(
            f"  {len(self.requests)} requests in {seconds:.1f} s, {len(self.starts) - 1 + self.kills_in_start} kills, restarts "
            f"{max(self.starts[1:], default=0):.2f} s at most\n"
            f"  {len(acknowledged)} acknowledged, {sum(r.answered for r in self.requests)} fully answered, "
            f"{sum(r.problem is not None for r in self.requests)} cut off or refused\n"
            f"  runs: {dict(Counter(s['status'] for s in states.values()))}; reasons of failures: {dict(self.reasons)}\n"
            f"  {counts['messages']} messages, {counts['tool calls']} tool calls"
        )
        for failure in self.failures[:40]:
            print(f"  FAILED: {failure}")
        if not acknowledged:
            self.fail("nothing was acknowledged at all")
        return not self.failures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=["embedded", "postgres", "both"], default="both")
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--in-start", type=float, default=0.3, help="share of the kills that hit the start after them too")
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--agents", type=int, default=6)
    parser.add_argument("--seed", type=int, default=None, help="repeat a run (printed at its start)")
    parser.add_argument("--keep", action="store_true", help="keep the data and the server's log")
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(10**6)
    ok = True
    for database in ["embedded", "postgres"] if args.database == "both" else [args.database]:
        print(f"kill -9 on the {database} database: seed {seed}, {args.requests} requests, {args.kills} kills", flush=True)
        with contextlib.ExitStack() as stack:
            home = Path(tempfile.mkdtemp(prefix="engram-crash-"))
            if not args.keep:
                stack.callback(shutil.rmtree, home, ignore_errors=True)
            uri = stack.enter_context(fresh_database("crash")) if database == "postgres" else None
            mock = stack.enter_context(MockModel())
            server = EngramServer(data_dir=home / "data", env=mock.server_env, pg_uri=uri)
            stack.callback(server.stop)
            torment = Torment(args, seed, server, mock)
            try:
                good = torment.run()
            except RuntimeError as e:
                good = False
                print("".join(f"  FAILED: {f}\n" for f in [*torment.failures, str(e)]), end="")
            if not good:
                print(f"--- end of the server's log\n{server.log_tail(15)}")
            print(f"kill -9 on the {database} database: {'ok' if good else 'FAILED'} (seed {seed})", flush=True)
            if args.keep:
                print(f"  data and log: {home}")
            ok &= good
    sys.stdout.flush()
    os._exit(0 if ok else 1)  # worker threads may still hang in a request


if __name__ == "__main__":
    main()
