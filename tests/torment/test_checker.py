"""Each rule objects to what it is there for, and to nothing in a good run."""

import asyncio
import copy
import sys
import time
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1] / "lib")]

import checker  # noqa: E402
import exits  # noqa: E402
import faults  # noqa: E402
from readers import Ledger, Stream  # noqa: E402
from rows import Database, Message, Run  # noqa: E402
from traffic import Agent, Request  # noqa: E402

NOTE = "note 0 of req-000001-end"


def said(text):
    return {"kind": "parts", "parts": [{"type": "text", "text": text}]}


def called(call_id, note=NOTE, name="archival_memory_insert"):
    call = {"id": call_id, "name": name, "arguments": f'{{"content": "{note}"}}'}
    return {"kind": "assistant", "text": None, "calls": [call]}


def returned(call_id, status="success"):
    return {"kind": "tool_return", "tool_call_id": call_id, "status": status}


class World:
    """One conversation with one request that was asked, called a tool, and was answered; all well."""

    def __init__(self):
        agent = Agent("agent-c1", "letta_v1_agent", "m", False, [None], 9)
        self.request = Request(
            1, agent, None, "plain", text="…", notes=[NOTE], runs={"run-r1"}, outcomes=["answered"],
            stop_reasons={"end_turn"}, answers={("message-m4",)}, shown={"message-m4": "assistant_message"},
        )
        contents = [
            ("system", None, {}),
            ("user", "torment-000001", said(f"[[call archival_memory_insert {{\"content\": \"{NOTE}\"}}]] req-000001-end")),
            ("assistant", None, called("call-1")),
            ("tool", None, returned("call-1")),
            ("assistant", None, {"kind": "assistant", "text": "You said: req-000001-end", "calls": []}),
        ]
        self.db = Database(
            messages=[
                Message(f"m{i}", "c1", i, role, otid, "r1" if i else None, content)
                for i, (role, otid, content) in enumerate(contents)
            ],
            runs={"r1": Run("r1", "c1", "completed", "end_turn", step_count=2, first_seq=1, end_seq=5)},
            conversations={"c1": 5}, steps={"r1": 2}, passages=[NOTE], blocks=["Notes:"],
            keys=[("c1", "otid:torment-000001", "r1")], events={"r1": (1, 7, 7)},
        )
        self.log = checker.Log([self.request], {"run-r1": "completed"})

    @property
    def run(self) -> Run:
        return self.db.runs["r1"]

    def append(self, role, content, run="r1", otid=None):
        seq = len(self.db.messages)
        self.db.messages.append(Message(f"m{seq}", "c1", seq, role, otid, run, content))
        self.db.conversations["c1"] = self.run.end_seq = seq + 1

    def objections(self) -> set[str]:
        return {name for name, found in checker.check(self.db, self.log).items() if found}


def test_a_good_world_has_no_violations():
    assert World().objections() == set()


def test_a_run_that_waits_for_approval_at_the_end_is_good():
    w = World()
    w.append("approval", called("call-2", "note 0 of req-000002-end"))
    assert w.objections() == set()
    # … but nobody may go on before it has its result.
    w.append("user", said("on we go"))
    assert w.objections() == {"pairs"}


