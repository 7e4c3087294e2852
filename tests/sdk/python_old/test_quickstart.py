"""The documentation's quick start with the old generation of the Python SDK (letta-client 0.1.x).

Needs a running server: ENGRAM_URL, and the handles ENGRAM_MODEL and ENGRAM_EMBEDDING. Works with the
built-in model and with any provider that follows the same rule (`tests/mock_openai.py`).
"""

import json
import os
import threading
import time
import uuid

import pytest
from letta_client import Letta
from letta_client.core.api_error import ApiError
from letta_client.errors import UnprocessableEntityError

URL = os.environ["ENGRAM_URL"]
MODEL = os.environ.get("ENGRAM_MODEL", "engram/scripted")
EMBEDDING = os.environ.get("ENGRAM_EMBEDDING", "engram/embed")

HUMAN = "The human's name is Chad. They like vibe coding."
PERSONA = "My name is Sam, the all-knowing sentient AI."


@pytest.fixture(scope="module")
def client():
    return Letta(base_url=URL, timeout=60)


@pytest.fixture()
def agent(client):
    state = client.agents.create(
        model=MODEL,
        embedding=EMBEDDING,
        memory_blocks=[{"label": "human", "value": HUMAN}, {"label": "persona", "value": PERSONA}],
    )
    yield state
    client.agents.delete(state.id)


def user(text):
    return {"role": "user", "content": text}


def call(name, **arguments):
    return f"[[call {name} {json.dumps(arguments)}]]"


def answers(messages):
    """What the agent said, one string a message."""
    return [m.content for m in messages if m.message_type == "assistant_message"]


def of_type(messages, kind):
    return [m for m in messages if m.message_type == kind]


# ------------------------------------------------------------------------------------------ agents


def test_health(client):
    health = client.health.check()
    assert health.status == "ok" and health.version


def test_quick_start_of_the_documentation(client):
    """Word for word, with the documentation's tools."""
    state = client.agents.create(
        model=MODEL,
        embedding=EMBEDDING,
        memory_blocks=[{"label": "human", "value": HUMAN}, {"label": "persona", "value": PERSONA}],
        tools=["web_search", "run_code"],
    )
    try:
        assert {"web_search", "run_code", "send_message"} <= {t.name for t in state.tools}
        response = client.agents.messages.create(agent_id=state.id, messages=[user("hows it going????")])
        assert answers(response.messages) == ["You said: hows it going????"]
    finally:
        client.agents.delete(state.id)


def test_created_agent_is_what_was_asked_for(client, agent):
    assert agent.id.startswith("agent-") and agent.name
    assert agent.agent_type == "memgpt_agent"  # the default of this generation
    assert {b.label: b.value for b in agent.memory.blocks} == {"human": HUMAN, "persona": PERSONA}
    assert all(b.limit >= 5000 and b.id.startswith("block-") for b in agent.memory.blocks)
    assert {
        "send_message", "conversation_search", "archival_memory_insert", "archival_memory_search",
        "core_memory_append", "core_memory_replace",
    } <= {t.name for t in agent.tools}
    assert agent.llm_config.handle == MODEL and agent.embedding_config.handle == EMBEDDING
    again = client.agents.retrieve(agent_id=agent.id)
    assert again.id == agent.id and again.system == agent.system


def test_agents_are_listed_counted_modified_and_deleted(client, agent):
    tag = f"t-{uuid.uuid4()}"
    changed = client.agents.modify(agent_id=agent.id, name="Renamed", tags=[tag], description="about")
    assert (changed.name, changed.tags, changed.description) == ("Renamed", [tag], "about")
    assert [a.id for a in client.agents.list(tags=[tag])] == [agent.id]
    assert tag in client.tags.list()
    assert client.agents.count() >= 1
    other = client.agents.create(model=MODEL, embedding=EMBEDDING)
    client.agents.delete(other.id)
    with pytest.raises(ApiError) as e:
        client.agents.retrieve(agent_id=other.id)
    assert e.value.status_code == 404


def test_models_are_listed(client):
    assert MODEL in [m.handle for m in client.models.list()]


# ------------------------------------------------------------------------------------------ messages


