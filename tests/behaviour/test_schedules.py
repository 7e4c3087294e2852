"""Schedules: what a caller may say beyond what the SDK declares, what is said about it, and that each time comes once:
also when the server was dead at that time, and when there are two."""

import contextlib
import time
from datetime import datetime

import pytest
from conftest import NEW, Api, clear_error, spoken
from testkit.postgres import fresh_database
from testkit.server import EngramServer

HELLO = [{"role": "user", "content": "hello"}]


def schedule(api, agent, messages=HELLO, **when):
    return api.post(f"/v1/agents/{agent}/schedule", json={"messages": messages, "schedule": when})


def test_an_interval_and_a_zone(new):
    agent = new.agent(timezone="Asia/Tokyo")
    answer = schedule(new, agent, type="interval", every_seconds=90)
    assert answer.status_code == 201
    shown = new.ok("GET", f"/v1/agents/{agent}/schedule/{answer.json()['id']}")
    assert shown["schedule"] == {"type": "interval", "every_seconds": 90}
    zones = {
        "Asia/Tokyo": schedule(new, agent, type="recurring", cron_expression="0 12 1 1 *"),
        "UTC": schedule(new, agent, type="recurring", cron_expression="0 12 1 1 *", timezone="UTC"),
    }
    for zone, answer in zones.items():
        created = answer.json()
        shown = new.ok("GET", f"/v1/agents/{agent}/schedule/{created['id']}")
        assert shown["schedule"]["timezone"] == zone
        hour = "03" if zone == "Asia/Tokyo" else "12"
        assert shown["next_scheduled_time"] == created["next_scheduled_at"]
        assert created["next_scheduled_at"].endswith(f"-01-01T{hour}:00:00.000000Z")


@pytest.mark.parametrize(
    "when, loc",
    [
        ({}, "scheduled_at"),
        ({"type": "sometimes"}, "type"),
        ({"scheduled_at": "tomorrow"}, "scheduled_at"),
        ({"scheduled_at": 1e300}, "scheduled_at"),
        ({"scheduled_at": 0}, "scheduled_at"),
        ({"type": "recurring"}, "cron_expression"),
        ({"type": "recurring", "cron_expression": "* * * *"}, "cron_expression"),
        ({"type": "recurring", "cron_expression": "0 0 30 2 *"}, "cron_expression"),
        ({"type": "recurring", "cron_expression": "@daily", "timezone": "Atlantis"}, "timezone"),
        ({"type": "interval"}, "every_seconds"),
        ({"type": "interval", "every_seconds": 0}, "every_seconds"),
        ({"type": "interval", "every_seconds": 1.5}, "every_seconds"),
        ({"type": "interval", "every_seconds": 1e18}, "every_seconds"),
    ],
)
def test_a_wrong_time_is_named(new, when, loc):
    error = clear_error(schedule(new, new.agent(), **when), 422)
    assert error["detail"][0]["loc"] == ["body", "schedule", loc]


def test_a_wrong_message_is_named(new):
    agent, soon = new.agent(), {"scheduled_at": (time.time() + 60) * 1000}
    loc = lambda messages: clear_error(schedule(new, agent, messages, **soon), 422)["detail"][0]["loc"]
    assert loc([]) == ["body", "messages"]
    assert loc([{"role": "user"}]) == ["body", "messages", 0, "content"]
    assert loc([*HELLO, {"type": "approval", "approve": True}]) == ["body", "messages", 1, "type"]
    body = {"messages": HELLO, "schedule": soon, "max_steps": -1}
    error = clear_error(new.post(f"/v1/agents/{agent}/schedule", json=body), 422)
    assert error["detail"][0]["loc"] == ["body", "max_steps"]
    assert new.ok("GET", f"/v1/agents/{agent}/schedule") == {"scheduled_messages": [], "has_next_page": False}


def test_a_schedule_is_its_agents(new):
    one, two = new.agent(), new.agent()
    made = schedule(new, one, type="interval", every_seconds=3600).json()["id"]
    for method in ("GET", "DELETE"):
        assert made in clear_error(new.request(method, f"/v1/agents/{two}/schedule/{made}"), 404)["detail"]
    assert new.ok("DELETE", f"/v1/agents/{one}/schedule/{made}") == {"success": True}
    nobody = "agent-123e4567-e89b-42d3-8456-426614174000"
    clear_error(schedule(new, nobody, type="interval", every_seconds=3600), 404)
    clear_error(new.get(f"/v1/agents/{nobody}/schedule"), 404)


def once(api, agent, seconds: float, text: str) -> str:
    """A message in so many seconds; the id of its schedule."""
    when = {"type": "one-time", "scheduled_at": (time.time() + seconds) * 1000}
    answer = schedule(api, agent, [{"role": "user", "content": text}], **when)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def shown(api, agent, made) -> dict:
    return api.ok("GET", f"/v1/agents/{agent}/schedule/{made}")


