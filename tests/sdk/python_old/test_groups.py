"""Groups with the old generation of the Python SDK (letta-client 0.1.x), the one that has them.

Needs a running server: ENGRAM_URL, and the handles ENGRAM_MODEL and ENGRAM_EMBEDDING.
"""

import json
import os

import pytest
from letta_client import (
    DynamicManager,
    Letta,
    MessageCreate,
    RoundRobinManager,
    RoundRobinManagerUpdate,
    SleeptimeManager,
    SleeptimeManagerUpdate,
    SupervisorManager,
    TextContent,
    UpdateUserMessage,
    VoiceSleeptimeManager,
    VoiceSleeptimeManagerUpdate,
)
from letta_client.core.api_error import ApiError
from letta_client.errors import UnprocessableEntityError

URL = os.environ["ENGRAM_URL"]
MODEL = os.environ.get("ENGRAM_MODEL", "engram/scripted")
EMBEDDING = os.environ.get("ENGRAM_EMBEDDING", "engram/embed")


@pytest.fixture(scope="module")
def client():
    return Letta(base_url=URL, timeout=60)


@pytest.fixture(scope="module")
def agents(client):
    blocks = [{"label": "human", "value": "Name: Chad"}]
    made = [client.agents.create(model=MODEL, embedding=EMBEDDING, memory_blocks=blocks).id for _ in range(3)]
    yield made
    for agent in made:
        client.agents.delete(agent)


@pytest.fixture()
def made(client):
    """Groups to be deleted when the test is over."""
    ids = []
    yield ids
    for group in ids:
        try:
            client.groups.delete(group)
        except ApiError as error:
            assert error.status_code == 404


def test_a_round_robin(client, agents, made):
    group = client.groups.create(
        agent_ids=agents, description="a panel", manager_config=RoundRobinManager(max_turns=3)
    )
    made.append(group.id)
    assert group.id.startswith("group-")
    assert (group.manager_type, group.agent_ids, group.max_turns) == ("round_robin", agents, 3)
    assert (group.manager_agent_id, group.shared_block_ids, group.turns_counter) == (None, [], None)
    assert client.groups.retrieve(group.id) == group
    group = client.groups.modify(
        group.id,
        agent_ids=agents[:2],
        description="a smaller panel",
        manager_config=RoundRobinManagerUpdate(max_turns=5),
    )
    assert (group.agent_ids, group.description, group.max_turns) == (agents[:2], "a smaller panel", 5)


def test_the_default_is_a_round_robin(client, agents, made):
    group = client.groups.create(agent_ids=agents[:1], description="just one")
    made.append(group.id)
    assert (group.manager_type, group.max_turns) == ("round_robin", None)


def test_every_other_kind(client, agents, made):
    lead, *members = agents
    kinds = {
        "supervisor": SupervisorManager(manager_agent_id=lead),
        "dynamic": DynamicManager(manager_agent_id=lead, max_turns=4),
        "sleeptime": SleeptimeManager(manager_agent_id=lead, sleeptime_agent_frequency=3),
        "voice_sleeptime": VoiceSleeptimeManager(
            manager_agent_id=lead, max_message_buffer_length=30, min_message_buffer_length=15
        ),
    }
    for name, config in kinds.items():
        group = client.groups.create(agent_ids=members, description=name, manager_config=config)
        made.append(group.id)
        assert (group.manager_type, group.manager_agent_id, group.agent_ids) == (name, lead, members)
        assert group.termination_token == ("DONE!" if name == "dynamic" else None)
        assert group.turns_counter == (-1 if name == "sleeptime" else None)
        listed = client.groups.list(manager_type=name)
        assert group.id in [g.id for g in listed] and {g.manager_type for g in listed} == {name}
    group = client.groups.modify(
        made[-1], manager_config=VoiceSleeptimeManagerUpdate(max_message_buffer_length=40, min_message_buffer_length=20)
    )
    assert (group.max_message_buffer_length, group.min_message_buffer_length) == (40, 20)
    # The one that works in the background is what the agent shows.
    assert client.agents.retrieve(lead).multi_agent_group.id in made[-2:]
    assert client.agents.retrieve(members[0]).multi_agent_group is None


def test_the_frequency_as_the_documentation_changes_it(client, agents, made):
    """Word for word: the documentation's spelling is not the SDK's."""
    created = client.groups.create(
        agent_ids=agents[1:2],
        description="sleep",
        manager_config=SleeptimeManager(manager_agent_id=agents[0], sleeptime_agent_frequency=5),
    )
    made.append(created.id)
    agent = client.agents.retrieve(agents[0])
    group_id = agent.multi_agent_group.id
    assert agent.multi_agent_group.sleep_time_agent_frequency == 5
    group = client.groups.modify(
        group_id=group_id,
        manager_config=SleeptimeManagerUpdate(
            sleep_time_agent_frequency=2
        ),
    )
    assert (group.sleeptime_agent_frequency, group.sleep_time_agent_frequency) == (2, 2)
    assert group.manager_agent_id == agents[0]