def test_send(client, agent):
    response = client.agents.messages.create(agent_id=agent.id, messages=[user("hows it going????")])
    assert answers(response.messages) == ["You said: hows it going????"]
    assert response.stop_reason.stop_reason == "end_turn"
    assert response.usage.step_count == 1
    assert response.usage.total_tokens == response.usage.prompt_tokens + response.usage.completion_tokens > 0
    # `send_message` is shown as what it means, and its result not at all.
    assert not of_type(response.messages, "tool_call_message")


def test_send_without_the_assistant_message_shortcut(client, agent):
    response = client.agents.messages.create(
        agent_id=agent.id, messages=[user("raw")], use_assistant_message=False
    )
    (sent,) = of_type(response.messages, "tool_call_message")
    assert sent.tool_call.name == "send_message"
    assert json.loads(sent.tool_call.arguments)["message"] == "You said: raw"
    (returned,) = of_type(response.messages, "tool_return_message")
    assert returned.tool_call_id == sent.tool_call.tool_call_id and returned.status == "success"


def test_memory_tool_changes_the_block(client, agent):
    text = f"Remember: {call('core_memory_append', label='human', content='Likes tuna.')} done?"
    response = client.agents.messages.create(agent_id=agent.id, messages=[user(text)])
    (made,) = of_type(response.messages, "tool_call_message")
    (returned,) = of_type(response.messages, "tool_return_message")
    assert made.tool_call.name == "core_memory_append"
    assert json.loads(made.tool_call.arguments)["content"] == "Likes tuna."
    assert returned.status == "success" and returned.tool_call_id == made.tool_call.tool_call_id
    assert returned.name == "core_memory_append"
    (answer,) = answers(response.messages)
    assert answer.startswith("You said: Remember:") and "done?" in answer
    assert response.usage.step_count == 2
    value = client.agents.blocks.retrieve(agent_id=agent.id, block_label="human").value
    assert value.startswith(HUMAN) and value.endswith("Likes tuna.")
    replaced = call("core_memory_replace", label="human", old_content="Likes tuna.", new_content="Hates tuna.")
    client.agents.messages.create(agent_id=agent.id, messages=[user(replaced)])
    value = client.agents.blocks.retrieve(agent_id=agent.id, block_label="human").value
    assert "Hates tuna." in value and "Likes tuna." not in value


def test_tool_error_is_told_and_the_agent_goes_on(client, agent):
    text = call("core_memory_append", label="nope", content="x") + " still here?"
    response = client.agents.messages.create(agent_id=agent.id, messages=[user(text)])
    (returned,) = of_type(response.messages, "tool_return_message")
    assert returned.status == "error" and "nope" in returned.tool_return
    assert "still here?" in answers(response.messages)[0]


def test_archival_memory_tools(client, agent):
    text = " ".join([
        call("archival_memory_insert", content="The launch code of the toy rocket is 7431."),
        call("archival_memory_search", query="launch code toy rocket"),
        "ok?",
    ])
    response = client.agents.messages.create(agent_id=agent.id, messages=[user(text)])
    returns = of_type(response.messages, "tool_return_message")
    assert [r.name for r in returns] == ["archival_memory_insert", "archival_memory_search"]
    assert all(r.status == "success" for r in returns) and "7431" in returns[1].tool_return


def test_stream_by_step(client, agent):
    text = call("core_memory_append", label="human", content="Streams.") + " one two three"
    chunks = list(client.agents.messages.create_stream(agent_id=agent.id, messages=[user(text)], stream_tokens=False))
    kinds = [c.message_type for c in chunks]
    assert kinds[-2:] == ["stop_reason", "usage_statistics"]
    assert kinds.index("tool_call_message") < kinds.index("tool_return_message") < kinds.index("assistant_message")
    assert kinds.count("tool_call_message") == kinds.count("tool_return_message") == 1
    assert answers(chunks) == ["You said: one two three"]
    assert chunks[-2].stop_reason == "end_turn" and chunks[-1].step_count == 2
    # This generation cannot read these.
    assert not {"ping", "error_message", "summary_message", "event_message"} & set(kinds)


