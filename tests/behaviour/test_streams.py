"""Event streams: what both generations of the SDK rely on, and what one of them cannot read."""

import json
import time

import pytest
from conftest import Stream, call

# Chunks that an old TypeScript SDK throws on.
UNREADABLE = {"ping", "error_message", "summary_message", "event_message"}

MODELS = ["engram/scripted", "openai/gpt-4o-mini"]


def tool_call(api) -> tuple[str, str]:
    """A memory tool of the default agent of this generation, and the text that makes the model call it."""
    if "x-fern-language" in api.headers:
        return "core_memory_append", call("core_memory_append", label="human", content="Likes tuna.")
    return "memory_insert", call("memory_insert", label="human", new_string="Likes tuna.")


def check_form(stream: Stream) -> None:
    assert stream.response.status_code == 200
    assert stream.response.headers["content-type"].startswith("text/event-stream")
    assert stream.text.endswith("\n\n")
    assert stream.fields <= {"data", "event"}, "only data lines, and event lines for errors"
    assert stream.done, "the last frame is not [DONE]"
    # An old TypeScript SDK ends at the first line that contains this, wherever it stands.
    assert stream.text.count("[DONE]") == 1
    assert stream.kinds[-2:] == ["stop_reason", "usage_statistics"]
    assert stream.kinds.count("stop_reason") == stream.kinds.count("usage_statistics") == 1


@pytest.mark.parametrize("model", MODELS)
def test_step_mode(api, model):
    name, text = tool_call(api)
    stream = api.streamed(api.agent(model), text + " hello there", stream_tokens=False)
    check_form(stream)
    (made,), (returned,), (answer,) = stream.of("tool_call_message"), stream.of("tool_return_message"), stream.of("assistant_message")
    assert made["tool_call"]["name"] == name
    assert "Likes tuna." in json.dumps(json.loads(made["tool_call"]["arguments"]))
    assert made["tool_calls"] == [made["tool_call"]]
    assert returned["tool_call_id"] == made["tool_call"]["tool_call_id"] and returned["status"] == "success"
    assert answer["content"] == "You said: hello there"
    order = [stream.kinds.index(k) for k in ("tool_call_message", "tool_return_message", "assistant_message")]
    assert order == sorted(order)
    for frame in (made, returned, answer):
        assert frame["id"].startswith("message-") and frame["date"] and frame["otid"] and frame["step_id"]
        # The otid is the message's id with its lowest seven bits replaced by a position.
        assert frame["otid"][:-2] == frame["id"].removeprefix("message-")[:-2]
    assert stream.of("stop_reason")[0]["stop_reason"] == "end_turn"
    assert stream.of("usage_statistics")[0]["step_count"] == 2


@pytest.mark.parametrize("model", MODELS)
def test_token_mode(api, model):
    name, text = tool_call(api)
    stream = api.streamed(api.agent(model), text + " one two three", stream_tokens=True)
    check_form(stream)
    said = stream.of("assistant_message")
    assert len(said) > 1
    assert "".join(s["content"] for s in said).strip() == "You said: one two three"
    pieces = stream.of("tool_call_message")
    assert len(pieces) > 1, "the arguments came in one piece"
    # The Vercel provider groups the pieces by this id: it has to be on every one.
    assert len({p["tool_call"]["tool_call_id"] for p in pieces}) == 1 and pieces[0]["tool_call"]["tool_call_id"]
    assert "".join(p["tool_call"].get("name") or "" for p in pieces) == name
    assert "Likes tuna." in json.dumps(json.loads("".join(p["tool_call"].get("arguments") or "" for p in pieces)))
    for group in (said, pieces):
        assert len({g["id"] for g in group}) == len({g["otid"] for g in group}) == 1
        assert all(g["date"] for g in group)
    (returned,) = stream.of("tool_return_message")
    assert returned["status"] == "success"


@pytest.mark.parametrize("tokens", [False, True])
def test_streams_and_stored_messages_agree(api, tokens):
    """The ids of the stream are those under which the messages can be read later."""
    agent = api.agent()
    stream = api.streamed(agent, tool_call(api)[1] + " hello", stream_tokens=tokens)
    stored = {(m["id"], m["message_type"]) for m in api.messages(agent)}
    wanted = {(f["id"], f["message_type"]) for f in stream.frames if f.get("id", "").startswith("message-")}
    assert wanted <= stored


def test_first_frame_for_the_new_generation_is_a_ping_with_the_run(new):
    stream = new.streamed(new.agent(), "hello")
    first = stream.frames[0]
    assert first["message_type"] == "ping" and first["run_id"].startswith("run-") and first["date"]
    assert new.ok("GET", f"/v1/runs/{first['run_id']}")["status"] == "completed"


def test_a_silent_stream_is_kept_alive(api):
    """By comments, which every client skips; pings only for those that know them and did not refuse."""
    is_new = "x-stainless-lang" in api.headers
    agent = api.agent("openai/slow-3000")
    stream = api.streamed(agent, "hello")
    check_form(stream)
    signs = len(stream.comments) + len(stream.of("ping")) - is_new  # the first ping tells the run
    assert signs >= 2, "nothing was sent while the model was silent for three seconds"
    if not is_new:
        assert not stream.of("ping")
    stream = api.streamed(agent, "hello", include_pings=False)
    assert len(stream.of("ping")) <= is_new and stream.done


