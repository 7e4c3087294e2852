"""The clients: they send, are cut off, send again under the same name elsewhere, resume, cancel, approve.

A request is over when a sender has a definite answer: `answered`, `failed` (the run failed and said so) or
`refused` (nothing was begun). Everything else is sent again under the same `otid`, on whichever node.
"""

import asyncio
import contextlib
import random
import time
from collections import Counter, defaultdict

import wire
from cluster import Cluster, Node
from readers import Ledger, Stream
from traffic import Request, Traffic, weighted

TERMINAL = {"completed", "failed", "cancelled"}
# How likely a client turns to a node that its operator knows to be in this state.
LIKELY = {"up": 1.0, "leaving": 1.0, "starting": 0.3, "frozen": 0.3, "down": 0.05}
PATIENCE = {1.5: 15, 5.0: 35, 20.0: 50}
GIVE_UP = 150.0  # seconds


class Later(Exception):
    """The server asked to come back."""

    def __init__(self, seconds: float):
        self.seconds = seconds


class Clients:
    def __init__(self, cluster: Cluster, seed: int, rate: float):
        self.cluster, self.seed, self.interval = cluster, seed, 1 / rate
        self.traffic = Traffic(seed, self.post)
        self.ledger = Ledger()
        self.counts: Counter = Counter()
        self.problems: list[str] = []
        self.ended: dict[str, str] = {}  # the first terminal status that anybody saw, by run
        self.latency: dict[str, list[float]] = defaultdict(list)
        self.cancel_seconds: list[float] = []
        self.calm = False  # no more faults: be patient
        self.stopping = False
        self._slot = 0.0
        self._side: set[asyncio.Task] = set()

    # -- the workers

    async def work(self) -> None:
        while not self.stopping:
            now = time.monotonic()
            self._slot = max(self._slot + self.interval, now - 1)
            await asyncio.sleep(max(0, self._slot - now))
            if not self.stopping:
                try:
                    await self.carry_out(await self.traffic.next())
                except Exception as e:  # a finding, and no reason for the others to stop
                    self.problems.append(f"a client broke: {e!r}")

    async def finish(self) -> None:
        """Waits for second readers, cancels and late repetitions."""
        while self._side:
            await asyncio.gather(*self._side)

    def spawn(self, work) -> None:
        task = asyncio.create_task(work)
        self._side.add(task)
        task.add_done_callback(self._spawned_ended)

    def _spawned_ended(self, task: asyncio.Task) -> None:
        self._side.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.problems.append(f"a client broke: {error!r}")

    async def carry_out(self, request: Request) -> None:
        request.begun = time.monotonic()
        self.counts[f"sent {request.kind}"] += 1
        await asyncio.gather(*(self.sender(request, i) for i in range(request.copies)))
        if request.again_after is not None and "refused" not in request.outcomes:
            self.spawn(self._again(request))
        if "requires_approval" in request.stop_reasons:
            await self._approve(request)

    async def _again(self, request: Request) -> None:
        await asyncio.sleep(request.again_after)
        self.counts["sent again later"] += 1
        await self.sender(request.as_kind(request.again_as), 100)

    async def sender(self, request: Request, index: int) -> None:
        """Sends the request until its answer is definite."""
        rng = random.Random(f"{self.seed}:{request.number}:{index}")
        deadline = time.monotonic() + GIVE_UP
        stream: Stream | None = None
        node: Node | None = None
        while time.monotonic() < deadline:
            node = self.pick(rng, node)
            request.attempts += 1
            resumed = stream is not None and stream.run is not None and request.numbered and rng.random() < 0.7
            if not resumed:
                stream = Stream(self.ledger if request.numbered else None)
            try:
                outcome = await asyncio.wait_for(
                    self._attempt(request, node, stream, resumed, index), 30 if self.calm else weighted(rng, PATIENCE)
                )
            except wire.NotSent:
                self.counts["tries: no connection"] += 1
                await asyncio.sleep(rng.uniform(0.03, 0.15))
                continue
            except (wire.Unknown, asyncio.TimeoutError) as e:
                self.counts["tries: unknown outcome" if isinstance(e, wire.Unknown) else "tries: patience over"] += 1
                request.unknown += 1
                await asyncio.sleep(rng.uniform(0, 0.2))
                continue
            except Later as e:
                await asyncio.sleep(e.seconds)
                continue
            finally:
                request.problems += [p for p in stream.problems if len(request.problems) < 5]
                stream.problems.clear()
            if outcome:
                if not request.outcomes:
                    self.latency[request.kind].append(time.monotonic() - request.begun)
                request.outcomes.append(outcome)
                self.counts[f"outcome: {outcome}"] += 1
                return
        request.outcomes.append("given up")

    def pick(self, rng: random.Random, last: Node | None = None) -> Node:
        """Some node, rather another one than the last."""
        weights = [LIKELY[n.state] * (0.2 if n is last else 1) for n in self.cluster.nodes]
        return rng.choices(self.cluster.nodes, weights)[0]

    # -- one attempt

    async def _attempt(self, request: Request, node: Node, stream: Stream, resumed: bool, index: int) -> str | None:
        """The outcome, or none where the reader hung up on purpose and goes on elsewhere."""
        if request.kind == "async":
            path = f"{request.agent.path(None)}/async"
            answer = await node.client.call("POST", path, request.body(), request.headers)
            if answer.status != 200:
                return self._refusal(request, node, answer)
            self._met(request, answer.json()["id"])
            return await self._poll(request, answer.json()["id"])
        if not request.streams:
            answer = await node.client.call(
                "POST", request.agent.path(request.conversation), request.body(), request.headers)
            return self._plain(request, answer) if answer.status == 200 else self._refusal(request, node, answer)
        if resumed:
            self.counts["resumed"] += 1
            answer = await node.client.send("POST", f"/v1/runs/{stream.run}/stream", {"starting_after": stream.last})
        else:
            answer = await node.client.send(
                "POST", request.agent.path(request.conversation), request.body(), request.headers)
        try:
            if answer.status != 200:
                await answer.read()
                return self._refusal(request, node, answer)
            cut = request.cut_after if index == 0 and not resumed else None
            request.cut_after = None if cut is not None else request.cut_after
            if not await stream.read(answer, lambda run: self._met(request, run), cut):
                return None
        finally:
            answer.close()
            self._shown(request, stream)
        return self._streamed(request, stream)

    def _met(self, request: Request, run: str) -> None:
        """The run of a request became known, for the first time or again."""
        if run not in request.runs:
            request.runs.add(run)
            if len(request.runs) > 1:
                request.problem(f"the same name led to several runs: {sorted(request.runs)}")
            if request.cancel_after is not None:
                self.spawn(self._cancel(request, run))
            if request.second_reader:
                self.spawn(self._read_too(request, run))

    def _plain(self, request: Request, answer: wire.Answer) -> str:
        body = answer.json()
        messages = body["messages"]
        for run in {m["run_id"] for m in messages if m.get("run_id")}:
            self._met(request, run)
        request.answers.add(tuple(m["id"] for m in messages))
        request.stop_reasons.add(body["stop_reason"]["stop_reason"])
        for m in messages:
            self._show(request, m)
        return self._after(request, "answered")

    def _shown(self, request: Request, stream: Stream) -> None:
        for m in stream.whole:
            # Pieces of a message are shown before it is stored; whole messages afterwards.
            if not request.kind.endswith("tokens") or m["message_type"] == "approval_request_message":
                self._show(request, m)
        stream.whole.clear()

    @staticmethod
    def _show(request: Request, message: dict) -> None:
        request.shown[message["id"]] = message["message_type"]
        if message["message_type"] == "approval_request_message":
            request.waiting |= {c["tool_call_id"] for c in message.get("tool_calls") or [message["tool_call"]]}

    def _streamed(self, request: Request, stream: Stream) -> str:
        request.stop_reasons.update(stream.stop_reasons)
        if stream.failed:
            self.counts[f"error: {stream.failed[:70]}"] += 1
            if "waiting for approval" in stream.failed:
                self._unblock(request)
        return self._after(request, "failed" if stream.failed else "answered")

    def _unblock(self, request: Request) -> None:
        """An agent waits for a word that may never come: sometimes somebody cancels what waits."""
        if random.Random(f"{self.seed}:{request.number}:pending").random() < 0.3:
            self.spawn(self._cancel(request, None))

    def _after(self, request: Request, outcome: str) -> str:
        """An answer says that the run has ended: then every node must say so."""
        if request.runs and random.Random(request.number).random() < 0.15:
            self.spawn(self._poll(request, next(iter(request.runs)), must_have_ended=True))
        return outcome

    def _refusal(self, request: Request, node: Node, answer: wire.Answer) -> str:
        status, text = answer.status, answer.body[:300].decode(errors="replace")
        try:
            body = answer.json()
        except ValueError:
            body = {}
        detail = body.get("detail") if isinstance(body, dict) else None
        self.counts[f"status {status}"] += 1
        if status in (429, 503):
            if "retry-after" not in answer.headers:
                request.problem(f"{status} without Retry-After from {node.name}: {text}")
            raise Later(0.2 if status == 503 else 1)
        code = detail.get("code") if isinstance(detail, dict) else None
        if status == 409 and code == "CONVERSATION_BUSY":
            if request.policy != "reject":
                request.problem(f"busy, although nobody asked for a refusal: {text}")
            return "refused"
        if status == 409 and code == "PENDING_APPROVAL":
            self._unblock(request)
            return "refused"
        if request.decision and status in (400, 409):
            self.counts["decision refused"] += 1
            return "refused"  # somebody else decided, or the request that waited was cancelled
        if isinstance(body, dict) and isinstance(body.get("error"), dict):
            self.counts[f"error: {str(detail)[:70]}"] += 1
            return "failed"
        request.problem(f"{node.name} answered {status}: {text}")
        return "failed"

    # -- what goes on beside

    async def _everywhere(self, send, seed: str, patience: float = 5):
        """Repeats a request that may be repeated, on any node, until it is answered in earnest."""
        rng = random.Random(f"{self.seed}:{seed}")
        deadline = time.monotonic() + GIVE_UP
        while time.monotonic() < deadline:
            try:
                answer = await asyncio.wait_for(send(self.pick(rng)), patience)
                if answer.status not in (429, 503):
                    return answer
            except (wire.NotSent, wire.Unknown, asyncio.TimeoutError):
                pass
            await asyncio.sleep(rng.uniform(0.03, 0.2))
        raise RuntimeError(f"no definite answer within {GIVE_UP} s: {seed}")

    async def post(self, path: str, body: dict):
        answer = await self._everywhere(lambda node: node.client.call("POST", path, body), f"{path} {body}")
        if answer.status not in (200, 201):
            raise RuntimeError(f"POST {path}: {answer.status} {answer.body[:500]!r}")
        return answer.json()

    async def _poll(self, request: Request, run: str, must_have_ended: bool = False) -> str:
        while True:
            # Before the question: another request for the same run may learn of its end while this answer is on its way.
            known = self.ended.get(run)
            answer = await self._everywhere(lambda node: node.client.call("GET", f"/v1/runs/{run}"), f"poll {run}")
            if answer.status != 200:
                request.problem(f"{run} was acknowledged, and then it was {answer.status} {answer.body[:200]!r}")
                return "failed"
            state = answer.json()
            status = state["status"]
            if known is not None and known != status:
                request.problem(f"{run} was {known} and then {status}")
            if status in TERMINAL:
                self.ended.setdefault(run, status)
                request.stop_reasons.add(state.get("stop_reason"))
                return "failed" if status == "failed" else "answered"
            if must_have_ended:
                request.problem(f"{run} was answered, and is still {status} for another node")
                return "failed"
            await asyncio.sleep(0.15)

    async def _read_too(self, request: Request, run: str) -> None:
        """A second reader, beside the first, from the beginning or from wherever the first one is."""
        rng = random.Random(f"{self.seed}:{request.number}:second")
        seen = max(self.ledger.events[run], default=0)
        stream = Stream(self.ledger, rng.choice([0, seen]))
        stream.run = run
        while not stream.done:
            async def resume(node: Node) -> wire.Answer:
                answer = await node.client.send("POST", f"/v1/runs/{run}/stream", {"starting_after": stream.last})
                try:
                    if answer.status == 200:
                        await stream.read(answer)
                    else:
                        await answer.read()
                finally:
                    answer.close()
                return answer

            answer = await self._everywhere(resume, f"second reader {run}", 30 if self.calm else 10)
            if answer.status != 200:
                request.problem(f"{run} cannot be read: {answer.status} {answer.body[:200]!r}")
                break
        self.counts["second readers"] += 1
        request.problems += stream.problems[:3]

    async def _cancel(self, request: Request, run: str | None) -> None:
        """Cancels a run, or whatever goes on or waits at the agent."""
        await asyncio.sleep(request.cancel_after if run else 0)
        body = {"run_ids": [run]} if run else {}
        path = f"{request.agent.path(None)}/cancel"
        tries, began = 0, time.monotonic()

        async def send(node: Node) -> wire.Answer:
            nonlocal tries, began
            tries, began = tries + 1, time.monotonic()
            return await node.client.call("POST", path, body)

        answer = await self._everywhere(send, f"cancel {run} {request.number}")
        self.counts[f"cancel answered {answer.status}"] += 1
        if answer.status == 200:
            self.cancel_seconds.append(time.monotonic() - began)
            if run:
                with contextlib.suppress(ValueError, AttributeError):
                    request.cancelled = answer.json().get(run)
        elif answer.status != 409:
            request.problem(f"cancel answered {answer.status} {answer.body[:200]!r}")

    async def _approve(self, request: Request) -> None:
        rng = random.Random(f"{self.seed}:{request.number}:decide")
        if rng.random() < 0.15 and not self.stopping:
            self.counts["approvals left open"] += 1
            return
        if not request.waiting and request.runs:
            path = f"/v1/runs/{next(iter(request.runs))}/messages?limit=100"
            answer = await self._everywhere(lambda node: node.client.call("GET", path), path)
            for m in answer.json() if answer.status == 200 else []:
                if m["message_type"] == "approval_request_message":
                    self._show(request, m)
        if request.waiting:
            await asyncio.sleep(rng.uniform(0, 0.4))
            self.counts["decisions"] += 1
            await self.carry_out(self.traffic.decide(request, sorted(request.waiting), rng))
