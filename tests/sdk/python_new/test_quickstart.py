"""The documentation's quick start with the new generation of the Python SDK (letta-client 1.x).

Needs a running server: ENGRAM_URL, and the handles ENGRAM_MODEL and ENGRAM_EMBEDDING. Works with the
built-in model and with any provider that follows the same rule (`tests/mock_openai.py`).
"""

import asyncio
import json
import os
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import letta_client
import pytest
from letta_client import AsyncLetta, Letta

URL = os.environ["ENGRAM_URL"]
MODEL = os.environ.get("ENGRAM_MODEL", "engram/scripted")
EMBEDDING = os.environ.get("ENGRAM_EMBEDDING", "engram/embed")

HUMAN = "The human's name is Chad. They like vibe coding."
PERSONA = "My name is Sam, the all-knowing sentient AI."
BLOCKS = [{"label": "human", "value": HUMAN}, {"label": "persona", "value": PERSONA}]


@pytest.fixture(scope="module")
def client():
    # Strict: every answer has to fit its declared type.
    with Letta(base_url=URL, api_key="none", timeout=60, _strict_response_validation=True) as c:
        yield c


@pytest.fixture()
def agent(client):
    state = client.agents.create(model=MODEL, embedding=EMBEDDING, memory_blocks=BLOCKS)
    yield state
    client.agents.delete(state.id)


def user(text):
    return {"role": "user", "content": text}


def call(name, **arguments):
    return f"[[call {name} {json.dumps(arguments)}]]"


def of_type(messages, kind):
    return [m for m in messages if m.message_type == kind]


def answers(messages):
    return [m.content for m in of_type(messages, "assistant_message")]


# ------------------------------------------------------------------------------------------ agents


def test_health(client):
    assert client.health().status == "ok"


def test_created_agent_is_what_was_asked_for(client, agent):
    assert agent.id.startswith("agent-") and agent.name
    assert agent.agent_type == "letta_v1_agent"  # the default of this generation
    assert {b.label: b.value for b in agent.blocks} == {"human": HUMAN, "persona": PERSONA}
    assert {b.label: b.value for b in agent.memory.blocks} == {"human": HUMAN, "persona": PERSONA}
    assert {"conversation_search", "memory_insert", "memory_replace"} <= {t.name for t in agent.tools}
    assert "send_message" not in {t.name for t in agent.tools}
    assert (agent.model, agent.embedding) == (MODEL, EMBEDDING)
    assert client.agents.retrieve(agent.id, include=["agent.blocks", "agent.tools"]).system == agent.system


def test_quick_start_with_the_documentations_tools(client):
    state = client.agents.create(
        model=MODEL, embedding=EMBEDDING, memory_blocks=BLOCKS, tools=["web_search", "run_code"]
    )
    try:
        assert {"web_search", "run_code"} <= {t.name for t in state.tools}
        assert answers(client.agents.messages.create(state.id, input="hows it going????").messages) == [
            "You said: hows it going????"
        ]
    finally:
        client.agents.delete(state.id)


def test_the_older_agent_type_works_too(client):
    state = client.agents.create(model=MODEL, embedding=EMBEDDING, memory_blocks=BLOCKS, agent_type="memgpt_agent")
    try:
        assert "send_message" in {t.name for t in state.tools}
        text = call("core_memory_append", label="human", content="Likes tuna.") + " done?"
        response = client.agents.messages.create(state.id, messages=[user(text)])
        assert answers(response.messages) == ["You said: done?"]
        assert client.agents.blocks.retrieve("human", agent_id=state.id).value.endswith("Likes tuna.")
    finally:
        client.agents.delete(state.id)


