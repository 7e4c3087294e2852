"""The helpers themselves: the mock model's rule and faults, seen through plain HTTP."""

import json
import os
import socket
import sys
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from testkit import processes
from testkit.mock import MockModel
from testkit.postgres import TestPostgres

TOOL = {
    "type": "function",
    "function": {
        "name": "core_memory_append",
        "parameters": {
            "type": "object",
            "properties": {
                "thinking": {"type": "string"}, "label": {"type": "string"}, "content": {"type": "string"},
                "request_heartbeat": {"type": "boolean"},
            },
            "required": ["thinking", "label", "content", "request_heartbeat"],
        },
    },
}
SEND = {
    "type": "function",
    "function": {"name": "send_message", "parameters": {"type": "object", "properties": {"message": {"type": "string"}}}},
}


@pytest.fixture(scope="module")
def mock():
    with MockModel() as m:
        yield m


@pytest.fixture()
def http(mock):
    mock.reset()
    with httpx.Client(base_url=mock.base_url, timeout=10, trust_env=False) as client:
        yield client


def user(text):
    return {"role": "user", "content": text}


def packed(kind, text):
    return user(json.dumps({"type": kind, "message" if kind == "user_message" else "reason": text, "time": "now"}, indent=2))


def ask(http, messages, tools=(), model="gpt-4o-mini", **more):
    answer = http.post("/chat/completions", json={"model": model, "messages": messages, "tools": list(tools), **more})
    answer.raise_for_status()
    return answer.json()


def streamed(http, messages, tools=(), model="gpt-4o-mini"):
    """(text, {index: [name, arguments]}, usage, saw the end marker)"""
    text, calls, usage, done = "", {}, None, False
    body = {"model": model, "messages": messages, "tools": list(tools), "stream": True,
            "stream_options": {"include_usage": True}}
    with http.stream("POST", "/chat/completions", json=body) as answer:
        for line in answer.iter_lines():
            if line == "data: [DONE]":
                done = True
            elif line.startswith("data: "):
                frame = json.loads(line[6:])
                usage = frame["usage"] or usage
                for choice in frame["choices"]:
                    text += choice["delta"].get("content") or ""
                    for c in choice["delta"].get("tool_calls") or []:
                        entry = calls.setdefault(c["index"], ["", ""])
                        entry[0] += c["function"].get("name") or ""
                        entry[1] += c["function"].get("arguments") or ""
    return text, calls, usage, done


def test_plain_text_is_answered(http):
    answer = ask(http, [user("hello  there")])
    assert answer["choices"][0]["message"]["content"] == "You said: hello there"
    assert answer["usage"]["total_tokens"] > answer["usage"]["prompt_tokens"] > 0


def test_calls_come_one_by_one_then_the_answer(http):
    ask_text = 'a [[call core_memory_append {"label": "human", "content": "x ]] y"}]] b [[call other {}]] c'
    messages = [user(ask_text)]
    first = ask(http, messages, [TOOL])["choices"][0]["message"]["tool_calls"][0]
    arguments = json.loads(first["function"]["arguments"])
    assert list(arguments) == ["thinking", "label", "content", "request_heartbeat"]
    assert arguments["content"] == "x ]] y" and arguments["request_heartbeat"] is True
    messages += [
        {"role": "assistant", "content": None, "tool_calls": [first]},
        {"role": "tool", "tool_call_id": first["id"], "content": "ok"},
        packed("heartbeat", "[hidden] [[call never {}]]"),
    ]
    second = ask(http, messages, [TOOL])["choices"][0]["message"]["tool_calls"][0]
    assert second["function"] == {"name": "other", "arguments": "{}"}
    messages += [
        {"role": "assistant", "content": None, "tool_calls": [second]},
        {"role": "tool", "tool_call_id": second["id"], "content": "no such tool"},
    ]
    assert ask(http, messages, [TOOL])["choices"][0]["message"]["content"] == "You said: a b c"
    spoken = ask(http, messages, [TOOL, SEND])["choices"][0]["message"]["tool_calls"][0]["function"]
    assert spoken["name"] == "send_message" and json.loads(spoken["arguments"]) == {"message": "You said: a b c"}


