"""Who is awake: the admin route, and the command that draws it."""

import json
import os
import subprocess
import time

from conftest import clear_error
from testkit import paths


def tree(api, **params):
    return api.ok("GET", "/v1/admin/tree", params=params)


def find(shown: dict, agent: str) -> dict | None:
    everybody = shown["agents"] + [a for g in shown["groups"] for a in g["agents"]]
    return next((a for a in everybody if a["id"] == agent), None)


def engram(*arguments, **env) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(paths.server_binary()), *arguments], capture_output=True, text=True, timeout=60, env={**os.environ, **env}
    )


def test_what_an_agent_does_is_seen(new, mock):
    agent = new.agent("openai/gate", name="gatekeeper")
    runs = [
        new.ok("POST", f"/v1/agents/{agent}/messages/async", json={"messages": [{"role": "user", "content": str(n)}]})["id"]
        for n in range(3)
    ]
    deadline = time.monotonic() + 20
    while (shown := find(tree(new), agent) or {}).get("queued") != 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (shown["name"], shown["state"], shown["queued"], shown["role"]) == ("gatekeeper", "running", 2, None)
    (conversation,) = shown["conversations"]
    assert (conversation["id"], conversation["run_id"]) == ("default", runs[0])
    (node,) = tree(new)["nodes"]
    assert node["id"] == conversation["node_id"] and node["state"] == "alive" and node["live"] >= 1
    while new.ok("GET", f"/v1/runs/{runs[-1]}")["status"] != "completed" and time.monotonic() < deadline:
        mock.release()
        time.sleep(0.05)
    shown = find(tree(new), agent)
    assert (shown["state"], shown["queued"], shown["conversations"][0]["run_id"]) == ("idle", 0, None)


def test_groups_and_schedules(new, server):
    boss, worker = new.agent(name="boss"), new.agent(name="worker")
    body = {
        "agent_ids": [worker],
        "description": "at work",
        "manager_config": {"manager_type": "supervisor", "manager_agent_id": boss},
    }
    group = new.ok("POST", "/v1/groups/", json=body)["id"]
    when = {"messages": [{"role": "user", "content": "tick"}], "schedule": {"type": "interval", "every_seconds": 3600}}
    schedule = new.ok("POST", f"/v1/agents/{worker}/schedule", json=when)["id"]
    new.said(boss, "hello")
    shown = next(g for g in tree(new)["groups"] if g["id"] == group)
    assert (shown["manager_type"], shown["open_messages"]) == ("supervisor", 0)
    first, second = shown["agents"]
    assert (first["id"], first["role"], first["state"]) == (boss, "manager", "idle")
    assert (second["id"], second["role"], second["state"]) == (worker, "member", "asleep")
    assert [s["id"] for s in second["schedules"]] == [schedule] and second["schedules"][0]["next_at"]
    drawn = engram("tree", "--url", server.url)
    assert drawn.returncode == 0, drawn.stderr
    for text in (f"group supervisor  {group}  at work", "manager boss", "member worker", f"schedule interval  {schedule}"):
        assert text in drawn.stdout, drawn.stdout
    raw = json.loads(engram("tree", "--json", "--url", server.url).stdout)
    assert find(raw, boss)["role"] == "manager"
    new.ok("DELETE", f"/v1/groups/{group}")


def test_the_limit(new):
    one, two = new.agent(), new.agent()
    new.said(one, "hi"), new.said(two, "hi")
    shown = tree(new, limit=1)
    assert shown["not_shown"] >= 1
    for wrong in (0, 10_001):
        assert clear_error(new.get("/v1/admin/tree", params={"limit": wrong}), 422)["detail"][0]["loc"] == ["query", "limit"]


def test_no_server(server):
    gone = engram("tree", "--url", "http://127.0.0.1:9")
    assert gone.returncode == 1 and "no server answers at http://127.0.0.1:9" in gone.stderr, gone.stderr