def test_agents_are_listed_modified_and_deleted(client, agent):
    tag = f"t-{uuid.uuid4()}"
    changed = client.agents.update(agent.id, name="Renamed", tags=[tag], description="about")
    assert (changed.name, changed.tags, changed.description) == ("Renamed", [tag], "about")
    others = [client.agents.create(model=MODEL, embedding=EMBEDDING, tags=[tag]) for _ in range(4)]
    # The pager walks on by itself, page by page.
    assert {a.id for a in client.agents.list(tags=[tag], limit=2)} == {agent.id, *(o.id for o in others)}
    assert tag in client.tags.list()
    for other in others:
        client.agents.delete(other.id)
    assert [a.id for a in client.agents.list(tags=[tag])] == [agent.id]
    with pytest.raises(letta_client.NotFoundError):
        client.agents.retrieve(others[0].id)


def test_models_are_listed(client):
    rows = {m.handle: m for m in client.models.list()}
    assert rows[MODEL].max_context_window > 0 and rows[MODEL].name and rows[MODEL].provider_type
    assert EMBEDDING in {m.handle for m in client.models.embeddings.list()}


# ------------------------------------------------------------------------------------------ messages


def test_send(client, agent):
    response = client.agents.messages.create(agent.id, messages=[user("hows it going????")])
    assert answers(response.messages) == ["You said: hows it going????"]
    assert response.stop_reason.stop_reason == "end_turn"
    assert response.usage.step_count == 1
    assert response.usage.total_tokens == response.usage.prompt_tokens + response.usage.completion_tokens > 0
    assert not of_type(response.messages, "tool_call_message")


def test_memory_tools_change_the_block(client, agent):
    text = f"Remember: {call('memory_insert', label='human', new_string='Likes tuna.')} done?"
    response = client.agents.messages.create(agent.id, input=text)
    (made,) = of_type(response.messages, "tool_call_message")
    (returned,) = of_type(response.messages, "tool_return_message")
    assert made.tool_call.name == "memory_insert"
    assert json.loads(made.tool_call.arguments) == {"label": "human", "new_string": "Likes tuna."}
    assert returned.status == "success" and returned.tool_call_id == made.tool_call.tool_call_id
    assert len(answers(response.messages)) == 1 and "done?" in answers(response.messages)[0]
    assert response.usage.step_count == 2
    assert "Likes tuna." in client.agents.blocks.retrieve("human", agent_id=agent.id).value
    text = call("memory_replace", label="human", old_string="Likes tuna.", new_string="Hates tuna.")
    client.agents.messages.create(agent.id, input=text)
    value = client.agents.blocks.retrieve("human", agent_id=agent.id).value
    assert HUMAN in value and "Hates tuna." in value and "Likes tuna." not in value


def test_tool_error_is_told_and_the_agent_goes_on(client, agent):
    text = call("memory_insert", label="nope", new_string="x") + call("no_such_tool", x=1) + " still here?"
    response = client.agents.messages.create(agent.id, input=text)
    returns = of_type(response.messages, "tool_return_message")
    assert [r.status for r in returns] == ["error", "error"]
    assert "still here?" in answers(response.messages)[0]


def test_stream_by_step(client, agent):
    text = call("memory_insert", label="human", new_string="Streams.") + " one two three"
    for stream in (
        client.agents.messages.create(agent.id, messages=[user(text)], streaming=True),
        client.agents.messages.stream(agent.id, messages=[user(text)]),
    ):
        chunks = [c for c in stream if c.message_type != "ping"]
        kinds = [c.message_type for c in chunks]
        assert kinds[-2:] == ["stop_reason", "usage_statistics"]
        assert kinds.index("tool_call_message") < kinds.index("tool_return_message") < kinds.index("assistant_message")
        assert answers(chunks) == ["You said: one two three"]
        assert chunks[-2].stop_reason == "end_turn" and chunks[-1].step_count == 2