def test_stream_by_token(client, agent):
    text = call("core_memory_append", label="human", content="Likes tokens.") + " one two three"
    chunks = list(client.agents.messages.create_stream(agent_id=agent.id, messages=[user(text)], stream_tokens=True))
    said = of_type(chunks, "assistant_message")
    assert len(said) > 1, "the answer came in one piece"
    assert "".join(c.content for c in said).strip() == "You said: one two three"
    assert len({c.id for c in said}) == 1 and len({c.otid for c in said}) == 1
    pieces = of_type(chunks, "tool_call_message")
    assert len({p.tool_call.tool_call_id for p in pieces}) == 1 and pieces[0].tool_call.tool_call_id
    assert "".join(p.tool_call.name or "" for p in pieces) == "core_memory_append"
    arguments = json.loads("".join(p.tool_call.arguments or "" for p in pieces))
    assert (arguments["label"], arguments["content"]) == ("human", "Likes tokens.")
    (returned,) = of_type(chunks, "tool_return_message")
    assert returned.status == "success"
    assert [c.message_type for c in chunks[-2:]] == ["stop_reason", "usage_statistics"]


def test_done_marker_in_the_text_does_not_end_the_stream(client, agent):
    chunks = list(client.agents.messages.create_stream(agent_id=agent.id, messages=[user("before [DONE] after")]))
    assert answers(chunks) == ["You said: before [DONE] after"]
    assert chunks[-1].message_type == "usage_statistics"


def test_list_messages(client, agent):
    first = client.agents.messages.list(agent_id=agent.id)
    assert first[0].message_type == "system_message" and HUMAN in first[0].content
    for text in ("one", "two"):
        client.agents.messages.create(agent_id=agent.id, messages=[user(text)])
    listed = client.agents.messages.list(agent_id=agent.id, limit=100)
    assert [m.content for m in of_type(listed, "user_message")][-2:] == ["one", "two"]
    assert answers(listed)[-2:] == ["You said: one", "You said: two"]
    assert [m.date for m in listed] == sorted(m.date for m in listed)
    older = client.agents.messages.list(agent_id=agent.id, before=of_type(listed, "user_message")[-1].id, limit=100)
    assert "two" not in [m.content for m in of_type(older, "user_message")]
    newer = client.agents.messages.list(agent_id=agent.id, after=of_type(listed, "user_message")[-1].id, limit=100)
    assert answers(newer) == ["You said: two"]


def test_the_agent_remembers_the_conversation(client, agent):
    client.agents.messages.create(agent_id=agent.id, messages=[user("My cat is called Archibald.")])
    text = call("conversation_search", query="Archibald")
    response = client.agents.messages.create(agent_id=agent.id, messages=[user(text)])
    (returned,) = of_type(response.messages, "tool_return_message")
    assert returned.status == "success" and "Archibald" in returned.tool_return


def test_reset_messages(client, agent):
    client.agents.messages.create(agent_id=agent.id, messages=[user("forget me")])
    state = client.agents.messages.reset(agent_id=agent.id)
    assert state.id == agent.id and len(state.message_ids) == 1
    assert "forget me" not in [
        m.content for m in of_type(client.agents.messages.list(agent_id=agent.id, limit=100), "user_message")
    ]


# ------------------------------------------------------------------------------------------ runs


