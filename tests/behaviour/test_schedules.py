"""Schedules: what a caller may say beyond what the SDK declares, and what is said about it."""

import time

import pytest
from conftest import clear_error

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
