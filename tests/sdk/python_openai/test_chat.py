"""OpenAI's Python SDK speaks to an agent as to a model of its own."""

import json
import os
import urllib.request

import openai
import pytest

URL = os.environ["ENGRAM_URL"]


def call(method: str, path: str, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data, {"content-type": "application/json"}, method=method)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
        return json.load(answer)


@pytest.fixture(params=["letta_v1_agent", "memgpt_v2_agent", "voice_convo_agent"])
def agent(request):
    body = {
        "agent_type": request.param,
        "enable_sleeptime": request.param == "voice_convo_agent",
        "model": os.environ["ENGRAM_MODEL"],
        "embedding": os.environ["ENGRAM_EMBEDDING"],
        "memory_blocks": [{"label": "human", "value": "Name: Chad"}],
    }
    made = call("POST", "/v1/agents/", body)["id"]
    yield made
    call("DELETE", f"/v1/agents/{made}")


def client(path: str = "/v1"):
    """Without second tries, so that a failure is seen."""
    return openai.OpenAI(base_url=URL + path, api_key="none", max_retries=0, timeout=60)


# Where the agent is in the path, any model will do.
@pytest.fixture(params=["model", "path", "voice"])
def chat(request, agent):
    path = {"model": "/v1", "path": f"/openai/v1/{agent}", "voice": f"/v1/voice-beta/{agent}"}[request.param]
    model = agent if request.param == "model" else "gpt-4o-mini"
    return lambda text, **more: client(path).chat.completions.create(
        model=model, messages=[{"role": "user", "content": text}], **more
    )


def test_whole(chat):
    answer = chat("hello there", stream=False)
    assert answer.object == "chat.completion"
    assert answer.choices[0].message.content == "You said: hello there"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens > 0


def test_in_chunks(chat):
    chunks = list(chat("hello there", stream=True, stream_options={"include_usage": True}))
    said = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert said == "You said: hello there"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].usage.completion_tokens > 0 and chunks[-1].choices == []


def test_the_agent_remembers_by_itself(chat):
    """The second request does not carry the first."""
    first = chat("the first word", stream=False)
    second = chat("the second word", stream=False)
    assert second.usage.prompt_tokens > first.usage.prompt_tokens


def test_errors_are_those_of_the_sdk():
    missing = "agent-123e4567-e89b-42d3-8456-426614174000"
    for model in (missing, "gpt-4o"):
        with pytest.raises(openai.NotFoundError) as error:
            client().chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}])
        assert model in error.value.message and error.value.type == "invalid_request_error"
    with pytest.raises(openai.UnprocessableEntityError):
        client().chat.completions.create(model=missing, messages=[])


def test_what_livekit_sends(agent):
    """The request of `livekit.plugins.openai.LLM.with_letta` 1.8.9, to the address that it makes of its default."""
    request = {
        "model": agent,
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [
            {"role": "system", "content": ""},
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "yo"},
            {"role": "user", "content": "hello there"},
        ],
        "tools": [{"type": "function", "function": {"name": "weather", "strict": True, "description": "the weather",
                   "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
                                  "additionalProperties": False}}}],
    }
    for path in ("/v1/chat/completions", "", "/v1", f"/{agent}", f"/v1/voice-beta/{agent}"):
        chunks = list(client(path).chat.completions.create(**request))
        assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "You said: hello there", path
        assert chunks[-1].usage.total_tokens > 0
