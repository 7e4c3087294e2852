"""Voice agents: they speak over chat completions, their context is kept short, and a companion keeps what leaves it.

The built-in model obeys `[[call NAME {…}]]` in what it is told last, and a companion is told a transcript: an order in the
words of the user is tried by the agent, which has no such tool, and again by the companion, which has.
"""

import contextlib
import json
import time

import pytest
from conftest import NEW, Api, Stream, call, clear_error, spoken
from test_sleeptime import runs, value, worked
from testkit.server import EngramServer


def voice(api, most: int | None = None, least: int | None = None, **more) -> tuple[str, str, str]:
    """A voice agent, its companion and their group."""
    agent = api.agent(agent_type="voice_convo_agent", enable_sleeptime=True, initial_message_sequence=[], **more)
    group = api.ok("GET", f"/v1/agents/{agent}")["multi_agent_group"]
    if most:
        lengths = {"max_message_buffer_length": most, "min_message_buffer_length": least}
        body = {"manager_config": {"manager_type": "voice_sleeptime", **lengths}}
        changed = api.ok("PATCH", f"/v1/groups/{group['id']}", json=body)
        assert lengths.items() <= changed.items()
    return agent, group["agent_ids"][0], group["id"]


def talk(api, agent: str, text: str) -> str:
    """Says it as a voice pipeline does. Returns what is heard."""
    body = {"messages": [{"role": "user", "content": text}], "stream": True}
    stream = Stream(api.post(f"/v1/voice-beta/{agent}/chat/completions", json=body))
    assert stream.done and not stream.errors, stream.text
    pieces = [c["delta"]["content"] for f in stream.frames for c in f["choices"] if c["delta"]["content"]]
    assert len(pieces) > 1, "it came in one piece"
    return "".join(pieces)


def in_context(api, agent: str) -> int:
    """Messages in context, the system message not counted."""
    return len(api.ok("GET", f"/v1/agents/{agent}/context")["messages"]) - 1


def transcript(api, run: dict) -> list[str]:
    messages = api.ok("GET", f"/v1/runs/{run['id']}/messages")
    (text,) = [m["content"] for m in messages if m["message_type"] == "user_message" and "\n\nMessages:\n" in m["content"]]
    return text.split("\n\nMessages:\n")[1].split("\n")


def test_it_comes_with_a_companion_and_a_group(api):
    agent = api.agent(agent_type="voice_convo_agent", enable_sleeptime=True, name="Ada")
    state = api.ok("GET", f"/v1/agents/{agent}")
    assert state["agent_type"] == "voice_convo_agent" and state["enable_sleeptime"] is True
    assert {t["name"] for t in state["tools"]} == {"send_message", "search_memory"}
    assert [(r["tool_name"], r["type"]) for r in state["tool_rules"]] == [("send_message", "exit_loop")]
    assert "voice" in state["system"]
    assert len(state["message_ids"]) == 4, "it begins as its kind does"
    group = state["multi_agent_group"]
    expected = {
        "manager_type": "voice_sleeptime", "manager_agent_id": agent, "max_message_buffer_length": 30,
        "min_message_buffer_length": 15, "sleeptime_agent_frequency": None, "turns_counter": None,
    }
    assert expected.items() <= group.items()
    (companion,) = group["agent_ids"]
    mate = api.ok("GET", f"/v1/agents/{companion}")
    assert (mate["name"], mate["agent_type"]) == ("Ada-sleeptime", "voice_sleeptime_agent")
    tools = {"store_memories", "rethink_user_memory", "finish_rethinking_memory"}
    assert {t["name"] for t in mate["tools"]} == tools and mate["tool_rules"] == []
    ids = {b["label"]: b["id"] for b in state["memory"]["blocks"]}
    theirs = {b["label"]: b["id"] for b in mate["memory"]["blocks"]}
    assert theirs.pop("memory_persona") and theirs == ids
    api.ok("DELETE", f"/v1/agents/{agent}")
    clear_error(api.get(f"/v1/agents/{companion}"), 404)


@pytest.mark.parametrize("more", [{}, {"enable_sleeptime": False}, {"enable_sleeptime": None}])
def test_without_a_companion_there_is_no_voice_agent(api, more):
    body = {"agent_type": "voice_convo_agent", "model": "engram/scripted", "embedding": "engram/embed", **more}
    problem = clear_error(api.post("/v1/agents/", json=body), 422)["detail"][0]
    assert problem["loc"] == ["body", "enable_sleeptime"]


def test_a_companion_can_be_made_alone(api):
    agent = api.agent(agent_type="voice_sleeptime_agent")
    state = api.ok("GET", f"/v1/agents/{agent}")
    assert state["multi_agent_group"] is None and state["tool_rules"] == []
    assert len(state["message_ids"]) == 1
    answer = api.tell(agent, call("store_memories", chunks=[]) + call("rethink_user_memory", new_memory="Name: Sam"))
    returns = [m for m in answer.json()["messages"] if m["message_type"] == "tool_return_message"]
    # In the order of its loop, and without a transcript there is nothing to store.
    assert [(r["name"], r["status"]) for r in returns] == [
        ("store_memories", "error"), ("rethink_user_memory", "success"), ("finish_rethinking_memory", "success")
    ]
    assert "no transcript" in returns[0]["tool_return"]
    assert value(api, agent, "human") == "Name: Sam"