def test_stream_by_token(client, agent):
    text = call("memory_insert", label="human", new_string="Likes tokens.") + " one two three"
    stream = client.agents.messages.create(agent.id, messages=[user(text)], streaming=True, stream_tokens=True)
    chunks = list(stream)
    assert chunks[0].run_id.startswith("run-"), "the first frame tells the run"
    said = of_type(chunks, "assistant_message")
    assert len(said) > 1, "the answer came in one piece"
    assert "".join(c.content for c in said).strip() == "You said: one two three"
    assert len({c.id for c in said}) == 1 and len({c.otid for c in said}) == 1
    pieces = of_type(chunks, "tool_call_message")
    assert len({p.tool_call.tool_call_id for p in pieces}) == 1
    assert "".join(p.tool_call.name or "" for p in pieces) == "memory_insert"
    assert json.loads("".join(p.tool_call.arguments or "" for p in pieces))["new_string"] == "Likes tokens."
    assert [c.message_type for c in chunks[-2:]] == ["stop_reason", "usage_statistics"]


async def test_async_client_streams(agent):
    async with AsyncLetta(base_url=URL, api_key="none") as client:
        stream = await client.agents.messages.create(agent.id, input="hello", streaming=True, stream_tokens=True)
        said = "".join([c.content async for c in stream if c.message_type == "assistant_message"])
    assert said.strip() == "You said: hello"


def test_list_messages(client, agent):
    for text in ("one", "two"):
        client.agents.messages.create(agent.id, input=text)
    listed = client.agents.messages.list(agent.id, order="asc").items
    assert listed[0].message_type == "system_message" and HUMAN in listed[0].content
    assert [m.content for m in of_type(listed, "user_message")] == ["one", "two"]
    assert answers(listed) == ["You said: one", "You said: two"]
    # The pager, two rows at a time, sees every message once.
    walked = [m.id for m in client.agents.messages.list(agent.id, order="asc", limit=2)]
    assert walked == [m.id for m in listed]


def test_the_agent_remembers_the_conversation(client, agent):
    client.agents.messages.create(agent.id, input="My cat is called Archibald.")
    response = client.agents.messages.create(agent.id, input=call("conversation_search", query="Archibald"))
    (returned,) = of_type(response.messages, "tool_return_message")
    assert returned.status == "success" and "Archibald" in json.dumps(returned.to_dict(), default=str)
    found = client.messages.search(query="Archibald", agent_id=agent.id)
    assert any("Archibald" in json.dumps(r.to_dict(), default=str) for r in found)


def test_reset_messages(client, agent):
    client.agents.messages.create(agent.id, input="forget me")
    client.agents.messages.reset(agent.id)
    assert not of_type(client.agents.messages.list(agent.id).items, "user_message")


# ------------------------------------------------------------------------------------------ runs and steps