CASES = {
    "lost_runs": lambda w: w.log.ended.update({"run-gone": "completed"}),
    "open_runs": lambda w: vars(w.run).update(status="running"),
    "open_runs: failed without reason": lambda w: vars(w.run).update(status="failed", stop_reason="error"),
    "open_runs: no time": lambda w: vars(w.run).update(has_end=False),
    "one_end": lambda w: w.log.ended.update({"run-r1": "cancelled"}),
    "one_end: told otherwise": lambda w: w.request.stop_reasons.add("cancelled"),
    "one_end: cancelled in vain": lambda w: vars(w.request).update(cancelled="cancelled"),
    "steps": lambda w: w.db.steps.update(r1=3),
    "steps: one is missing": lambda w: w.db.steps.update(r1=1),
    "sequence": lambda w: vars(w.db.messages[4]).update(seq=5),
    "sequence: twice": lambda w: vars(w.db.messages[4]).update(seq=3),
    "sequence: next": lambda w: w.db.conversations.update(c1=6),
    "ranges": lambda w: vars(w.run).update(end_seq=4),
    "ranges: none": lambda w: vars(w.run).update(first_seq=None),
    "pairs": lambda w: vars(w.db.messages[3]).update(content={}),
    "pairs: at the end": lambda w: w.append("assistant", called("call-9", "x")),
    "pairs: two results": lambda w: w.append("tool", returned("call-1")),
    "pairs: result first": lambda w: vars(w.db.messages[1]).update(role="tool", content=returned("call-7")),
    "pairs: same call again": lambda w: (w.append("assistant", called("call-1", "x")), w.append("tool", returned("call-1"))),
    "once": lambda w: w.append("user", said("req-000001-end")),
    "once: answer": lambda w: w.append("assistant", {"kind": "assistant", "text": "You said: req-000001-end"}),
    "once: spoken answer": lambda w: (
        w.append("assistant", called("call-8", "You said: req-000001-end", "send_message")),
        w.append("tool", returned("call-8"))),
    "once: two runs": lambda w: (
        w.request.runs.add("run-r2"), w.db.runs.update(r2=Run("r2", "c1", "cancelled", "cancelled"))),
    "once: two answers": lambda w: w.request.answers.add(("message-m3",)),
    "once: no user message": lambda w: vars(w.db.messages[1]).update(content=said("…")),
    "once: refused and done": lambda w: vars(w.request).update(outcomes=["refused"]),
    "names": lambda w: w.append("user", said("…"), otid="torment-000001"),
    "names: run of a key": lambda w: w.db.keys.append(("c1", "key:x", "r9")),
    "names: another run": lambda w: (
        w.db.runs.update(r2=Run("r2", "c1", "cancelled", "cancelled")),
        w.db.keys.append(("c1", "otid:torment-000001", "r2"))),
    "effects": lambda w: w.db.passages.append(NOTE),
    "effects: block": lambda w: w.db.blocks.append(f"Notes:\n{NOTE}"),
    "effects: missing": lambda w: w.db.passages.clear(),
    "effects: failed call": lambda w: vars(w.db.messages[3]).update(content=returned("call-1", "error")),
    "effects: unasked": lambda w: w.db.passages.append("note 0 of req-000077-end"),
    "effects: called twice": lambda w: (
        w.append("assistant", called("call-2")), w.append("tool", returned("call-2")), w.db.passages.append(NOTE)),
    "effects: not called": lambda w: w.request.notes.append("note 1 of req-000001-end"),
    "shown": lambda w: w.request.shown.update({"message-m9": "assistant_message"}),
    "shown: another run": lambda w: (w.db.runs.update(r2=copy.copy(w.run)), vars(w.db.messages[4]).update(run_id="r2")),
    "events": lambda w: w.db.events.update(r1=(1, 7, 6)),
    "events: beginning": lambda w: w.db.events.update(r1=(3, 7, 5)),
    "clients": lambda w: w.log.problems.append("node1 answered 500"),
    "clients: of a request": lambda w: w.request.problem("a gap"),
    "clients: given up": lambda w: w.request.outcomes.append("given up"),
    "clients: never over": lambda w: w.request.outcomes.clear(),
}


@pytest.mark.parametrize("case", CASES)
def test_every_rule_objects(case):
    w = World()
    CASES[case](w)
    assert case.partition(":")[0] in w.objections()


def test_every_rule_has_a_case():
    assert {case.partition(":")[0] for case in CASES} == {rule.__name__ for rule in checker.RULES}


def test_results_of_an_unknown_attempt_may_come_after_a_refusal():
    w = World()
    w.request.outcomes, w.request.unknown = ["refused"], 1
    assert w.objections() == set()


# -- streams


def frames(stream: Stream, *texts: bytes) -> list[str]:
    for text in texts:
        stream._frame(text, None)
    return stream.problems


def frame(seq, word="x", run="run-1"):
    return b'{"id": "message-1", "message_type": "assistant_message", "run_id": "%s", "seq_id": %d, "content": "%s"}' % (
        run.encode(), seq, word.encode())


def test_readers_find_gaps_repetitions_and_differences():
    ledger = Ledger()
    assert not frames(Stream(ledger), frame(1), frame(2), frame(3))
    assert not frames(Stream(ledger, after=1), frame(2), frame(3)) and ledger.compared == 2 and not ledger.problems
    assert "a gap" in frames(Stream(ledger), frame(2))[0]
    assert "a repetition" in frames(Stream(ledger), frame(1), frame(1))[0]
    assert not ledger.problems
    frames(Stream(ledger, after=2), frame(3, "y"))
    assert "number 3 was" in ledger.problems[0]
    assert "two runs" in frames(Stream(None), frame(1), frame(2, run="run-2"))[0]


# -- the plan


