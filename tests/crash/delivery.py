"""What was sent, and whether it arrived: the plan of the letters and the rules. No processes, no database.

`test_delivery.py` shows every rule a case that it has to object to.
"""

import json
import random
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "torment")]

import checker  # noqa: E402
from rows import Database  # noqa: E402

SEND = "send_message_to_agent_async"
TYPES = ("letta_v1_agent", "memgpt_agent")
INCOMING = "[Incoming message from agent"
WORD = re.compile(r"letter-\d+-end")
# Of the rules on single conversations and runs, those that need no log of a client.
COMMON = [checker.open_runs, checker.steps, checker.sequence, checker.ranges, checker.pairs]


@dataclass
class Letter:
    number: int
    sender: str
    receiver: str

    @property
    def word(self) -> str:
        return f"letter-{self.number:06}-end"


@dataclass
class Request:
    """One message of a client, by which an agent sends some letters."""

    number: int
    agent: str
    waits: bool  # for the answer; else it is told the run's id at once
    letters: list[Letter]
    runs: set[str] = field(default_factory=set)
    attempts: int = 0

    @property
    def otid(self) -> str:
        return f"swarm-{self.number:06}"

    @property
    def text(self) -> str:
        calls = [{"message": f"{x.word}, as agreed", "other_agent_id": x.receiver} for x in self.letters]
        return " ".join(f"[[call {SEND} {json.dumps(call)}]]" for call in calls) + f" request {self.number}"


def plan(seed: int, agents: list[str], letters: int) -> list[Request]:
    """Letters between random pairs, one to three in a request.

    Every second agent is of the older type, whose turn ends with the first letter: it sends one at a time.
    """
    chance = random.Random(f"{seed}:letters")
    requests: list[Request] = []
    sent = 0
    while sent < letters:
        index = chance.randrange(len(agents))
        sender = agents[index]
        mine = []
        wanted = chance.choice([1, 1, 2, 3]) if TYPES[index % len(TYPES)] == "letta_v1_agent" else 1
        for _ in range(min(wanted, letters - sent)):
            receiver = sender
            while receiver == sender:
                receiver = chance.choice(agents)
            mine.append(Letter(sent, sender, receiver))
            sent += 1
        requests.append(Request(len(requests), sender, chance.random() < 0.7, mine))
    return requests


def moments(seed: int, kills: int, total: int) -> list[int]:
    """After how many ended runs a process is killed: spread over all of them, and never two close together."""
    chance = random.Random(f"{seed}:kills")
    return [int(total * (i + chance.uniform(0.2, 0.8)) / kills) for i in range(kills)]


# ------------------------------------------------------------------------------------------ the rules


def delivered(db: Database, requests: list[Request]) -> Iterator[str]:
    """Every letter stands in its receiver's conversation once and in nobody else's, with its sender's name."""
    found: dict[str, list] = defaultdict(list)
    for m in db.messages:
        if m.role == "user" and INCOMING in m.text:
            for word in WORD.findall(m.text):
                found[word].append(m)
    for letter in (x for q in requests for x in q.letters):
        copies = found.pop(letter.word, [])
        right = [m for m in copies if m.conversation_id == checker.bare(letter.receiver)]
        if not copies:
            yield f"{letter.word} never arrived"
        elif len(right) != 1:
            yield f"{letter.word} is there {len(right)} times"
        if len(copies) > len(right):
            yield f"{letter.word} arrived at {[m.conversation_id for m in copies if m not in right]} too"
        if right and letter.sender not in right[0].text:
            yield f"{letter.word} does not say who wrote it"
    for word in found:
        yield f"{word} arrived, and nobody sent it"


def sent_once(db: Database, requests: list[Request]) -> Iterator[str]:
    """Every letter was sent by one call of its sender, which succeeded."""
    good = {
        (m.conversation_id, m.content["tool_call_id"])
        for m in db.messages if m.content.get("kind") == "tool_return" and m.content.get("status") == "success"
    }
    calls: Counter = Counter()
    for m in db.messages:
        for call in m.content.get("calls") or []:
            if call["name"] == SEND and (m.conversation_id, call["id"]) in good:
                calls.update((m.conversation_id, word) for word in WORD.findall(call["arguments"]))
    for letter in (x for q in requests for x in q.letters):
        if (n := calls[checker.bare(letter.sender), letter.word]) != 1:
            yield f"{letter.word} was sent by {n} calls that succeeded"


def answered_once(db: Database, requests: list[Request]) -> Iterator[str]:
    """Every letter was answered by its receiver once: it was worked on, and not twice."""
    answers: Counter = Counter()
    for m in db.messages:
        if m.content.get("kind") == "assistant":
            said = [m.content.get("text") or ""]
            said += [c["arguments"] for c in m.content.get("calls") or [] if c["name"] == "send_message"]
            words = {w for text in said if "You said" in text for w in WORD.findall(text)}
            answers.update((m.conversation_id, word) for word in words)
    for letter in (x for q in requests for x in q.letters):
        if (n := answers[checker.bare(letter.receiver), letter.word]) != 1:
            yield f"{letter.word} was answered {n} times"


def runs(db: Database, requests: list[Request]) -> Iterator[str]:
    """A run for every request and every letter, all of them completed."""
    for q in requests:
        if len(q.runs) != 1:
            yield f"request {q.number} led to the runs {sorted(q.runs)}"
        for run in q.runs:
            if checker.bare(run) not in db.runs:
                yield f"{run} was acknowledged and does not exist"
    for run in db.runs.values():
        if run.status != "completed":
            yield f"run {run.id} is {run.status}: {run.error}"
    wanted = len(requests) + sum(len(q.letters) for q in requests)
    if len(db.runs) != wanted:
        yield f"{len(db.runs)} runs, for {wanted} requests and letters"


def well_formed(db: Database, requests: list[Request]) -> Iterator[str]:
    """What holds for every conversation: no gap, no call without its result, no run that is open."""
    for rule in COMMON:
        yield from map(str, rule(db, checker.Log()))


RULES = {
    "letters not delivered exactly once": delivered,
    "letters not sent exactly once": sent_once,
    "letters not answered exactly once": answered_once,
    "runs missing, too many, open or failed": runs,
    "unpaired calls, gaps, odd steps": well_formed,
}


def check(db: Database, requests: list[Request]) -> dict[str, list[str]]:
    """The violations of each rule."""
    return {name: list(rule(db, requests)) for name, rule in RULES.items()}