def test_lists_and_counts(client, agents, made):
    before = client.groups.count()
    for n in range(3):
        made.append(client.groups.create(agent_ids=agents[:1], description=str(n), project_id="lists").id)
    assert client.groups.count() == before + 3
    listed = [g.id for g in client.groups.list(project_id="lists")]
    assert listed == made, "the oldest first"
    assert [g.id for g in client.groups.list(project_id="lists", after=made[0], limit=1)] == made[1:2]
    assert [g.id for g in client.groups.list(project_id="lists", order="desc")] == made[::-1]
    assert [g.id for g in client.groups.list(project_id="lists", before=made[1])] == made[:1]
    assert set(made) <= {g.id for g in client.agents.groups.list(agents[0])}
    assert client.agents.groups.list(agents[0], manager_type="swarm") == []


def test_a_shared_block_is_every_agents(client, agents, made):
    block = client.blocks.create(label="goal", value="Sell hats.")
    group = client.groups.create(
        agent_ids=agents[1:],
        description="shops",
        manager_config=SupervisorManager(manager_agent_id=agents[0]),
        shared_block_ids=[block.id],
    )
    made.append(group.id)
    assert group.shared_block_ids == [block.id]
    for agent in agents:
        assert client.agents.blocks.retrieve(agent_id=agent, block_label="goal").id == block.id
    assert client.groups.modify(group.id, shared_block_ids=[]).shared_block_ids == []
    for agent in agents:
        assert "goal" not in [b.label for b in client.agents.blocks.list(agent_id=agent)]
    client.blocks.delete(block.id)


def test_what_does_not_exist_is_named(client, agents, made):
    nobody = "agent-123e4567-e89b-42d3-8456-426614174000"
    with pytest.raises(ApiError) as error:
        client.groups.create(agent_ids=[nobody], description="x")
    assert error.value.status_code == 404 and nobody in str(error.value.body)
    with pytest.raises(UnprocessableEntityError) as error:
        client.groups.create(agent_ids=[agents[0], agents[0]], description="x")
    assert "agent_ids" in str(error.value.body)
    group = client.groups.create(agent_ids=agents[:1], description="x")
    client.groups.delete(group.id)
    with pytest.raises(ApiError) as error:
        client.groups.retrieve(group.id)
    assert error.value.status_code == 404 and group.id in str(error.value.body)


def tell(text):
    return [MessageCreate(role="user", content=[TextContent(text=text)])]


def test_members_answer_one_after_the_other(client, agents, made):
    group = client.groups.create(agent_ids=agents[:2], description="a panel")
    made.append(group.id)
    names = [client.agents.retrieve(agent).name for agent in agents[:2]]
    answer = client.groups.messages.create(group_id=group.id, messages=tell("hello"))
    said = [m for m in answer.messages if m.message_type == "assistant_message"]
    assert [m.name for m in said] == names
    assert said[0].content == "You said: hello" and said[1].content == "You said: You said: hello"
    assert answer.usage.step_count == 2

    chunks = list(client.groups.messages.create_stream(group_id=group.id, messages=tell("again")))
    said = [c for c in chunks if c.message_type == "assistant_message"]
    assert [m.name for m in said] == names and said[0].content == "You said: again"
    assert chunks[-1].message_type == "usage_statistics"

    listed = client.groups.messages.list(group_id=group.id, limit=100)
    assert {m.name for m in listed if m.message_type == "assistant_message"} == set(names)
    first = listed[0]
    changed = client.groups.messages.modify(
        group_id=group.id, message_id=first.id, request=UpdateUserMessage(content="hello, both")
    )
    assert changed.content == "hello, both"
    client.groups.messages.reset(group.id)
    assert client.groups.messages.list(group_id=group.id) == []


def test_a_supervisor_answers_for_its_group(client, agents, made):
    group = client.groups.create(
        agent_ids=agents[1:], description="a team", manager_config=SupervisorManager(manager_agent_id=agents[0])
    )
    made.append(group.id)
    text = '[[call send_message_to_all_agents_in_group {"message": "report"}]] and?'
    answer = client.groups.messages.create(group_id=group.id, messages=tell(text))
    (result,) = [m for m in answer.messages if m.message_type == "tool_return_message"]
    assert [a["agent_id"] for a in json.loads(result.tool_return)] == agents[1:]
    assert answer.messages[-1].content == "You said: and?"