def test_a_seed_is_a_plan():
    assert faults.plan(7, 30, 3, 20) == faults.plan(7, 30, 3, 20) != faults.plan(8, 30, 3, 20)
    kinds = [f.kind for f in faults.plan(7, 30, 3, 20)]
    assert set(faults.MIX) <= set(kinds)
    assert sum(faults.PROCESSES.get(k, 0) for k in kinds) >= 20
    assert not {"pair", "all", "freeze"} & {f.kind for f in faults.plan(7, 30, 1, 20)}


# -- the ends of processes

NORMAL = {"state": "up", "told": False, "database_away": False, "log": "stopped"}
TAKEN = "engram: cannot listen on localhost:20001: Address already in use (os error 98)"
MAY = {
    "in order": {"told": True, "status": 0},
    "in order without Postgres": {"told": True, "status": 0, "database_away": True},
    "the start gave up, Postgres is away": {"state": "starting", "status": 1, "database_away": True},
    "somebody was on its port": {"state": "starting", "status": 1, "log": TAKEN},
    "told before it listened for it": {"state": "starting", "told": True, "status": -15},
    "told while it started": {"state": "starting", "told": True, "status": 1},
}
MAY_NOT = {
    "by itself": {"status": 1},
    "by itself, in order": {"status": 0},
    "by itself, though Postgres is away": {"status": 1, "database_away": True},
    "with an error after SIGTERM": {"told": True, "status": 1},
    "with an error after SIGTERM while Postgres is away": {"told": True, "status": 1, "database_away": True},
    "a crash while it leaves": {"told": True, "status": -11},
    "by a SIGTERM that it did not handle": {"told": True, "status": -15},
    "an abort while it starts": {"state": "starting", "status": -6, "database_away": True},
    "a start that fails with Postgres there": {"state": "starting", "status": 1},
    "a panic": {"told": True, "status": 0, "log": "thread 'main' panicked at src/main.rs:1:1:"},
    "a panic while it starts": {"state": "starting", "told": True, "status": 101, "log": "panicked at x"},
}


@pytest.mark.parametrize("case", MAY)
def test_ends_that_are_in_order(case):
    assert exits.complaint(**{**NORMAL, **MAY[case]}) is None


@pytest.mark.parametrize("case", MAY_NOT)
def test_ends_that_are_violations(case):
    assert exits.complaint(**{**NORMAL, **MAY_NOT[case]})


def test_a_panic_is_found_in_a_log():
    log = ["all is well", "thread 'tokio-runtime-worker' panicked at actors/engine/src/agent.rs:9:9:", "boom"]
    assert len(exits.panics("node1", log)) == 1 and not exits.panics("node1", log[:1])


class Processes:
    """A cluster without processes: who runs, who was started while it ran, who was hit while it was away."""

    def __init__(self, count: int):
        self.nodes = [FakeNode(i) for i in range(count)]
        self.failures: list[str] = []
        self.killed = 0

    def launch(self, node):
        assert not node.running, "started twice"
        node.become("starting")
        node.running = True

    async def start(self, node):
        self.launch(node)
        await asyncio.sleep(0.02)
        node.become("up")
        return 0.02

    def kill(self, node):
        assert node.running, "killed in vain"
        node.running = False
        node.become("down")
        self.killed += 1
        return True

    async def leave(self, node):
        assert node.running, "sent a SIGTERM in vain"
        await asyncio.sleep(0.02)
        node.running = False
        node.become("down")
        return 0.02

    def freeze(self, node):
        assert node.running
        node.become("frozen")

    def thaw(self, node):
        node.become("up")


class FakeNode:
    def __init__(self, index: int):
        self.index, self.name, self.state, self.running = index, f"node{index}", "up", True
        self.server = self

    def become(self, state: str):
        self.state = state

    def signal(self, _):
        assert self.running


class SlowToNote:
    """As the real one, which asks the database before it lets the fault go on."""

    async def hit(self, node, how):
        await asyncio.sleep(0.03)


@pytest.mark.parametrize("seed", range(4))
def test_no_node_is_hit_by_two_faults_at_once(seed):
    """Once it was: a `term` asked the database first, a `kill` came between, and both started the node again."""
    kinds = ["term", "kill", "term_kill", "freeze", "kill", "pair", "term", "all"] * 2
    plan = [faults.Fault(0.01 * i, kind, (i + seed) % 3, 0.01) for i, kind in enumerate(kinds)]
    cluster = Processes(3)
    breaker = faults.Breaker(cluster, SlowToNote())
    asyncio.run(breaker.run(plan, time.monotonic() + 20))
    assert breaker.kills == cluster.killed >= 12 and not cluster.failures
    assert all(node.running and node.state == "up" for node in cluster.nodes)
