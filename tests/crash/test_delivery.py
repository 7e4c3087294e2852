"""Each rule of delivery objects to what it is there for, and to nothing in a good run."""

import json
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent)]

import delivery  # noqa: E402
from rows import Database, Message, Run  # noqa: E402

A, B = "agent-a", "agent-b"


def said(text):
    return {"kind": "parts", "parts": [{"type": "text", "text": text}]}


class World:
    """One letter from a to b, which b has answered."""

    def __init__(self):
        letter = delivery.Letter(0, A, B)
        self.request = delivery.Request(0, A, True, [letter], runs={"run-1"})
        arguments = json.dumps({"message": letter.word, "other_agent_id": B})
        self.letter = said(f"{delivery.INCOMING} with ID '{A}']\n{letter.word}")
        self.answer = {"kind": "assistant", "text": f"You said: {letter.word}", "calls": []}
        self.db = Database()
        self.db.runs = {r: Run(r, c, "completed", "end_turn") for r, c in (("1", "a"), ("2", "b"))}
        for conversation, run, role, content in [
            ("a", None, "system", {}),
            ("a", "1", "user", said(self.request.text)),
            ("a", "1", "assistant", {"kind": "assistant", "calls": [{"id": "c1", "name": delivery.SEND, "arguments": arguments}]}),
            ("a", "1", "tool", {"kind": "tool_return", "tool_call_id": "c1", "status": "success"}),
            ("a", "1", "assistant", {"kind": "assistant", "text": "You said: request 0", "calls": []}),
            ("b", None, "system", {}),
            ("b", "2", "user", self.letter),
            ("b", "2", "assistant", self.answer),
        ]:
            self.append(conversation, run, role, content)

    def append(self, conversation, run, role, content):
        seq = self.db.conversations.get(conversation, 0)
        self.db.messages.append(Message(f"{conversation}{seq}", conversation, seq, role, None, run, content))
        self.db.conversations[conversation] = seq + 1
        if run:
            row = self.db.runs[run]
            row.first_seq = seq if row.first_seq is None else row.first_seq
            row.end_seq = seq + 1

    def without(self, role, conversation):
        """A message of this kind becomes one that says nothing."""
        next(m for m in self.db.messages if (m.role, m.conversation_id) == (role, conversation)).content = {}

    def objections(self):
        return {delivery.RULES[name].__name__ for name, found in delivery.check(self.db, [self.request]).items() if found}


def test_a_good_world_has_no_violations():
    assert World().objections() == set()


CASES = {
    "delivered": lambda w: w.without("user", "b"),
    "delivered: twice": lambda w: w.append("b", "2", "user", w.letter),
    "delivered: to somebody else": lambda w: w.append("a", "1", "user", w.letter),
    "delivered: nobody's": lambda w: w.append("b", "2", "user", said(f"{delivery.INCOMING} letter-000009-end")),
    "delivered: without its sender": lambda w: vars(w.db.messages[6]).update(
        content=said(f"{delivery.INCOMING}]\n{w.request.letters[0].word}")),
    "sent_once": lambda w: w.db.messages[3].content.update(status="error"),
    "sent_once: twice": lambda w: (
        w.append("a", "1", "assistant", {"calls": [{**w.db.messages[2].content["calls"][0], "id": "c2"}]}),
        w.append("a", "1", "tool", {"kind": "tool_return", "tool_call_id": "c2", "status": "success"})),
    "answered_once": lambda w: w.without("assistant", "b"),
    "answered_once: twice": lambda w: w.append("b", "2", "assistant", w.answer),
    "runs": lambda w: w.db.runs.pop("2"),
    "runs: failed": lambda w: vars(w.db.runs["2"]).update(status="failed", error="given up"),
    "runs: two for a request": lambda w: w.request.runs.add("run-2"),
    "runs: none for a request": lambda w: w.request.runs.clear(),
    "runs: lost": lambda w: vars(w.request).update(runs={"run-9"}),
    "well_formed": lambda w: vars(w.db.runs["2"]).update(status="running"),
    "well_formed: call without result": lambda w: w.without("tool", "a"),
    "well_formed: gap": lambda w: vars(w.db.messages[7]).update(seq=3),
}


@pytest.mark.parametrize("case", CASES)
def test_every_rule_objects(case):
    w = World()
    CASES[case](w)
    assert case.partition(":")[0] in w.objections()


def test_every_rule_has_a_case():
    assert {case.partition(":")[0] for case in CASES} == {rule.__name__ for rule in delivery.RULES.values()}


def test_a_seed_is_a_plan():
    agents = [f"agent-{i}" for i in range(20)]
    plan = delivery.plan(7, agents, 300)
    assert plan == delivery.plan(7, agents, 300) != delivery.plan(8, agents, 300)
    sent = [x for q in plan for x in q.letters]
    assert [x.number for x in sent] == list(range(300)) and all(x.sender != x.receiver for x in sent)
    assert {q.waits for q in plan} == {True, False} and {len(q.letters) for q in plan} == {1, 2, 3}
    moments = delivery.moments(7, 12, 1000)
    assert moments == sorted(moments) and min(b - a for a, b in zip(moments, moments[1:])) >= 30
