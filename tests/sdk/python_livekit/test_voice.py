"""LiveKit's plugin streams from a voice agent: `openai.LLM.with_letta`, as the documentation connects it."""

import asyncio
import json
import os
import urllib.request

import pytest
from livekit.agents import llm
from livekit.agents.types import APIConnectOptions
from livekit.plugins import openai

URL = os.environ["ENGRAM_URL"]


def call(method: str, path: str, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data, {"content-type": "application/json"}, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        return json.load(answer)


@pytest.fixture()
def agent():
    body = {
        "agent_type": "voice_convo_agent",
        "enable_sleeptime": True,
        "initial_message_sequence": [],
        "model": os.environ["ENGRAM_MODEL"],
        "embedding": os.environ["ENGRAM_EMBEDDING"],
        "memory_blocks": [{"label": "human", "value": "Name: ?"}, {"label": "persona", "value": "You help."}],
    }
    made = call("POST", "/v1/agents/", body)["id"]
    yield made
    call("DELETE", f"/v1/agents/{made}")


# The plugin's own default, the documentation's sample, and the plain base of the API.
@pytest.mark.parametrize("base", ["/v1/chat/completions", "", "/v1"])
def test_a_conversation(agent, base):
    @llm.function_tool
    async def weather(city: str) -> str:
        "The weather of a city."
        return "fine"

    async def say(context: llm.ChatContext) -> tuple[list[str], llm.CompletionUsage | None]:
        model = openai.LLM.with_letta(agent_id=agent, base_url=URL + base, api_key="none")
        pieces, usage = [], None
        stream = model.chat(chat_ctx=context, tools=[weather], conn_options=APIConnectOptions(max_retry=0))
        async with stream:
            async for chunk in stream:
                assert not (chunk.delta and chunk.delta.tool_calls)
                pieces += [chunk.delta.content] if chunk.delta and chunk.delta.content else []
                usage = chunk.usage or usage
        await model.aclose()
        return pieces, usage

    async def talk() -> None:
        context = llm.ChatContext()
        context.add_message(role="system", content="")
        for text in ("hello there", "and again"):
            context.add_message(role="user", content=text)
            pieces, usage = await say(context)
            assert "".join(pieces) == f"You said: {text}" and len(pieces) > 1
            assert usage.completion_tokens > 0
            context.add_message(role="assistant", content="".join(pieces))

    asyncio.run(talk())
    kept = call("GET", f"/v1/agents/{agent}/messages?limit=100&order=asc")
    heard = [m["content"] for m in kept if m["message_type"] == "user_message" and m["content"] in ("hello there", "and again")]
    assert heard == ["hello there", "and again"]