@pytest.mark.parametrize("tokens", [False, True])
def test_the_old_generation_gets_only_what_it_can_read(old, tokens):
    agent = old.agent("openai/slow-2000")
    stream = old.streamed(agent, "hello", stream_tokens=tokens)
    check_form(stream)
    assert not UNREADABLE & set(stream.kinds)


def test_the_literal_end_marker_is_escaped(api):
    for tokens in (False, True):
        stream = api.streamed(api.agent(), "before [DONE] after", stream_tokens=tokens)
        check_form(stream)
        assert "".join(s["content"] for s in stream.of("assistant_message")) == "You said: before [DONE] after"


def test_streaming_by_a_member_of_the_body(api):
    """`streaming: true` on the plain route, from anybody."""
    answer = api.tell(api.agent(), "hello", streaming=True)
    stream = Stream(answer)
    check_form(stream)
    assert [s["content"] for s in stream.of("assistant_message")] == ["You said: hello"]


def test_types_can_be_chosen(api):
    _, text = tool_call(api)
    stream = api.streamed(api.agent(), text + " hello", include_return_message_types=["tool_return_message"])
    assert set(stream.kinds) - {"ping"} == {"tool_return_message", "stop_reason", "usage_statistics"}


def test_tokens_arrive_while_the_model_still_writes(new):
    agent = new.agent("openai/drip-100")
    body = {"input": "one two three four five six seven eight", "streaming": True, "stream_tokens": True}
    arrived = []
    with new.open_stream(f"/v1/agents/{agent}/messages", body) as answer:
        for line in answer.iter_lines():
            if '"assistant_message"' in line:
                arrived.append(time.monotonic())
    assert len(arrived) > 5 and arrived[-1] - arrived[0] > 0.3, "the pieces arrived all at once"


@pytest.mark.parametrize("tokens", [False, True])
def test_a_background_stream_resumes_without_gap_or_repeat(new, tokens):
    agent = new.agent("openai/drip-20")
    body = {"input": call("memory_insert", label="human", new_string="x") + " a b c d e f g h i j",
            "streaming": True, "stream_tokens": tokens, "background": True}
    whole = Stream(new.post(f"/v1/agents/{agent}/messages", json=body))
    check_form(whole)
    numbered = [f for f in whole.frames if f.get("seq_id") is not None]
    sequence = [f["seq_id"] for f in numbered]
    assert sequence == sorted(set(sequence)) and len(sequence) >= 3
    run = numbered[0]["run_id"]
    for after in (0, sequence[len(sequence) // 2], sequence[-1]):
        again = Stream(new.post(f"/v1/runs/{run}/stream", json={"starting_after": after}))
        assert again.done
        rest = [f for f in again.frames if f.get("seq_id") is not None]
        assert rest == [f for f in numbered if f["seq_id"] > after]


def test_a_background_stream_can_be_joined_while_it_runs(new):
    agent = new.agent("openai/drip-100")
    body = {"input": "one two three four five six", "streaming": True, "stream_tokens": True, "background": True}
    run, seen = None, []
    with new.open_stream(f"/v1/agents/{agent}/messages", body) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: {"):
                frame = json.loads(line[6:])
                run = run or frame.get("run_id")
                if frame.get("seq_id") is not None:
                    seen.append(frame)
                if len([f for f in seen if f["message_type"] == "assistant_message"]) == 2:
                    break  # this reader goes away
    rest = Stream(new.post(f"/v1/runs/{run}/stream", json={"starting_after": seen[-1]["seq_id"]}))
    check_form(rest)
    everything = seen + [f for f in rest.frames if f.get("seq_id") is not None]
    text = "".join(f["content"] for f in everything if f["message_type"] == "assistant_message")
    assert text.strip() == "You said: one two three four five six"


def test_an_error_reaches_the_new_generation_as_its_own_frame(new):
    stream = new.streamed(new.agent("openai/fault-401"), "hello")
    assert stream.response.status_code == 200 and stream.done
    (error,) = stream.errors
    assert error["message_type"] == "error_message" and error["run_id"].startswith("run-")
    assert error["error_type"] and error["message"]
    assert stream.events[-2][0] == "error", "the error is the last frame before [DONE]"
    assert stream.of("stop_reason")[0]["stop_reason"] in ("llm_api_error", "invalid_llm_response", "error")
    assert new.ok("GET", f"/v1/runs/{error['run_id']}")["status"] == "failed"


def test_an_error_reaches_the_old_generation(old):
    agent = old.agent("openai/fault-401")
    stream = old.streamed(agent, "hello")
    if stream.response.status_code == 200:
        assert stream.errors and not UNREADABLE & set(stream.kinds)
    else:
        assert stream.response.status_code >= 400 and stream.response.text
    old.still_answers(agent)
