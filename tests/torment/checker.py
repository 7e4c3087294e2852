"""The rules: what must be true of the database and of what clients saw, whatever was pulled out.

Every rule is a function from the rows and the clients' log to violations. They know nothing of processes, so
`test_checker.py` shows each of them a case that it has to object to. To add a rule: a function here, in
`RULES`, and its case there.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from rows import Database, Message
from traffic import Request

TERMINAL = {"completed", "failed", "cancelled"}
MARKER = re.compile(r"req-\d+-end")
NOTE = re.compile(r"note \d of req-\d+-end")


@dataclass
class Log:
    """What the clients know."""

    requests: list[Request] = field(default_factory=list)
    ended: dict[str, str] = field(default_factory=dict)  # run to the first terminal status that was seen
    problems: list[str] = field(default_factory=list)  # what a client saw that may not be, in words


@dataclass
class Violation:
    rule: str
    text: str
    run: str = "-"
    conversation: str = "-"

    def __str__(self) -> str:
        return f"{self.rule}: {self.text} [run {self.run}, conversation {self.conversation}]"


def bare(wire_id: str) -> str:
    """`run-…`, `message-…` as the database writes it."""
    return wire_id.split("-", 1)[1]


# ---------------------------------------------------------------------------------------- runs


def lost_runs(db: Database, log: Log) -> Iterator[Violation]:
    """A run whose id a client has seen exists."""
    for run in {r for q in log.requests for r in q.runs} | set(log.ended):
        if bare(run) not in db.runs:
            yield Violation("lost", "an acknowledged run does not exist", run)


def open_runs(db: Database, log: Log) -> Iterator[Violation]:
    """Every run has ended, with a reason where it failed."""
    for run in db.runs.values():
        if run.status not in TERMINAL:
            yield Violation("open", f"a run is still {run.status}", run.id, run.conversation_id)
        elif run.status == "failed" and not run.error:
            yield Violation("open", "a run failed without a reason", run.id, run.conversation_id)
        elif not run.stop_reason or not run.has_end:
            yield Violation("open", f"a run is {run.status} without stop reason or time", run.id, run.conversation_id)


def one_end(db: Database, log: Log) -> Iterator[Violation]:
    """A run ends once: nobody ever saw another end than the one that is stored."""
    for run, status in log.ended.items():
        stored = db.runs.get(bare(run))
        if stored and stored.status != status:
            yield Violation("one end", f"seen {status}, stored {stored.status}", run, stored.conversation_id)
    for q in log.requests:
        for run in q.runs:
            stored = db.runs.get(bare(run))
            if stored and q.stop_reasons - {stored.stop_reason}:
                text = f"told {q.stop_reasons}, stored {stored.stop_reason}"
                yield Violation("one end", text, run, stored.conversation_id)
            # One that waits for approval has ended already: the cancel denies what waits.
            waits = stored and stored.stop_reason == "requires_approval"
            if stored and q.cancelled == "cancelled" and stored.status != "cancelled" and not waits:
                yield Violation("one end", f"cancelled for its client, stored {stored.status}", run, stored.conversation_id)


def steps(db: Database, log: Log) -> Iterator[Violation]:
    """As many steps are stored as the run has counted: none was committed twice."""
    for run in db.runs.values():
        # What was approved runs in a step of its own, which is not counted because it asks no model.
        uncounted = 1 if run.decides else 0
        if not 0 <= db.steps.get(run.id, 0) - run.step_count <= uncounted:
            text = f"{db.steps.get(run.id, 0)} steps are stored, {run.step_count} were counted"
            yield Violation("steps", text, run.id, run.conversation_id)


# ---------------------------------------------------------------------------------------- conversations


def _by_conversation(db: Database) -> dict[str, list[Message]]:
    found: dict[str, list[Message]] = defaultdict(list)
    for m in db.messages:
        found[m.conversation_id].append(m)
    return found


def sequence(db: Database, log: Log) -> Iterator[Violation]:
    """The messages of a conversation are 0, 1, 2, … up to where it says that the next one comes."""
    for conversation, messages in _by_conversation(db).items():
        seqs = [m.seq for m in messages]
        if seqs != list(range(len(seqs))):
            odd = next(i for i, s in enumerate(seqs) if s != i)
            yield Violation("sequence", f"number {seqs[odd]} where {odd} belongs", messages[odd].run_id or "-", conversation)
        if db.conversations.get(conversation) != len(seqs):
            text = f"{len(seqs)} messages, and the next one would be {db.conversations.get(conversation)}"
            yield Violation("sequence", text, "-", conversation)


def ranges(db: Database, log: Log) -> Iterator[Violation]:
    """A run's messages lie in the range that it names."""
    for m in db.messages:
        run = db.runs.get(m.run_id or "")
        if run and (run.first_seq is None or not run.first_seq <= m.seq < (run.end_seq or 0)):
            text = f"message {m.seq} lies outside of [{run.first_seq}, {run.end_seq})"
            yield Violation("ranges", text, run.id, m.conversation_id)


