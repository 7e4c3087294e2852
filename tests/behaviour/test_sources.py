"""Passages are worked into a memory block by a sleep-time agent that is gone when it has done so.

The built-in model obeys `[[call NAME {…}]]` in what it is told last, so an order in a passage is what the reader does.
"""

import contextlib
import time

from conftest import NEW, Api, call, clear_error
from testkit.server import EngramServer

LABEL = "employee_handbook"


def source(api, *agents: str, name: str = LABEL) -> str:
    body = {"name": name, "description": "What holds for all who work here.", "embedding": "engram/embed"}
    archive = api.ok("POST", "/v1/archives/", json=body)["id"]
    for agent in agents:
        assert api.patch(f"/v1/agents/{agent}/archives/attach/{archive}").status_code < 300
    return archive


def add(api, archive: str, *texts: str, **more):
    body = {"passages": [{"text": text} for text in texts], **more}
    return api.post(f"/v1/archives/{archive}/passages/batch", json=body)


def note(text: str, label: str = LABEL) -> str:
    return call("memory_insert", label=label, new_string=text) + f" {text}"


def readers(api, agent: str) -> list[dict]:
    found = api.ok("GET", "/v1/agents/", params={"limit": 1000})
    return [a for a in found if a["metadata"].get("archive_id") and a["metadata"].get("primary_agent_id") == agent]


def blocks(api, agent: str) -> dict[str, str]:
    return {b["label"]: b["value"] for b in api.ok("GET", f"/v1/agents/{agent}/core-memory/blocks")}


def gone(api, agent: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while left := readers(api, agent):
        assert time.monotonic() < deadline, [(a["name"], a["last_stop_reason"]) for a in left]
        time.sleep(0.1)


def test_passages_are_worked_into_the_block_of_their_source(new):
    agent = new.agent(enable_sleeptime=True, name="Ada")
    (companion,) = new.ok("GET", f"/v1/agents/{agent}")["multi_agent_group"]["agent_ids"]
    archive = source(new, agent)
    # Enough text between the two for a second message.
    answer = add(new, archive, note("30 days off."), "z" * 20_000, note("No hats indoors."), sleeptime=True)
    assert answer.status_code == 200 and [len(p["text"]) for p in answer.json()][1] == 20_000, answer.text[:500]
    assert blocks(new, agent)[LABEL] == "" and LABEL in blocks(new, companion), "it is there at once, and shared"
    (reader,) = readers(new, agent)
    assert reader["name"] == f"Ada-sleeptime-{LABEL}" and reader["agent_type"] == "sleeptime_agent"
    assert "What holds for all who work here." in blocks(new, reader["id"])["instructions"]
    assert set(blocks(new, reader["id"])) == {LABEL, "instructions"}, "it sees nothing of the people"
    first, *_, last = new.ok("GET", "/v1/runs/", params={"agent_id": reader["id"], "ascending": True})
    assert first["metadata"]["primary_agent_id"] == agent and first["id"] != last["id"]
    gone(new, agent)
    lines = blocks(new, agent)[LABEL].strip().splitlines()
    assert lines == ["30 days off.", "No hats indoors."]
    described = new.ok("GET", f"/v1/agents/{agent}/core-memory/blocks/{LABEL}")["description"]
    assert described == f'What is in "{LABEL}": What holds for all who work here.'
    clear_error(new.get(f"/v1/agents/{reader['id']}"), 404)
    assert new.ok("GET", "/v1/blocks/", params={"label": "instructions"}) == []
    # What comes later goes into the same block.
    add(new, archive, note("Tea at four."), sleeptime=True)
    gone(new, agent)
    assert blocks(new, agent)[LABEL].strip().splitlines()[-1] == "Tea at four."
    assert new.said(agent, "hello") == ["You said: hello"]


def test_only_where_it_is_wished_for_and_possible(new):
    agent, awake = new.agent(enable_sleeptime=True), new.agent()
    archive = source(new, agent, awake)
    assert add(new, archive, "just a passage").status_code == 200
    assert readers(new, agent) == [] and LABEL not in blocks(new, agent)
    assert add(new, archive, note("for one of the two"), sleeptime=True).status_code == 200
    gone(new, agent)
    assert LABEL in blocks(new, agent) and LABEL not in blocks(new, awake)
    lonely = source(new, awake)
    clear_error(add(new, lonely, "nobody sleeps here", sleeptime=True), 400)
    clear_error(add(new, "archive-123e4567-e89b-42d3-8456-426614174000", "nowhere", sleeptime=True), 404)


def test_a_reader_that_fails_stays_for_a_while_and_says_why(new):
    agent = new.agent("openai/fault-401", enable_sleeptime=True)
    archive = source(new, agent)
    add(new, archive, "unreadable", sleeptime=True)
    (reader,) = readers(new, agent)
    (run,) = new.ok("GET", "/v1/runs/", params={"agent_id": reader["id"]})
    assert new.finished(run["id"])["stop_reason"] == "llm_api_error"
    time.sleep(2)
    assert [a["id"] for a in readers(new, agent)] == [reader["id"]]
    new.delete(f"/v1/agents/{agent}")
    gone(new, agent)


def test_kill_9_leaves_nobody_behind_and_loses_no_passage(tmp_path):
    server = EngramServer(data_dir=tmp_path / "data")
    server.start()
    try:
        with contextlib.closing(Api(server.url, NEW)) as api:
            agent = api.agent(enable_sleeptime=True)
            archive = source(api, agent)
            texts = [text for i in range(6) for text in (note(f"Rule {i}."), "z" * 20_000)]
            for _ in range(2):
                assert add(api, archive, *texts[:4], sleeptime=True).status_code == 200
                texts = texts[4:]
                server.kill()
                server.start()
            assert add(api, archive, *texts, sleeptime=True).status_code == 200
            time.sleep(0.4)
            server.kill()
            server.start()
            gone(api, agent)
            lines = blocks(api, agent)[LABEL].strip().splitlines()
            assert sorted(lines) == [f"Rule {i}." for i in range(6)]
    finally:
        server.stop()