def finished(client, run_id, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        run = client.runs.retrieve(run_id=run_id)
        if run.status in ("completed", "failed", "cancelled"):
            return run
        time.sleep(0.05)
    raise AssertionError(f"{run_id} is still {run.status} after {seconds} s")


def test_async_run(client, agent):
    run = client.agents.messages.create_async(agent_id=agent.id, messages=[user("later")])
    assert run.id.startswith("run-") and run.status in ("created", "running", "completed")
    run = finished(client, run.id)
    assert run.status == "completed" and run.completed_at
    result = run.metadata["result"]  # where this generation reads the answer
    assert [m["content"] for m in result["messages"] if m["message_type"] == "assistant_message"] == ["You said: later"]
    assert answers(client.runs.messages.list(run_id=run.id)) == ["You said: later"]
    assert client.runs.usage.retrieve(run_id=run.id).total_tokens > 0
    steps = client.runs.steps.list(run_id=run.id)
    assert len(steps) == 1 and steps[0].id.startswith("step-") and steps[0].total_tokens > 0
    assert client.steps.retrieve(step_id=steps[0].id).id == steps[0].id
    assert run.id in [r.id for r in client.runs.list(agent_ids=[agent.id])]


def test_two_concurrent_sends_get_each_their_own_answer(client, agent):
    got = {}

    def send(text):
        response = client.agents.messages.create(agent_id=agent.id, messages=[user(text)])
        got[text] = answers(response.messages)

    threads = [threading.Thread(target=send, args=(t,)) for t in ("left", "right")]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert got == {"left": ["You said: left"], "right": ["You said: right"]}
    listed = client.agents.messages.list(agent_id=agent.id, limit=100)
    turns = [m.content for m in listed if m.message_type in ("user_message", "assistant_message")][-4:]
    assert turns in (
        ["left", "You said: left", "right", "You said: right"],
        ["right", "You said: right", "left", "You said: left"],
    ), "the two turns are interleaved"


# ------------------------------------------------------------------------------------------ memory


def test_blocks_are_read_and_edited(client, agent):
    assert {b.label for b in client.agents.blocks.list(agent_id=agent.id)} == {"human", "persona"}
    block = client.agents.blocks.retrieve(agent_id=agent.id, block_label="human")
    assert block.value == HUMAN and block.description
    edited = client.agents.blocks.modify(agent_id=agent.id, block_label="human", value="Name: Sarah.")
    assert edited.id == block.id and edited.value == "Name: Sarah."
    assert client.blocks.retrieve(block_id=block.id).value == "Name: Sarah."
    memory = client.agents.core_memory.retrieve(agent_id=agent.id)
    assert {b.label: b.value for b in memory.blocks} == {"human": "Name: Sarah.", "persona": PERSONA}
    # The model sees the edit with the next message.
    client.agents.messages.create(agent_id=agent.id, messages=[user("who am I?")])
    context = client.agents.context.retrieve(agent_id=agent.id)
    assert "Name: Sarah." in context.core_memory and context.context_window_size_current > 0


def test_a_block_is_shared(client, agent):
    block = client.blocks.create(label="org", value="We sell hats.", description="the company")
    try:
        state = client.agents.blocks.attach(agent_id=agent.id, block_id=block.id)
        assert "org" in [b.label for b in state.memory.blocks]
        other = client.agents.create(model=MODEL, embedding=EMBEDDING, block_ids=[block.id])
        text = call("core_memory_append", label="org", content="And gloves.")
        client.agents.messages.create(agent_id=other.id, messages=[user(text)])
        assert "And gloves." in client.agents.blocks.retrieve(agent_id=agent.id, block_label="org").value
        assert {a.id for a in client.blocks.agents.list(block_id=block.id)} == {agent.id, other.id}
        state = client.agents.blocks.detach(agent_id=agent.id, block_id=block.id)
        assert "org" not in [b.label for b in state.memory.blocks]
        client.agents.delete(other.id)
    finally:
        client.blocks.delete(block_id=block.id)
    with pytest.raises(ApiError) as e:
        client.blocks.retrieve(block_id=block.id)
    assert e.value.status_code == 404


def test_passages_are_inserted_searched_and_deleted(client, agent):
    texts = ["The cat likes tuna fish.", "Quarterly revenue rose by nine percent.", "The meeting is on Tuesday."]
    created = [p for t in texts for p in client.agents.passages.create(agent_id=agent.id, text=t)]
    assert [p.text for p in created] == texts and all(p.id.startswith("passage-") for p in created)
    assert {p.text for p in client.agents.passages.list(agent_id=agent.id)} == set(texts)
    found = client.agents.passages.search(agent_id=agent.id, query="cat tuna")
    assert found.count >= 1 and found.results[0].content == texts[0]
    client.agents.passages.delete(agent_id=agent.id, memory_id=created[0].id)
    assert {p.text for p in client.agents.passages.list(agent_id=agent.id)} == set(texts[1:])


# ------------------------------------------------------------------------------------------ errors


def test_unknown_agent_is_404(client):
    with pytest.raises(ApiError) as e:
        client.agents.messages.create(agent_id=f"agent-{uuid.uuid4()}", messages=[user("x")])
    assert e.value.status_code == 404 and isinstance(e.value.body["detail"], str)


def test_wrong_type_is_422_with_a_list(client):
    with pytest.raises(UnprocessableEntityError) as e:
        client.agents.create(model=MODEL, embedding=EMBEDDING, context_window_limit="many")
    # This generation parses the body: `detail` has to be a list.
    detail = e.value.body.detail
    assert detail and detail[0].loc[:2] == ["body", "context_window_limit"] and detail[0].msg


def test_unknown_model_is_404(client):
    with pytest.raises(ApiError) as e:
        client.agents.create(model="engram/no-such-model", embedding=EMBEDDING)
    assert e.value.status_code == 404