def pairs(db: Database, log: Log) -> Iterator[Violation]:
    """Every call has one result, after it and before anybody goes on; only a last approval request waits."""
    for conversation, messages in _by_conversation(db).items():
        called: set[str] = set()
        waiting: dict[str, Message] = {}
        for m in messages:
            kind = m.content.get("kind")
            if kind == "tool_return":
                if waiting.pop(m.content["tool_call_id"], None) is None:
                    text = f"a result too many, of {m.content['tool_call_id']} at {m.seq}"
                    yield Violation("pairs", text, m.run_id or "-", conversation)
                continue
            if waiting and m.role in ("user", "assistant"):
                text = f"{sorted(waiting)} without a result before message {m.seq} ({m.role})"
                yield Violation("pairs", text, m.run_id or "-", conversation)
                waiting.clear()
            for call in m.content.get("calls") or []:
                if call["id"] in called:
                    yield Violation("pairs", f"the call {call['id']} is there twice", m.run_id or "-", conversation)
                called.add(call["id"])
                waiting[call["id"]] = m
        if waiting and messages[-1].role != "approval":
            run = next(iter(waiting.values())).run_id or "-"
            yield Violation("pairs", f"{sorted(waiting)} never got a result", run, conversation)


# ---------------------------------------------------------------------------------------- requests


def once(db: Database, log: Log) -> Iterator[Violation]:
    """A request is carried out once: one user message, one answer, one run, one effect of every call."""
    asked: Counter = Counter()
    answered: Counter = Counter()
    for m in db.messages:
        if m.role == "user":
            asked.update(set(MARKER.findall(m.text)))
        elif m.content.get("kind") == "assistant":
            said = [m.content.get("text") or ""]
            said += [c["arguments"] for c in m.content.get("calls") or [] if c["name"] == "send_message"]
            answered.update({x for text in said if "You said" in text for x in MARKER.findall(text)})
    for q in log.requests:
        run = db.runs.get(bare(next(iter(q.runs)))) if q.runs else None
        who = (run.id, run.conversation_id) if run else (f"of {q.marker}", q.conversation or q.agent.id)
        if len(q.runs) > 1:
            yield Violation("once", f"{q.otid} led to the runs {sorted(q.runs)}", *who)
        if len(q.answers) > 1:
            yield Violation("once", f"{q.otid} was answered differently: {sorted(q.answers)}", *who)
        if q.decision:
            continue
        if asked[q.marker] > 1:
            yield Violation("once", f"{asked[q.marker]} user messages say {q.marker}", *who)
        if answered[q.marker] > 1:
            yield Violation("once", f"{answered[q.marker]} answers to {q.marker}", *who)
        if run and run.status == "completed":
            wanted = 1 if run.stop_reason == "end_turn" else answered[q.marker]
            if (asked[q.marker], answered[q.marker]) != (1, wanted):
                text = f"{q.marker} is completed with {asked[q.marker]} user messages and {answered[q.marker]} answers"
                yield Violation("once", text, *who)
        if asked[q.marker] and set(q.outcomes) == {"refused"} and not q.unknown:
            yield Violation("once", f"{q.marker} was refused, and carried out", *who)


def names(db: Database, log: Log) -> Iterator[Violation]:
    """A caller's own id stands in a conversation once, and leads to the run that wrote it."""
    seen: Counter = Counter()
    wrote: dict[tuple[str, str], str | None] = {}
    for m in db.messages:
        if m.role == "user" and m.otid:
            seen[m.conversation_id, m.otid] += 1
            wrote[m.conversation_id, m.otid] = m.run_id
    for (conversation, otid), n in seen.items():
        if n > 1:
            yield Violation("names", f"{otid} stands there {n} times", wrote[conversation, otid] or "-", conversation)
    for conversation, key, run in db.keys:
        if run not in db.runs:
            yield Violation("names", f"{key} leads to a run that does not exist", run, conversation)
        kind, _, text = key.partition(":")
        if kind == "otid" and wrote.get((conversation, text), run) != run:
            text = f"{key} leads to one run and was written by {wrote[conversation, text]}"
            yield Violation("names", text, run, conversation)


