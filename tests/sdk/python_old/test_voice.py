"""A voice agent as the documentation creates and configures it, with the old generation of the Python SDK.

Needs a running server: ENGRAM_URL, and the handles ENGRAM_MODEL and ENGRAM_EMBEDDING.
"""

import os

import pytest
from letta_client import Letta, MessageCreate, VoiceSleeptimeManagerUpdate
from letta_client.errors import UnprocessableEntityError

MODEL = os.environ.get("ENGRAM_MODEL", "engram/scripted")
EMBEDDING = os.environ.get("ENGRAM_EMBEDDING", "engram/embed")


@pytest.fixture(scope="module")
def client():
    return Letta(base_url=os.environ["ENGRAM_URL"], timeout=60)


def create(client, **more):
    return client.agents.create(
        agent_type="voice_convo_agent",
        memory_blocks=[
            {"value": "Name: ?", "label": "human"},
            {"value": "You are a helpful assistant.", "label": "persona"},
        ],
        model=MODEL,
        embedding=EMBEDDING,
        initial_message_sequence=[],
        **more,
    )


def test_the_documented_way(client):
    agent = create(client, enable_sleeptime=True)
    try:
        group = agent.multi_agent_group
        assert (group.max_message_buffer_length, group.min_message_buffer_length) == (30, 15)
        group = client.groups.modify(
            group_id=group.id,
            manager_config=VoiceSleeptimeManagerUpdate(max_message_buffer_length=10, min_message_buffer_length=6),
        )
        assert (group.max_message_buffer_length, group.min_message_buffer_length) == (10, 6)
        (companion,) = [agent_id for agent_id in group.agent_ids if agent_id != agent.id]
        changed = client.agents.modify(agent_id=companion, model=MODEL)
        assert changed.agent_type == "voice_sleeptime_agent"
        answer = client.agents.messages.create(agent.id, messages=[MessageCreate(role="user", content="hello")])
        assert [m.content for m in answer.messages if m.message_type == "assistant_message"] == ["You said: hello"]
    finally:
        client.agents.delete(agent.id)


def test_the_voice_route(client):
    agent = create(client, enable_sleeptime=True)
    try:
        answer = client.voice.create_voice_chat_completions(
            agent.id, request={"messages": [{"role": "user", "content": "hello"}], "stream": False}
        )
        assert answer["choices"][0]["message"]["content"] == "You said: hello"
    finally:
        client.agents.delete(agent.id)


def test_without_a_companion_there_is_none(client):
    with pytest.raises(UnprocessableEntityError):
        create(client)