def over(api, agent, made, seconds: float = 20) -> dict:
    """The schedule once its run is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        state = shown(api, agent, made)
        if state["last_run_status"] in ("completed", "failed"):
            return state
        time.sleep(0.05)
    raise AssertionError(f"{state} after {seconds} s")


def runs(api, agent) -> list[dict]:
    return api.ok("GET", "/v1/runs/", params={"agent_id": agent, "ascending": True, "limit": 1000})


def second(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_a_time_that_has_come_is_a_run_once(new):
    agent = new.agent()
    asked = time.time()
    made = once(new, agent, 1, "wake up")
    state = shown(new, agent, made)
    assert (state["last_run_id"], state["last_run_status"]) == (None, None) and runs(new, agent) == []
    state = over(new, agent, made)
    assert 0.9 < time.time() - asked < 10
    assert state["last_run_status"] == "completed" and state["next_scheduled_time"] is None
    (run,) = runs(new, agent)
    assert run["id"] == state["last_run_id"] and run["metadata"]["schedule_id"] == made
    assert spoken(new.messages(agent)) == ["You said: wake up"]
    time.sleep(2.5)
    assert len(runs(new, agent)) == 1, "two looks later it is still one"
    assert new.ok("DELETE", f"/v1/agents/{agent}/schedule/{made}") == {"success": True}
    assert len(runs(new, agent)) == 1


def test_a_time_whose_run_fails_says_so(new):
    agent = new.agent("openai/fault-401")
    state = over(new, agent, once(new, agent, 0.2, "this fails"))
    assert state["last_run_status"] == "failed"
    assert new.ok("GET", f"/v1/runs/{state['last_run_id']}")["stop_reason"] == "llm_api_error"


def test_an_interval_keeps_its_beat_until_it_is_deleted(new):
    agent = new.agent()
    made = schedule(new, agent, type="interval", every_seconds=1).json()["id"]
    deadline = time.monotonic() + 20
    while len(runs(new, agent)) < 3 and time.monotonic() < deadline:
        time.sleep(0.1)
    state = shown(new, agent, made)
    assert state["next_scheduled_time"] > state["last_scheduled_at"] and state["last_run_id"]
    new.ok("DELETE", f"/v1/agents/{agent}/schedule/{made}")
    ended = [new.finished(run["id"]) for run in runs(new, agent)]
    assert len(ended) >= 3 and {run["status"] for run in ended} == {"completed"}
    time.sleep(2.5)
    assert len(runs(new, agent)) == len(ended), "nothing comes of one that is deleted"
    assert spoken(new.messages(agent)) == ["You said: hello"] * len(ended)


def test_what_came_while_the_server_was_dead_is_made_up_for_once(tmp_path):
    server = EngramServer(data_dir=tmp_path / "data")
    server.start()
    try:
        with contextlib.closing(Api(server.url, NEW)) as api:
            agent, other = api.agent(), api.agent()
            made = once(api, agent, 1.5, "over the downtime")
            # Due three times and more before the server is back.
            beat = schedule(api, other, type="interval", every_seconds=1).json()["id"]
            server.kill()
            time.sleep(3.5)
            back = time.time()
            server.start()
            assert over(api, agent, made)["last_run_status"] == "completed"
            over(api, other, beat)
            api.ok("DELETE", f"/v1/agents/{other}/schedule/{beat}")
            times = [second(run["created_at"]) for run in runs(api, other)]
            after = [t for t in times if t >= back]
            assert len(times) - len(after) <= 1, "one at most before the kill"
            assert 1 <= len(after) <= 2 + int(after[-1] - after[0]), "what was missed is one run, then the beat goes on"
            # And again with a run in its middle: neither lost nor doubled.
            late = once(api, agent, 0.3, "in the middle")
            while shown(api, agent, late)["last_run_id"] is None:
                time.sleep(0.02)
            server.kill()
            server.start()
            assert over(api, agent, late)["last_run_status"] == "completed"
            time.sleep(1.5)
            assert len(runs(api, agent)) == 2
            assert spoken(api.messages(agent)) == ["You said: over the downtime", "You said: in the middle"]
    finally:
        server.stop()


def test_of_two_servers_one_begins_each_time(mock):
    with contextlib.ExitStack() as stack:
        uri = stack.enter_context(fresh_database("schedules"))
        servers = [stack.enter_context(EngramServer(env=mock.server_env, pg_uri=uri)) for _ in range(2)]
        one, two = [stack.enter_context(contextlib.closing(Api(s.url, NEW))) for s in servers]
        agents = [one.agent() for _ in range(8)]
        beat = schedule(two, agents[0], type="interval", every_seconds=1).json()["id"]
        made = [once((one, two)[i % 2], agent, 1.5, f"for {i}") for i, agent in enumerate(agents)]
        states = [over(two, agent, schedule_id) for agent, schedule_id in zip(agents, made)]
        assert {state["last_run_status"] for state in states} == {"completed"}
        time.sleep(2.5)
        one.ok("DELETE", f"/v1/agents/{agents[0]}/schedule/{beat}")
        assert [len(runs(one, agent)) for agent in agents[1:]] == [1] * 7
        times = [run for run in runs(two, agents[0]) if run["metadata"]["schedule_id"] == beat]
        first, last = (run["created_at"] for run in (times[0], times[-1]))
        assert 3 <= len(times) <= 2 + int(second(last) - second(first)), "no second has two"
