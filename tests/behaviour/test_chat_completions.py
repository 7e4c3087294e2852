"""Chat completions: agents behind OpenAI's API, in every spelling that clients produce, streaming and not."""

import json
import time

import pytest
from conftest import Stream, call

NOBODY = "agent-123e4567-e89b-42d3-8456-426614174000"
HELLO = [{"role": "user", "content": "hello there"}]


def spellings(agent: str) -> dict[str, dict]:
    """Path → what the request says besides the messages."""
    return {
        "/v1/chat/completions": {"model": agent},
        "/v1/chat/completions/": {"model": agent.upper()},
        f"/openai/v1/{agent}/chat/completions": {"model": "gpt-4o-mini"},
        f"/v1/voice-beta/{agent}/chat/completions": {},
        # LiveKit's `openai.LLM.with_letta`: of today with its own default and with a bare address; of 2025 with
        # the documentation's address.
        "/v1/chat/completions/chat/completions": {"model": agent},
        "/chat/completions": {"model": agent},
        f"/{agent}/chat/completions": {"model": "letta-fast"},
    }


def ask(api, path: str, messages=HELLO, **more):
    return api.post(path, json={"messages": messages, **more})


def chunks(answer) -> list[dict]:
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream"), answer.text
    stream = Stream(answer)
    assert stream.done and not stream.fields - {"data"}, stream.text
    return stream.frames


def words(frames: list[dict]) -> str:
    return "".join(c["delta"]["content"] or "" for f in frames for c in f["choices"])


def test_every_spelling_answers_whole_and_in_chunks(new):
    agent = new.agent()
    for path, more in spellings(agent).items():
        whole = ask(new, path, stream=False, **more)
        assert whole.status_code == 200, (path, whole.text)
        body = whole.json()
        assert body["object"] == "chat.completion" and body["id"].startswith("chatcmpl-run-")
        (choice,) = body["choices"]
        assert choice["message"]["role"] == "assistant" and choice["finish_reason"] == "stop"
        assert "hello there" in choice["message"]["content"]
        assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"] > 0
        frames = chunks(ask(new, path, stream=True, **more))
        assert words(frames) == choice["message"]["content"], path
        assert len(frames) > 2, "the words come in pieces"
        assert frames[0]["choices"][0]["delta"]["role"] == "assistant"
        assert frames[-1]["choices"][0]["finish_reason"] == "stop"
        assert {f["object"] for f in frames} == {"chat.completion.chunk"}
        assert len({(f["id"], f["created"], f["model"]) for f in frames}) == 1
        assert all(f["usage"] is None for f in frames), "nobody asked for it"


def test_whether_it_streams_when_nobody_says(new):
    agent = new.agent()
    assert ask(new, "/v1/chat/completions", model=agent).json()["object"] == "chat.completion"
    assert chunks(ask(new, f"/v1/voice-beta/{agent}/chat/completions"))


def test_usage_comes_last_when_asked_for(new):
    agent = new.agent()
    frames = chunks(ask(new, "/v1/chat/completions", model=agent, stream=True, stream_options={"include_usage": True}))
    assert frames[-1]["choices"] == [] and frames[-1]["usage"]["completion_tokens"] > 0
    assert all(f["usage"] is None for f in frames[:-1])


@pytest.mark.parametrize("kind", ["letta_v1_agent", "memgpt_v2_agent"])
def test_only_words_are_shown(new, kind):
    """Whether the agent speaks in plain text or through `send_message`, and whatever tools it uses before."""
    agent = new.agent(agent_type=kind)
    note = call("core_memory_append", label="human", content="likes tea")
    text = [{"role": "user", "content": f"{note} remember"}]
    frames = chunks(ask(new, "/v1/chat/completions", text, model=agent, stream=True))
    assert words(frames) == "You said: remember" and "likes tea" not in json.dumps(frames)
    assert all(c["delta"]["tool_calls"] is None for f in frames for c in f["choices"])
    used = [m for m in new.messages(agent) if m["message_type"] == "tool_call_message"]
    assert any(m["tool_call"]["name"] == "core_memory_append" for m in used), "the tool was called all the same"


def test_the_agent_is_told_only_what_it_has_not_heard(new):
    agent = new.agent()
    long = [
        {"role": "system", "content": "You are a pirate."},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "one"},
        {"role": "user", "content": [{"type": "text", "text": "second"}], "name": "Ann"},
        {"role": "developer", "content": "Be brief."},
    ]
    ask(new, "/v1/chat/completions", long, model=agent)
    kept = [(m["message_type"], m["content"]) for m in new.messages(agent) if m["message_type"] in ("user_message", "system_message")]
    heard = [k for k in kept if k[1] in ("You are a pirate.", "first", "second", "Be brief.")]
    assert heard == [("user_message", "second"), ("system_message", "Be brief.")]