def test_packed_user_messages_are_unpacked(http):
    answer = ask(http, [packed("user_message", "hi"), packed("system_alert", "evicted")])
    assert answer["choices"][0]["message"]["content"] == "You said: hi"


def test_streaming_has_pieces_usage_and_an_end(http):
    text, calls, usage, done = streamed(http, [user("one two three")])
    assert text == "You said: one two three" and not calls and done and usage["prompt_tokens"] > 0
    text, calls, usage, done = streamed(http, [user('[[call core_memory_append {"label": "l", "content": "c"}]]')], [TOOL])
    assert text == "" and calls[0][0] == "core_memory_append" and json.loads(calls[0][1])["content"] == "c" and done


@pytest.mark.parametrize("stream", [False, True])
def test_faults(http, stream):
    def raw(model, text="x"):
        return http.post("/chat/completions", json={"model": model, "messages": [user(text)], "stream": stream})

    assert raw("fault-html").headers["content-type"] == "text/html"
    assert raw("fault-500").status_code == 500
    assert raw("fault-401").status_code == 401
    assert raw("fault-429-once", f"r{stream}").headers["retry-after"] == "1"
    assert raw("fault-429-once", f"r{stream}").status_code == 200
    with pytest.raises(httpx.RemoteProtocolError):
        raw("fault-close-midstream")
    with pytest.raises(httpx.ReadTimeout):
        http.post("/chat/completions", json={"model": "fault-hang", "messages": [user("x")]}, timeout=0.3)
    assert raw("fault-html", "[[ok]] fine").status_code == 200
    call = ask(http, [user("x")], [TOOL], model="fault-bad-args")["choices"][0]["message"]["tool_calls"][0]
    with pytest.raises(ValueError):
        json.loads(call["function"]["arguments"])


def test_ill_formed_conversations_are_noticed(http, mock):
    ask(http, [user("x"), {"role": "tool", "tool_call_id": "1", "content": "stray"}])
    assert mock.stats()["ill_formed"] == ["message 1 is a tool result without its call"]


def test_embeddings_are_near_for_shared_words(http):
    def vectors(*texts):
        data = http.post("/embeddings", json={"model": "text-embedding-3-small", "input": list(texts)}).json()["data"]
        return [d["embedding"] for d in data]

    a, b, c = vectors("the cat likes tuna fish", "what does the cat like", "quarterly revenue figures")
    dot = lambda x, y: sum(i * j for i, j in zip(x, y))
    assert len(a) == 1536 and dot(a, b) > dot(a, c) + 0.1


def test_models_report_their_context_length(http):
    rows = {r["id"]: r for r in http.get("/models").json()["data"]}
    assert rows["small-8k"]["max_model_len"] == 8192


def test_postgres_comes_back_with_its_data_however_it_ended():
    with TestPostgres() as pg:
        pg.psql("CREATE TABLE kept (how text)")
        for how in ("fast", "immediate", "kill"):
            pg.psql(f"INSERT INTO kept VALUES ('{how}')")
            pg.halt(how)
            assert pg.process.poll() is not None
            pg.launch()
            pg.wait_ready()
        assert pg.psql("SELECT string_agg(how, ' ') FROM kept").strip() == "fast immediate kill"


def test_ports_are_none_that_an_outgoing_connection_may_get():
    lowest, highest = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    ports = [processes.free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    assert not [port for port in ports if lowest <= port <= highest]


def test_who_listens_on_a_port():
    port = processes.free_port()
    assert not processes.listens(os.getpid(), port)
    with socket.create_server(("127.0.0.1", port)):
        assert processes.listens(os.getpid(), port)
        assert not processes.listens(os.getppid(), port)
