"""Schedules, and groups as agents show them, with the new generation of the Python SDK (letta-client 1.x).

Needs a running server: ENGRAM_URL, and the handles ENGRAM_MODEL and ENGRAM_EMBEDDING.
"""

import os
import time
from datetime import datetime, timedelta, timezone

import letta_client
import pytest
from letta_client import Letta

URL = os.environ["ENGRAM_URL"]
MODEL = os.environ.get("ENGRAM_MODEL", "engram/scripted")
EMBEDDING = os.environ.get("ENGRAM_EMBEDDING", "engram/embed")
HELLO = [{"role": "user", "content": "Good morning!"}]


@pytest.fixture(scope="module")
def client():
    # Strict: every answer has to fit its declared type.
    with Letta(base_url=URL, api_key="none", timeout=60, _strict_response_validation=True) as c:
        yield c


@pytest.fixture()
def agent(client):
    state = client.agents.create(model=MODEL, embedding=EMBEDDING, timezone="America/New_York")
    yield state.id
    client.agents.delete(state.id)


def in_an_hour() -> float:
    return (time.time() + 3600) * 1000


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def test_once(client, agent):
    at = in_an_hour()
    created = client.agents.schedule.create(agent, messages=HELLO, schedule={"type": "one-time", "scheduled_at": at})
    assert abs(moment(created.next_scheduled_at).timestamp() * 1000 - at) < 2
    found = client.agents.schedule.retrieve(created.id, agent_id=agent)
    assert (found.id, found.agent_id, found.next_scheduled_time) == (created.id, agent, created.next_scheduled_at)
    assert found.schedule.type == "one-time" and found.schedule.scheduled_at == int(at)
    (message,) = found.message.messages
    assert message.role == "user" and message.content[0].text == "Good morning!"
    assert (found.last_scheduled_at, found.last_run_id, found.last_run_status) == (None, None, None)
    # The type may be left out.
    created = client.agents.schedule.create(agent, messages=HELLO, schedule={"scheduled_at": at})
    assert client.agents.schedule.retrieve(created.id, agent_id=agent).schedule.type == "one-time"


def test_recurring_by_the_agents_clock(client, agent):
    created = client.agents.schedule.create(
        agent,
        messages=[{"role": "user", "content": [{"type": "text", "text": "Water the plants."}], "name": "garden"}],
        schedule={"type": "recurring", "cron_expression": "0 9 * * *"},
        max_steps=7,
        callback_url="http://127.0.0.1:9/done",
        include_return_message_types=["assistant_message"],
    )
    next_time = moment(created.next_scheduled_at)
    assert datetime.now(timezone.utc) < next_time <= datetime.now(timezone.utc) + timedelta(days=1)
    assert next_time.hour in (13, 14) and next_time.minute == 0  # nine in New York, in summer and in winter
    found = client.agents.schedule.retrieve(created.id, agent_id=agent)
    assert (found.schedule.type, found.schedule.cron_expression) == ("recurring", "0 9 * * *")
    assert found.schedule.timezone == "America/New_York"
    assert (found.message.max_steps, found.message.callback_url) == (7, "http://127.0.0.1:9/done")
    assert found.message.include_return_message_types == ["assistant_message"]
    assert found.message.messages[0].name == "garden"


def test_a_list_page_by_page(client, agent):
    assert client.agents.schedule.list(agent).scheduled_messages == []
    ids = [
        client.agents.schedule.create(agent, messages=HELLO, schedule={"scheduled_at": in_an_hour()}).id
        for _ in range(3)
    ]
    everything = client.agents.schedule.list(agent)
    assert [s.id for s in everything.scheduled_messages] == ids and not everything.has_next_page
    first = client.agents.schedule.list(agent, limit="2")
    assert [s.id for s in first.scheduled_messages] == ids[:2] and first.has_next_page
    last = client.agents.schedule.list(agent, limit="2", after=first.scheduled_messages[-1].id)
    assert [s.id for s in last.scheduled_messages] == ids[2:] and not last.has_next_page
    assert client.agents.schedule.delete(ids[0], agent_id=agent).success is True
    with pytest.raises(letta_client.NotFoundError, match=ids[0]):
        client.agents.schedule.retrieve(ids[0], agent_id=agent)
    with pytest.raises(letta_client.NotFoundError, match=ids[0]):
        client.agents.schedule.delete(ids[0], agent_id=agent)


def test_what_makes_no_sense_is_named(client, agent):
    def refused(messages=HELLO, **schedule):
        with pytest.raises(letta_client.UnprocessableEntityError) as error:
            client.agents.schedule.create(agent, messages=messages, schedule=schedule)
        return error.value.body["detail"][0]["loc"]

    assert refused(scheduled_at=0) == ["body", "schedule", "scheduled_at"]
    assert refused(scheduled_at=time.time() + 60) == ["body", "schedule", "scheduled_at"]  # seconds
    assert refused(type="recurring", cron_expression="daily") == ["body", "schedule", "cron_expression"]
    assert refused(messages=[], scheduled_at=in_an_hour()) == ["body", "messages"]
    wrong_role = [{"role": "king", "content": "x"}]
    assert refused(messages=wrong_role, scheduled_at=in_an_hour()) == ["body", "messages", 0, "role"]
    nobody = "agent-123e4567-e89b-42d3-8456-426614174000"
    with pytest.raises(letta_client.NotFoundError, match=nobody):
        client.agents.schedule.create(nobody, messages=HELLO, schedule={"scheduled_at": in_an_hour()})


def test_the_group_of_an_agent_has_its_declared_type(client, agent):
    member = client.agents.create(model=MODEL, embedding=EMBEDDING).id
    body = {
        "agent_ids": [member],
        "description": "background work",
        "manager_config": {"manager_type": "sleeptime", "manager_agent_id": agent, "sleeptime_agent_frequency": 2},
    }
    group = client.post("/v1/groups/", cast_to=object, body=body)
    state = client.agents.retrieve(agent)
    assert state.managed_group.id == state.multi_agent_group.id == group["id"]
    assert (state.managed_group.manager_type, state.managed_group.sleeptime_agent_frequency) == ("sleeptime", 2)
    assert (state.managed_group.agent_ids, state.managed_group.turns_counter) == ([member], -1)
    listed = {a.id: a for a in client.agents.list()}
    assert listed[agent].managed_group.id == group["id"] and listed[member].managed_group is None
    client.agents.delete(member)
    assert client.agents.retrieve(agent).managed_group.agent_ids == []
