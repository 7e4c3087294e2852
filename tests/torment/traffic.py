"""What is asked: agents that come and go, and requests whose every choice follows from the seed."""

import asyncio
import copy
import json
import random
from dataclasses import dataclass, field

# The built-in model answers at once; the mock's answers take long enough to be cut off.
MODELS = ["engram/scripted", "openai/drip-5", "openai/slow-100", "engram/scripted", "openai/slow-300"]
KINDS = {"plain": 4, "stream": 3, "tokens": 2, "background": 4, "background_tokens": 2, "async": 3}
POLICIES = {None: 80, "reject": 10, "interrupt": 10}
# A tool of this name waits for approval where the agent has the rule.
GUARDED = "archival_memory_insert"


def weighted(rng: random.Random, weights: dict):
    return rng.choices(list(weights), weights.values())[0]


@dataclass
class Agent:
    id: str
    kind: str
    model: str
    guarded: bool
    conversations: list[str | None]
    left: int  # requests until another one takes its place, so that no conversation grows for ever
    block: str | None = None

    def path(self, conversation: str | None) -> str:
        return f"/v1/conversations/{conversation}/messages" if conversation else f"/v1/agents/{self.id}/messages"


@dataclass
class Request:
    """One message to an agent, however often it is sent, and everything that its senders learned."""

    number: int
    agent: Agent
    conversation: str | None
    kind: str
    policy: str | None = None
    text: str = ""
    notes: list[str] = field(default_factory=list)
    copies: int = 1  # senders at the same time
    again_after: float | None = None  # seconds after its end until it is sent once more …
    again_as: str | None = None  # … in this form
    cancel_after: float | None = None  # seconds after its run is known until it is cancelled
    cut_after: int | None = None  # frames until its reader hangs up and resumes elsewhere
    second_reader: bool = False
    decision: dict | None = None  # the word on a pending call, instead of a text
    # -- learned
    begun: float = 0.0
    runs: set[str] = field(default_factory=set)
    outcomes: list[str] = field(default_factory=list)  # answered, refused, failed, given up; one a sender
    stop_reasons: set[str] = field(default_factory=set)
    answers: set[tuple] = field(default_factory=set)  # ids of the messages in each whole plain answer
    shown: dict[str, str] = field(default_factory=dict)  # whole messages that a client saw, with their type
    cancelled: str | None = None  # what the answer to the cancel said
    waiting: set[str] = field(default_factory=set)  # calls that wait for approval
    attempts: int = 0
    unknown: int = 0  # attempts that may still be carried out
    problems: list[str] = field(default_factory=list)

    @property
    def marker(self) -> str:
        return f"req-{self.number:06}-end"

    @property
    def otid(self) -> str:
        return f"torment-{self.number:06}"

    def problem(self, text: str) -> None:
        if len(self.problems) < 5:
            self.problems.append(text)

    def body(self) -> dict:
        message = self.decision or {"role": "user", "content": self.text, "otid": self.otid}
        body: dict = {"messages": [message]}
        if self.kind != "async":
            body["streaming"] = self.streams  # conversations stream unless told not to
        if self.policy:
            body["busy_policy"] = self.policy
        if self.streams:
            body |= {"stream_tokens": self.kind.endswith("tokens"), "background": self.numbered}
        return body

    def other_forms(self) -> list[str]:
        """Forms in which the same may be asked for again. Pieces are not messages, so those stay among themselves."""
        if self.kind.endswith("tokens"):
            return [self.kind]
        return ["plain", "stream", self.kind] + (["async"] if self.conversation is None else [])

    def as_kind(self, kind: str) -> "Request":
        """The same request in another form: it shares what is learned of its run and its answers."""
        other = copy.copy(self)
        other.kind = kind
        return other

    @property
    def streams(self) -> bool:
        return self.kind not in ("plain", "async")

    @property
    def numbered(self) -> bool:
        """Whether the frames have numbers and the stream can be resumed."""
        return self.kind.startswith("background")

    @property
    def headers(self) -> str:
        # A decision carries no text to name, so the header names it.
        return f"Idempotency-Key: {self.otid}\r\n" if self.decision else ""


