"""Sleep-time and schedules that come due, with the new generation of the Python SDK (letta-client 1.x).

Needs a running server: ENGRAM_URL, and the handles ENGRAM_MODEL and ENGRAM_EMBEDDING.
"""

import json
import os
import time

import pytest
from letta_client import Letta

URL = os.environ["ENGRAM_URL"]
MODEL = os.environ.get("ENGRAM_MODEL", "engram/scripted")
EMBEDDING = os.environ.get("ENGRAM_EMBEDDING", "engram/embed")


@pytest.fixture(scope="module")
def client():
    # Strict: every answer has to fit its declared type.
    with Letta(base_url=URL, api_key="none", timeout=60, _strict_response_validation=True) as c:
        yield c


@pytest.fixture()
def agent(client):
    state = client.agents.create(
        model=MODEL,
        embedding=EMBEDDING,
        memory_blocks=[{"label": "human", "value": "Name: Chad"}],
        enable_sleeptime=True,
    )
    yield state
    client.agents.delete(state.id)


def tell(client, agent: str, text: str):
    return client.agents.messages.create(agent, messages=[{"role": "user", "content": text}])


def worked(client, agent: str, count: int):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        runs = client.runs.list(agent_id=agent).items
        if len(runs) >= count and all(r.status in ("completed", "failed") for r in runs):
            return runs
        time.sleep(0.1)
    raise AssertionError(f"{runs} instead of {count} runs")


def wish(client, agent, **members):
    group = agent.multi_agent_group
    body = {"manager_config": {"manager_type": "sleeptime", **members}}
    return client.patch(f"/v1/groups/{group.id}", cast_to=object, body=body)


def test_what_the_companion_writes_the_agent_has(client, agent):
    group = agent.multi_agent_group
    assert (group.manager_type, group.sleeptime_agent_frequency, group.turns_counter) == ("sleeptime", 5, -1)
    (companion,) = group.agent_ids
    assert client.agents.retrieve(companion).agent_type == "sleeptime_agent"
    wish(client, agent, sleeptime_agent_frequency=2)
    note = json.dumps({"label": "human", "new_string": "Likes tea."})
    tell(client, agent.id, "Good morning")
    tell(client, agent.id, f"I like tea. [[call memory_insert {note}]]")
    (run,) = worked(client, companion, 1)
    assert run.status == "completed" and run.metadata["primary_agent_id"] == agent.id
    assert client.agents.blocks.retrieve("human", agent_id=agent.id).value == "Name: Chad\nLikes tea."


def test_the_agent_still_fits_its_type_with_wishes_of_ours(client, agent):
    wish(client, agent, idle_minutes=0.5, schedule={"type": "interval", "every_seconds": 3600})
    group = client.agents.retrieve(agent.id).managed_group
    assert group.sleeptime_agent_frequency == 5 and group.to_dict()["idle_minutes"] == 0.5
    assert group.to_dict()["schedule"] == {"type": "interval", "every_seconds": 3600}


def test_sleeptime_is_given_and_taken(client, agent):
    assert client.agents.update(agent.id, enable_sleeptime=False).managed_group is None
    state = client.agents.update(agent.id, enable_sleeptime=True)
    assert state.enable_sleeptime is True and state.managed_group.manager_type == "sleeptime"


def test_a_schedule_that_comes_due_says_what_became_of_it(client):
    agent = client.agents.create(model=MODEL, embedding=EMBEDDING).id
    try:
        soon = {"type": "one-time", "scheduled_at": (time.time() + 1) * 1000}
        made = client.agents.schedule.create(agent, messages=[{"role": "user", "content": "It is time"}], schedule=soon)
        (run,) = worked(client, agent, 1)
        found = client.agents.schedule.retrieve(made.id, agent_id=agent)
        assert (found.last_run_id, found.last_run_status, found.next_scheduled_time) == (run.id, "completed", None)
        assert [m.content for m in client.agents.messages.list(agent).items if m.message_type == "assistant_message"] == [
            "You said: It is time"
        ]
    finally:
        client.agents.delete(agent)