def test_it_speaks_in_chunks_and_does_not_think_aloud(api):
    agent, _, _ = voice(api)
    assert talk(api, agent, "hello there") == "You said: hello there"
    assert api.said(agent, "and here") == ["You said: and here"], "its own routes work too"
    schemas = api.ok("GET", f"/v1/agents/{agent}/context")["functions_definitions"] or []
    assert schemas and not any("thinking" in json.dumps(s) for s in schemas), "nobody waits for thoughts"


def test_what_leaves_the_context_is_kept_by_one_run_of_the_companion(api):
    agent, companion, group = voice(api, most=12, least=6)
    kept = call("store_memories", chunks=[{"start_index": 0, "end_index": 0, "context": "Ada's cat is called Ökonom."}])
    known = call("rethink_user_memory", new_memory="Name: Ada\nHas a cat, Ökonom.")
    talk(api, agent, f"Listen {kept}{known} well")
    turns = 0
    while api.ok("GET", f"/v1/groups/{group}")["last_processed_message_id"] is None:
        turns += 1
        assert turns < 20, "nothing has left"
        before = in_context(api, agent)
        assert before <= 12
        assert talk(api, agent, f"turn {turns}") == f"You said: turn {turns}"
        if in_context(api, agent) < before:
            break
    assert 6 <= in_context(api, agent) <= 12
    (run,) = worked(api, companion, 1)
    assert run["status"] == "completed" and run["metadata"]["primary_agent_id"] == agent, run
    lines = transcript(api, run)
    assert lines[0].startswith("0. user: Listen [[call store_memories")
    assert [line.split(". ")[0] for line in lines] == [str(n) for n in range(len(lines))]
    done = api.ok("GET", f"/v1/runs/{run['id']}/messages", params={"order": "asc"})
    returns = [m for m in done if m["message_type"] == "tool_return_message"]
    assert [(r["name"], r["status"]) for r in returns] == [
        ("store_memories", "success"), ("rethink_user_memory", "success"), ("finish_rethinking_memory", "success")
    ]
    assert value(api, agent, "human") == value(api, companion, "human") == "Name: Ada\nHas a cat, Ökonom."
    # What was archived is the agent's, and its own tool finds it.
    (passage,) = api.ok("GET", f"/v1/agents/{agent}/archival-memory")
    assert passage["text"].startswith("Ada's cat is called Ökonom.\nuser: Listen")
    assert api.ok("GET", f"/v1/agents/{companion}/archival-memory") == []
    answer = api.tell(agent, call("search_memory", convo_keyword_queries=["Ökonom"]) + " what is my cat called?")
    (found,) = [m for m in answer.json()["messages"] if m["message_type"] == "tool_return_message" and m["name"] == "search_memory"]
    assert "Ada's cat is called" in found["tool_return"] and '"memories"' in found["tool_return"]
    assert spoken(answer.json()["messages"]) == ["You said: what is my cat called?"], "after the search it speaks"
    # What was said is still there, and said once.
    assert sum(m.get("content") == "turn 1" for m in api.messages(agent)) == 1
    time.sleep(1.5)
    assert len(runs(api, companion)) == 1


def test_another_length_holds_from_now_on_and_without_companions_there_is_none(api):
    agent, companion, group = voice(api)
    for n in range(5):
        talk(api, agent, f"turn {n}")
    assert in_context(api, agent) == 15
    lengths = {"max_message_buffer_length": 4, "min_message_buffer_length": 3}
    api.ok("PATCH", f"/v1/groups/{group}", json={"manager_config": {"manager_type": "voice_sleeptime", **lengths}})
    talk(api, agent, "turn 5")
    assert in_context(api, agent) == 3
    (run,) = worked(api, companion, 1)
    assert sum(". user: turn" in line for line in transcript(api, run)) == 5
    api.ok("PATCH", f"/v1/agents/{agent}", json={"enable_sleeptime": False})
    for n in range(3):
        talk(api, agent, f"again {n}")
    assert in_context(api, agent) == 12


def test_a_time_window_alone_finds_what_was_said(new):
    agent, _, _ = voice(new)
    talk(new, agent, "I like tea")
    for arguments, there in [({"start_minutes_ago": 5}, True), ({"end_minutes_ago": 5}, False)]:
        answer = new.tell(agent, call("search_memory", **arguments) + " look").json()["messages"]
        (found,) = [m for m in answer if m["message_type"] == "tool_return_message" and m["name"] == "search_memory"]
        assert ("I like tea" in found["tool_return"]) == there, found
    empty = new.tell(agent, call("search_memory") + " look").json()["messages"]
    assert any("at least one keyword" in m["tool_return"] for m in empty if m["message_type"] == "tool_return_message")


def test_after_kill_9_everything_that_left_is_told_once(tmp_path):
    server = EngramServer(data_dir=tmp_path / "data")
    server.start()
    try:
        with contextlib.closing(Api(server.url, NEW)) as api:
            agent, companion, _ = voice(api, most=6, least=3)
            for n in range(9):
                assert talk(api, agent, f"turn {n}.") == f"You said: turn {n}."
                if n % 3 == 1:
                    server.kill()
                    server.start()
            assert in_context(api, agent) <= 6
            # Three messages a turn: of seven or more all but three leave. What leaves twice within a second may be one run.
            deadline, told = time.monotonic() + 20, ""
            while "user: turn 7." not in told and time.monotonic() < deadline:
                time.sleep(0.2)
                begun = [r for r in runs(api, companion) if r["status"] == "completed"]
                told = "\n".join(line for run in begun for line in transcript(api, run))
            assert [told.count(f"user: turn {n}.") for n in range(9)] == [1] * 8 + [0]
    finally:
        server.stop()