class Traffic:
    """Makes agents and requests. `post` sends to whichever node answers, until one does."""

    def __init__(self, seed: int, post, agents: int = 12, life: int = 40, plain: bool = False):
        self.seed, self.post, self.life = seed, post, life
        self.plain = plain  # everything once, and nothing that may be refused or cut short
        self.rng = random.Random(f"{seed}:agents")
        self.count = agents
        self.agents: list[Agent] = []
        self.born = 0
        self.next_number = 0
        self.requests: list[Request] = []
        self.block: str | None = None

    async def populate(self) -> None:
        self.agents = list(await asyncio.gather(*(self._create(i) for i in self._numbers(self.count))))

    def _numbers(self, n: int) -> list[int]:
        self.born += n
        return list(range(self.born - n, self.born))

    async def _create(self, i: int) -> Agent:
        rng = random.Random(f"{self.seed}:agent:{i}")
        guarded = i % 6 == 5 and not self.plain
        kind = ("letta_v1_agent", "memgpt_agent")[i % 2]
        model = MODELS[i % len(MODELS)]
        if i % self.count == 0 or self.block is None:
            # One block for all agents of a time: their writes to it come from several nodes.
            block = await self.post("/v1/blocks/", {"label": "shared", "value": "Shared notes:", "limit": 100_000})
            self.block = block["id"]
        body = {
            "name": f"torment-{i}", "model": model, "embedding": "engram/embed", "agent_type": kind,
            "memory_blocks": [{"label": "human", "value": "Notes:", "limit": 100_000}],
            "block_ids": [self.block],
            "tools": [GUARDED],  # also for the newer type, which does not have it by default
        }
        if guarded:
            body["tool_rules"] = [{"type": "requires_approval", "tool_name": GUARDED}]
        made = await self.post("/v1/agents/", body)
        conversations: list[str | None] = [None]
        if rng.random() < 0.3 and not guarded:
            other = await self.post(f"/v1/conversations/?agent_id={made['id']}", {})
            conversations.append(other["id"])
        return Agent(made["id"], kind, model, guarded, conversations, self.life + rng.randrange(self.life))

    async def next(self) -> Request:
        """The next request, to an agent that has not had its share yet."""
        number = self.next_number
        self.next_number += 1
        rng = random.Random(f"{self.seed}:request:{number}")
        place = rng.randrange(len(self.agents))
        agent = self.agents[place]
        agent.left -= 1
        if agent.left == 0:
            self.agents[place] = await self._create(*self._numbers(1))
        request = Request(number, agent, rng.choice(agent.conversations), weighted(rng, KINDS), weighted(rng, POLICIES))
        if request.kind == "async":
            request.conversation = None  # only agents have that route
        calls = [self._call(request, rng, i) for i in range(rng.choice([0, 1, 1, 2, 3]))]
        request.text = f"{' '.join(calls)} {request.marker}".strip()
        self.requests.append(request)
        if self.plain:
            request.policy = None
            return request
        if rng.random() < 0.10:
            request.copies = rng.choice([2, 3])
        if rng.random() < 0.08:
            request.again_after = rng.uniform(0, 4)
            request.again_as = rng.choice(request.other_forms())
        if rng.random() < 0.07:
            request.cancel_after = rng.uniform(0, 0.4)
        if request.numbered:
            request.cut_after = rng.randrange(1, 6) if rng.random() < 0.5 else None
            request.second_reader = rng.random() < 0.3
        return request

    def decide(self, request: Request, tool_call_ids: list[str], rng: random.Random) -> Request:
        """The client's word on the calls of this request that wait for approval."""
        approve = rng.random() < 0.7
        words = [
            {"type": "approval", "approve": approve, "tool_call_id": i, "reason": None if approve else "torment says no"}
            for i in tool_call_ids
        ]
        number = self.next_number
        self.next_number += 1
        decision = Request(
            number, request.agent, request.conversation, rng.choice(["plain", "stream", "background", "async"]),
            copies=rng.choice([1, 1, 1, 2]), decision={"type": "approval", "approvals": words},
        )
        self.requests.append(decision)
        return decision

    @staticmethod
    def _call(request: Request, rng: random.Random, i: int) -> str:
        note = f"note {i} of {request.marker}"
        request.notes.append(note)
        label = "shared" if rng.random() < 0.25 else "human"
        if rng.random() < 0.4:
            name, arguments = GUARDED, {"content": note}
        elif request.agent.kind == "memgpt_agent":
            name, arguments = "core_memory_append", {"label": label, "content": note}
        else:
            name, arguments = "memory_insert", {"label": label, "new_string": note}
        return f"[[call {name} {json.dumps(arguments)}]]"