def finished(client, run_id, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        run = client.runs.retrieve(run_id)
        if run.status in ("completed", "failed", "cancelled"):
            return run
        time.sleep(0.05)
    raise AssertionError(f"{run_id} is still {run.status} after {seconds} s")


def test_async_run(client, agent):
    text = call("memory_insert", label="human", new_string="Runs.") + " later"
    run = client.agents.messages.create_async(agent.id, messages=[user(text)])
    assert run.id.startswith("run-") and run.agent_id == agent.id
    run = finished(client, run.id)
    assert (run.status, run.stop_reason) == ("completed", "end_turn") and run.completed_at
    messages = client.runs.messages.list(run.id).items
    assert answers(messages) == ["You said: later"]
    assert client.runs.usage.retrieve(run.id).total_tokens > 0
    steps = client.runs.steps.list(run.id).items
    assert len(steps) == 2 and {s.run_id for s in steps} == {run.id}
    step = client.steps.retrieve(steps[0].id)
    assert step.agent_id == agent.id and step.total_tokens > 0 and step.status == "success"
    assert {s.id for s in client.steps.list(agent_id=agent.id)} >= {s.id for s in steps}
    assert client.steps.feedback.create(step.id, feedback="positive").feedback == "positive"
    assert client.steps.metrics.retrieve(step.id).id == step.id
    assert [m.message_type for m in client.steps.messages.list(step.id)]
    assert run.id in [r.id for r in client.runs.list(agent_id=agent.id)]


def test_synchronous_sends_leave_a_run_too(client, agent):
    response = client.agents.messages.create(agent.id, input="x")
    run_id = response.messages[0].run_id
    assert client.runs.retrieve(run_id).status == "completed"


def test_background_stream_can_be_resumed(client, agent):
    stream = client.agents.messages.create(
        agent.id, input="one two three four", streaming=True, stream_tokens=True, background=True
    )
    chunks = list(stream)
    numbered = [c for c in chunks if getattr(c, "seq_id", None) is not None]
    assert [c.seq_id for c in numbered] == sorted({c.seq_id for c in numbered}) and len(numbered) > 3
    run_id, middle = numbered[0].run_id, numbered[len(numbered) // 2].seq_id
    again = client.runs.messages.stream(run_id, starting_after=middle)
    rest = [c for c in again if getattr(c, "seq_id", None) is not None]
    assert [c.seq_id for c in rest] == [c.seq_id for c in numbered if c.seq_id > middle]
    whole = of_type(chunks, "assistant_message")
    assert "".join(c.content for c in whole).strip() == "You said: one two three four"


def test_two_concurrent_sends_get_each_their_own_answer(client, agent):
    def send(text):
        return answers(client.agents.messages.create(agent.id, input=text).messages)

    with ThreadPoolExecutor(2) as pool:
        got = list(pool.map(send, ("left", "right")))
    assert got == [["You said: left"], ["You said: right"]]
    listed = client.agents.messages.list(agent.id, order="asc").items
    turns = [m.content for m in listed if m.message_type in ("user_message", "assistant_message")]
    assert turns in (
        ["left", "You said: left", "right", "You said: right"],
        ["right", "You said: right", "left", "You said: left"],
    ), "the two turns are interleaved"


# ------------------------------------------------------------------------------------------ conversations


def test_conversations_are_separate(client, agent):
    one, two = (client.conversations.create(agent_id=agent.id) for _ in range(2))
    assert one.id.startswith("conv-") and one.agent_id == agent.id
    said = [c for c in client.conversations.messages.create(one.id, messages=[user("in one")])]
    assert answers(said) == ["You said: in one"]
    client.agents.messages.create(agent.id, input="in the default one")
    list(client.conversations.messages.create(two.id, input="in two"))

    def texts(conversation):
        return [m.content for m in of_type(client.conversations.messages.list(conversation).items, "user_message")]

    assert (texts(one.id), texts(two.id)) == (["in one"], ["in two"])
    assert {c.id for c in client.conversations.list(agent_id=agent.id)} == {one.id, two.id}
    # Memory is the agent's, whichever conversation changes it.
    list(client.conversations.messages.create(one.id, input=call("memory_insert", label="human", new_string="Shared.")))
    assert "Shared." in client.agents.blocks.retrieve("human", agent_id=agent.id).value
    assert client.conversations.update(one.id, summary="first").summary == "first"
    fork = client.conversations.fork(one.id)
    assert fork.id != one.id and fork.agent_id == agent.id
    client.conversations.delete(two.id)
    assert two.id not in {c.id for c in client.conversations.list(agent_id=agent.id)}


async def test_conversations_run_side_by_side(client, agent):
    conversations = [client.conversations.create(agent_id=agent.id) for _ in range(3)]
    async with AsyncLetta(base_url=URL, api_key="none") as c:

        async def send(i):
            stream = await c.conversations.messages.create(conversations[i].id, input=f"number {i}")
            return [m.content async for m in stream if m.message_type == "assistant_message"]

        got = await asyncio.gather(*(send(i) for i in range(3)))
    assert got == [[f"You said: number {i}"] for i in range(3)]


# ------------------------------------------------------------------------------------------ memory


def test_blocks_are_read_and_edited(client, agent):
    assert {b.label for b in client.agents.blocks.list(agent.id)} == {"human", "persona"}
    block = client.agents.blocks.retrieve("human", agent_id=agent.id)
    assert block.value == HUMAN
    edited = client.agents.blocks.update("human", agent_id=agent.id, value="Name: Sarah.")
    assert (edited.id, edited.value) == (block.id, "Name: Sarah.")
    assert client.blocks.retrieve(block.id).value == "Name: Sarah."
    assert "Name: Sarah." in client.agents.recompile(agent.id)


def test_a_block_is_shared(client, agent):
    block = client.blocks.create(label="org", value="We sell hats.", description="the company")
    assert "org" in {b.label for b in client.agents.blocks.attach(block.id, agent_id=agent.id).memory.blocks}
    other = client.agents.create(model=MODEL, embedding=EMBEDDING, block_ids=[block.id])
    client.agents.messages.create(other.id, input=call("memory_insert", label="org", new_string="And gloves."))
    assert "And gloves." in client.agents.blocks.retrieve("org", agent_id=agent.id).value
    assert {a.id for a in client.blocks.agents.list(block.id)} == {agent.id, other.id}
    client.agents.blocks.detach(block.id, agent_id=agent.id)
    assert "org" not in {b.label for b in client.agents.blocks.list(agent.id)}
    client.agents.delete(other.id)
    client.blocks.delete(block.id)
    with pytest.raises(letta_client.NotFoundError):
        client.blocks.retrieve(block.id)


def test_passages_are_inserted_searched_and_deleted(client, agent):
    texts = ["The cat likes tuna fish.", "Quarterly revenue rose by nine percent.", "The meeting is on Tuesday."]
    created = [
        p for i, t in enumerate(texts) for p in client.agents.passages.create(agent.id, text=t, tags=[f"tag{i}", "all"])
    ]
    assert [p.text for p in created] == texts
    assert {p.text for p in client.agents.passages.list(agent.id)} == set(texts)
    found = client.agents.passages.search(agent.id, query="cat tuna")
    assert found.count == len(found.results) >= 1 and found.results[0].content == texts[0]
    tagged = client.agents.passages.search(agent.id, query="anything", tags=["tag1"])
    assert [r.content for r in tagged.results] == [texts[1]]
    everywhere = client.passages.search(agent_id=agent.id, query="cat tuna")
    assert everywhere[0].passage.text == texts[0]
    client.agents.passages.delete(created[0].id, agent_id=agent.id)
    assert {p.text for p in client.agents.passages.list(agent.id)} == set(texts[1:])


def test_archives_are_attached(client, agent):
    archive = client.archives.create(name=f"a-{uuid.uuid4()}", embedding=EMBEDDING)
    passage = client.archives.passages.create(archive.id, text="Llamas hum when they are content.")
    assert passage.archive_id == archive.id
    client.agents.archives.attach(archive.id, agent_id=agent.id)
    assert archive.id in {a.id for a in client.archives.list(agent_id=agent.id)}
    found = client.agents.passages.search(agent.id, query="llamas hum")
    assert "Llamas hum when they are content." in [r.content for r in found.results]
    client.agents.archives.detach(archive.id, agent_id=agent.id)
    client.archives.delete(archive.id)
    with pytest.raises(letta_client.NotFoundError):
        client.archives.retrieve(archive.id)


# ------------------------------------------------------------------------------------------ errors


def test_unknown_agent_is_404(client):
    with pytest.raises(letta_client.NotFoundError) as e:
        client.agents.messages.create(f"agent-{uuid.uuid4()}", input="x")
    assert isinstance(e.value.body["detail"], str)


def test_wrong_type_is_422(client):
    with pytest.raises(letta_client.UnprocessableEntityError) as e:
        client.agents.create(model=MODEL, embedding=EMBEDDING, context_window_limit="many")
    (problem,) = e.value.body["detail"]
    assert problem["loc"] == ["body", "context_window_limit"] and problem["type"] and problem["msg"]
    assert problem["input"] == "many"


def test_no_messages_is_422(client, agent):
    with pytest.raises(letta_client.UnprocessableEntityError):
        client.agents.messages.create(agent.id, messages=[])


def test_unknown_model_is_404(client):
    with pytest.raises(letta_client.NotFoundError):
        client.agents.create(model="engram/no-such-model", embedding=EMBEDDING)


def test_cancel_without_a_run_is_409(client, agent):
    with pytest.raises(letta_client.ConflictError):
        client.with_options(max_retries=0).agents.messages.cancel(agent.id)
