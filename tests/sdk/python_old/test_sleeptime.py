"""Sleep-time with the old generation of the Python SDK (letta-client 0.1.x), as the documentation shows it.

Needs a running server: ENGRAM_URL, and the handles ENGRAM_MODEL and ENGRAM_EMBEDDING.
"""

import json
import os
import time

import pytest
from letta_client import Letta, MessageCreate, SleeptimeManagerUpdate

URL = os.environ["ENGRAM_URL"]
MODEL = os.environ.get("ENGRAM_MODEL", "engram/scripted")
EMBEDDING = os.environ.get("ENGRAM_EMBEDDING", "engram/embed")


@pytest.fixture(scope="module")
def client():
    return Letta(base_url=URL, timeout=60)


@pytest.fixture()
def agent(client):
    state = client.agents.create(
        memory_blocks=[
            {"value": "Name: Chad", "label": "human"},
            {"value": "You are a helpful assistant.", "label": "persona"},
        ],
        model=MODEL,
        embedding=EMBEDDING,
        enable_sleeptime=True,
    )
    yield state
    client.agents.delete(state.id)


def tell(client, agent: str, text: str):
    return client.agents.messages.create(agent, messages=[MessageCreate(role="user", content=text)])


def worked(client, companion: str, count: int):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        runs = client.runs.list(agent_ids=[companion])
        if len(runs) >= count and all(r.status in ("completed", "failed") for r in runs):
            return runs
        time.sleep(0.1)
    raise AssertionError(f"{runs} instead of {count} runs")


def test_the_documentations_example(client, agent):
    group = agent.multi_agent_group
    assert (group.manager_type, group.manager_agent_id, group.sleeptime_agent_frequency) == ("sleeptime", agent.id, 5)
    assert agent.enable_sleeptime is True
    # As the documentation spells it, which is not as the SDK declares it.
    config = SleeptimeManagerUpdate(sleep_time_agent_frequency=2)
    changed = client.groups.modify(group_id=group.id, manager_config=config)
    assert changed.sleep_time_agent_frequency == changed.sleeptime_agent_frequency == 2 and changed.turns_counter == -1
    companion = client.agents.retrieve(group.agent_ids[0])
    assert companion.agent_type == "sleeptime_agent" and companion.model == agent.model
    labels = lambda a: {b.label for b in client.agents.blocks.list(a)}
    assert labels(companion.id) == labels(agent.id) | {"memory_persona"}


def test_what_the_companion_writes_the_agent_has(client, agent):
    group = agent.multi_agent_group
    client.groups.modify(
        group_id=group.id, manager_config=SleeptimeManagerUpdate(manager_agent_id=agent.id, sleeptime_agent_frequency=2)
    )
    note = json.dumps({"label": "human", "new_string": "Likes tea."})
    tell(client, agent.id, "Good morning")
    tell(client, agent.id, f"I like tea. [[call memory_insert {note}]]")
    (run,) = worked(client, group.agent_ids[0], 1)
    assert run.status == "completed" and run.metadata["primary_agent_id"] == agent.id
    assert client.agents.blocks.retrieve(agent_id=agent.id, block_label="human").value == "Name: Chad\nLikes tea."
    state = client.groups.retrieve(group.id)
    assert state.turns_counter == 1 and state.last_processed_message_id.startswith("message-")


def test_wishes_that_the_sdk_does_not_know_of(client, agent):
    """What is ours goes in as a further member, comes out as one, and is nothing where it is not used."""
    group = agent.multi_agent_group
    assert not {"idle_minutes", "schedule"} & set(group.model_dump())
    config = SleeptimeManagerUpdate(manager_agent_id=agent.id, idle_minutes=15)
    state = client.groups.modify(group_id=group.id, manager_config=config)
    assert (state.idle_minutes, state.sleeptime_agent_frequency) == (15, 5)