def test_what_openai_knows_and_we_do_not_is_ignored(new):
    agent = new.agent()
    more = {
        "temperature": 0.2, "n": 1, "user": "u-1", "metadata": {"a": "b"}, "max_completion_tokens": 9, "top_p": 1,
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}],
        "tool_choice": "auto", "parallel_tool_calls": True, "service_tier": "auto", "unheard_of": [1, {}],
    }
    answer = new.post(
        f"/v1/voice-beta/{agent}/chat/completions", headers={"user-id": "someone"}, json={"messages": HELLO, **more}
    )
    assert "hello there" in words(chunks(answer))


@pytest.mark.parametrize(
    "path, body, status, kind, code",
    [
        ("/v1/chat/completions", {"messages": HELLO, "model": NOBODY}, 404, "invalid_request_error", None),
        ("/v1/chat/completions", {"messages": HELLO, "model": "gpt-4o"}, 404, "invalid_request_error", "model_not_found"),
        ("/v1/chat/completions", {"messages": HELLO}, 404, "invalid_request_error", "model_not_found"),
        ("/v1/chat/completions", {"model": NOBODY}, 422, "invalid_request_error", None),
        ("/v1/chat/completions", {"model": NOBODY, "messages": []}, 422, "invalid_request_error", None),
        (f"/v1/voice-beta/{NOBODY}/chat/completions", {"messages": HELLO}, 404, "invalid_request_error", None),
        ("/v1/voice-beta/nobody/chat/completions", {"messages": HELLO}, 422, "invalid_request_error", None),
        (f"/openai/v1/{NOBODY}/chat/completions", {"messages": [{"role": "user", "content": 7}]}, 422,
         "invalid_request_error", None),
    ],
)
def test_a_refusal_has_both_shapes(new, path, body, status, kind, code):
    answer = new.post(path, json=body)
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["message"] and (error["type"], error["code"]) == (kind, code)
    assert answer.json()["detail"]
    assert answer.headers["x-should-retry"] == "false"


def test_a_model_that_fails(new):
    agent = new.agent("openai/fault-500")
    whole = ask(new, "/v1/chat/completions", model=agent)
    assert whole.status_code == 502 and whole.json()["error"]["type"] == "server_error", whole.text
    frames = chunks(ask(new, "/v1/chat/completions", model=agent, stream=True))
    assert frames[-1]["error"]["type"] == "server_error" and frames[-1]["error"]["code"] == "llm_error"


def test_one_that_is_sent_again_is_answered_once(new):
    agent = new.agent()
    send = lambda: new.post(
        "/v1/chat/completions", headers={"idempotency-key": f"k-{agent}"}, json={"model": agent, "messages": HELLO}
    )
    assert send().json()["id"] == send().json()["id"]
    assert len([m for m in new.messages(agent) if m["message_type"] == "user_message" and m["content"] == "hello there"]) == 1


def test_the_first_words_leave_before_the_model_has_finished(new):
    """The model takes 100 ms for every piece of its answer."""
    agent = new.agent("openai/drip-100")
    text = "one two three four five six seven eight"
    arrived, started = [], time.monotonic()
    body = {"messages": [{"role": "user", "content": text}], "stream": True}
    with new.open_stream(f"/v1/voice-beta/{agent}/chat/completions", body) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: {") and json.loads(line[6:])["choices"][0]["delta"]["content"]:
                arrived.append(time.monotonic() - started)
    assert len(arrived) > 4, arrived
    assert arrived[-1] - arrived[0] > 0.3, arrived
    assert arrived[0] < arrived[-1] / 2, arrived


def test_who_hangs_up_does_not_stop_the_agent(new):
    agent = new.agent("openai/drip-20")
    body = {"messages": [{"role": "user", "content": "keep this"}], "stream": True}
    with new.open_stream(f"/v1/voice-beta/{agent}/chat/completions", body) as answer:
        next(answer.iter_bytes())
    assert "again" in new.said(agent, "again")[0]
    said = [m["content"] for m in new.messages(agent) if m["message_type"] == "assistant_message"]
    assert any("keep this" in text for text in said)


@pytest.mark.parametrize("stream", [False, True])
def test_a_question_for_approval_is_an_error_and_not_silence(new, stream):
    agent = new.agent()
    new.ok("PATCH", f"/v1/agents/{agent}/tools/approval/memory_insert", json={"requires_approval": True})
    text = call("memory_insert", label="human", new_string="Likes tuna.") + " noted"
    # The turn that asks, and whatever is said before somebody decides.
    for words in (text, "hello?"):
        answer = ask(new, "/v1/chat/completions", [{"role": "user", "content": words}], model=agent, stream=stream)
        if stream:
            error = chunks(answer)[-1]["error"]
        else:
            assert answer.status_code == 409 and answer.headers["x-should-retry"] == "false", answer.text
            error = answer.json()["error"]
            pending = new.ok("GET", f"/v1/agents/{agent}")["pending_approval"]["id"]
            assert answer.json()["detail"]["pending_request_id"] == pending
        assert (error["code"], error["type"]) == ("PENDING_APPROVAL", "invalid_request_error") and error["message"]
    new.ok("PATCH", f"/v1/agents/{agent}", json={"busy_policy": "interrupt"})
    assert "hello again" in ask(new, "/v1/chat/completions", [{"role": "user", "content": "hello again"}], model=agent).text