def effects(db: Database, log: Log) -> Iterator[Violation]:
    """Every call that succeeded wrote its note once, every other one never; completed requests made all of theirs."""
    written: Counter = Counter()
    for text in [*db.passages, *db.blocks]:
        written.update(NOTE.findall(text))
    results: dict[tuple[str, str], str] = {}
    calls: dict[str, list[tuple[Message, str]]] = defaultdict(list)
    for m in db.messages:
        if m.content.get("kind") == "tool_return":
            results[m.conversation_id, m.content["tool_call_id"]] = m.content["status"]
        for call in m.content.get("calls") or []:
            if call["name"] != "send_message":
                for note in NOTE.findall(call["arguments"]):
                    calls[note].append((m, call["id"]))
    for note, made in calls.items():
        m, _ = made[0]
        good = sum(results.get((m.conversation_id, call)) == "success" for m, call in made)
        if len(made) > 1:
            yield Violation("effects", f"{len(made)} calls write «{note}»", m.run_id or "-", m.conversation_id)
        if written[note] != good:
            text = f"«{note}» was written {written[note]} times by {good} calls that say so"
            yield Violation("effects", text, m.run_id or "-", m.conversation_id)
    for note in written:
        if note not in calls:
            yield Violation("effects", f"«{note}» was written without a call")
    for q in log.requests:
        run = db.runs.get(bare(next(iter(q.runs)))) if q.runs else None
        if run and run.status == "completed" and run.stop_reason == "end_turn":
            for note in q.notes:
                if note not in calls:
                    yield Violation("effects", f"«{note}» was never called for", run.id, run.conversation_id)


def shown(db: Database, log: Log) -> Iterator[Violation]:
    """A message that a client was shown whole is stored, under the same id, in the run it was shown for."""
    stored = {m.id: m for m in db.messages}
    for q in log.requests:
        for message, kind in q.shown.items():
            m = stored.get(bare(message))
            if m is None:
                where = (next(iter(q.runs), "-"), q.conversation or q.agent.id)
                yield Violation("shown", f"{message} ({kind}) was shown and is not stored", *where)
            elif m.run_id and q.runs and m.run_id not in map(bare, q.runs):
                yield Violation("shown", f"{message} ({kind}) is of another run", m.run_id, m.conversation_id)


def events(db: Database, log: Log) -> Iterator[Violation]:
    """The kept events of a run have no gap."""
    for run, (lowest, highest, count) in db.events.items():
        if highest - lowest + 1 != count or lowest > 1:
            yield Violation("events", f"{count} events from {lowest} to {highest}", run)


def clients(db: Database, log: Log) -> Iterator[Violation]:
    """What clients complained of; and every request got a definite answer."""
    for text in log.problems:
        yield Violation("clients", text)
    for q in log.requests:
        where = (next(iter(q.runs), "-"), q.conversation or q.agent.id)
        for text in q.problems:
            yield Violation("clients", f"{q.marker} ({q.kind}): {text}", *where)
        if "given up" in q.outcomes or not q.outcomes:
            yield Violation("clients", f"{q.marker} ({q.kind}) never got a definite answer, {q.attempts} attempts", *where)


RULES = [lost_runs, open_runs, one_end, steps, sequence, ranges, pairs, once, names, effects, shown, events, clients]


def check(db: Database, log: Log) -> dict[str, list[Violation]]:
    """The violations of each rule."""
    return {rule.__name__: list(rule(db, log)) for rule in RULES}


def excerpt(db: Database, conversation: str, about: str, around: int = 8) -> list[str]:
    """The part of a conversation that is wrong, for whoever has to find out why."""
    messages = [m for m in db.messages if m.conversation_id == conversation]
    near = next((i for i, m in enumerate(messages) if about in (m.run_id, m.id) or about in json.dumps(m.content)), 0)
    return [
        f"{m.seq:5} {m.role:9} {m.run_id or '-':36} {json.dumps(m.content)[:150]}"
        for m in messages[max(0, near - 2):near + around]
    ]
