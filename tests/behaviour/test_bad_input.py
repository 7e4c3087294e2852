"""Nonsense from outside: a clear error in the shape that the SDKs read, and everything works afterwards."""

import json
import uuid

import pytest
from conftest import clear_error

NOBODY = "11111111-2222-4333-8444-555555555555"
BASE = {"model": "engram/scripted", "embedding": "engram/embed"}


@pytest.fixture()
def agent(api):
    created = api.agent()
    yield created
    api.still_answers(created)


# ------------------------------------------------------------------------------------------ wrong types

WRONG_AGENTS = [
    ({"memory_blocks": "none"}, "memory_blocks"),
    ({"memory_blocks": [5]}, "memory_blocks"),
    ({"memory_blocks": [{"label": "human"}]}, "memory_blocks"),
    ({"name": 5}, "name"),
    ({"tags": "one"}, "tags"),
    ({"tool_ids": {"a": 1}}, "tool_ids"),
    ({"context_window_limit": "many"}, "context_window_limit"),
    ({"agent_type": "no_such_type"}, "agent_type"),
    ({"metadata": "x"}, "metadata"),
    ({"tool_rules": [{"type": "no_such_rule", "tool_name": "x"}]}, "tool_rules"),
]


@pytest.mark.parametrize("members, where", WRONG_AGENTS, ids=lambda v: json.dumps(v)[:40])
def test_agent_with_a_wrong_member(api, members, where):
    body = clear_error(api.post("/v1/agents/", json={**BASE, **members}), 422)
    assert body["detail"][0]["loc"][:2] == ["body", where], body


WRONG_MESSAGES = [
    {"messages": "hello"},
    {"messages": []},
    {"messages": [{"role": "alien", "content": "hello"}]},
    {"messages": [{"role": "user", "content": 5}]},
    {"messages": [{"role": "user", "content": [{"type": "no_such_part"}]}]},
    {"messages": [{"role": "user"}]},
    {"messages": [None]},
    {"messages": [{"role": "user", "content": "hello"}], "max_steps": "many"},
    {"messages": [{"role": "user", "content": "hello"}], "stream_tokens": "perhaps"},
]


@pytest.mark.parametrize("route", ["messages", "messages/stream", "messages/async"])
@pytest.mark.parametrize("body", WRONG_MESSAGES, ids=lambda v: json.dumps(v)[:60])
def test_wrong_message(api, agent, route, body):
    if "stream_tokens" in body and route != "messages/stream":
        pytest.skip("this route has no such member")
    clear_error(api.post(f"/v1/agents/{agent}/{route}", json=body), 422)
    assert not [m for m in api.messages(agent) if m["message_type"] == "user_message" and m["content"] == "hello"]


@pytest.mark.parametrize("query", [{"limit": "abc"}, {"limit": "1e3"}, {"limit": str(10**30)}, {"order": "sideways"}])
def test_wrong_query(api, query):
    name = next(iter(query))
    body = clear_error(api.get("/v1/agents/", params=query), 422)
    assert body["detail"][0]["loc"] == ["query", name]


def test_wrong_block_values(api, agent):
    clear_error(api.patch(f"/v1/agents/{agent}/core-memory/blocks/human", json={"value": 5}), 422)
    clear_error(api.patch(f"/v1/agents/{agent}/core-memory/blocks/human", json={"limit": "x"}), 422)
    clear_error(api.post("/v1/blocks/", json={"label": "x"}), 422)
    long = api.post("/v1/blocks/", json={"label": "x", "value": "much too long", "limit": 3})
    clear_error(long, 422, 400)


def test_missing_and_unknown_references(api):
    clear_error(api.post("/v1/agents/", json={"embedding": "engram/embed"}), 400, 422)
    clear_error(api.post("/v1/agents/", json={**BASE, "model": "engram/no-such-model"}), 404)
    clear_error(api.post("/v1/agents/", json={**BASE, "embedding": "engram/no-such-model"}), 404)
    clear_error(api.post("/v1/agents/", json={**BASE, "tools": ["no_such_tool"]}), 404)
    clear_error(api.post("/v1/agents/", json={**BASE, "tool_ids": [f"tool-{NOBODY}"]}), 404)
    clear_error(api.post("/v1/agents/", json={**BASE, "block_ids": [f"block-{NOBODY}"]}), 404)


# ------------------------------------------------------------------------------------------ ids

ITEMS = {
    "agent": "/v1/agents/{}",
    "block": "/v1/blocks/{}",
    "tool": "/v1/tools/{}",
    "archive": "/v1/archives/{}",
    "run": "/v1/runs/{}",
    "step": "/v1/steps/{}",
    "conv": "/v1/conversations/{}",
    "message": "/v1/messages/{}",
}


@pytest.mark.parametrize("prefix", ITEMS)
def test_unknown_ids(api, prefix):
    clear_error(api.get(ITEMS[prefix].format(f"{prefix}-{NOBODY}")), 404)


@pytest.mark.parametrize(
    "wrong",
    ["nonsense", "agent-123", "x" * 4000, "%00", "%F0%9F%91%8B", "agent-%27%20OR%20%271%27=%271", "..%2f..%2fetc", NOBODY],
    ids=lambda v: v[:20],
)
@pytest.mark.parametrize("prefix", ITEMS)
def test_ill_formed_ids(api, prefix, wrong):
    clear_error(api.get(ITEMS[prefix].format(wrong)), 404, 422, 414)


@pytest.mark.parametrize(
    "method, path",
    [
        ("GET", "/v1/agents/{}/messages"), ("GET", "/v1/agents/{}/core-memory/blocks"), ("GET", "/v1/agents/{}/tools"),
        ("GET", "/v1/agents/{}/archival-memory"), ("GET", "/v1/agents/{}/context"), ("PATCH", "/v1/agents/{}"),
        ("DELETE", "/v1/agents/{}"), ("PATCH", "/v1/agents/{}/reset-messages"), ("POST", "/v1/agents/{}/recompile"),
    ],
)
def test_unknown_agent_on_every_sub_route(api, method, path):
    clear_error(api.request(method, path.format(f"agent-{NOBODY}"), json=None if method == "GET" else {}), 404)


@pytest.mark.parametrize("route", ["messages", "messages/stream", "messages/async"])
def test_sending_to_an_unknown_agent(api, route):
    body = {"messages": [{"role": "user", "content": "hello"}]}
    clear_error(api.post(f"/v1/agents/agent-{NOBODY}/{route}", json=body), 404)


def test_unknown_parts_of_an_agent(api, agent):
    root = f"/v1/agents/{agent}"
    clear_error(api.get(f"{root}/core-memory/blocks/no_such_label"), 404)
    clear_error(api.patch(f"{root}/core-memory/blocks/no_such_label", json={"value": "x"}), 404)
    clear_error(api.patch(f"{root}/core-memory/blocks/attach/block-{NOBODY}"), 404)
    clear_error(api.patch(f"{root}/tools/attach/tool-{NOBODY}"), 404)
    clear_error(api.get(f"{root}/messages", params={"before": f"message-{NOBODY}"}), 404)
    clear_error(api.delete(f"{root}/archival-memory/passage-{NOBODY}"), 404)


# ------------------------------------------------------------------------------------------ routes and bodies


def test_unknown_routes_and_methods(api):
    assert clear_error(api.get("/v1/no-such-route"), 404) == {"detail": "Not Found"}
    assert clear_error(api.get("/no-such-page"), 404) == {"detail": "Not Found"}
    assert clear_error(api.put("/v1/health/"), 405) == {"detail": "Method Not Allowed"}
    assert clear_error(api.request("PUT", "/v1/agents/"), 405) == {"detail": "Method Not Allowed"}


def raw(api, path, content, **headers):
    return api.post(path, content=content, headers={"content-type": "application/json", **headers})


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1]", b'"text"', b"null", b'{"messages": }', b"\xff\xfe\x00", b'{"no_such_member": "\xff\xfe"}',
     b'{"messages": [{"role": "user", "content": "\xff\xfe"}]}', b'{"messages": [{"role": "user", "content": "\\ud800"}]}',
     b'{"messages": "a" "b"}', b"{'messages': []}"],
    ids=lambda v: repr(v)[2:45],
)
def test_bodies_that_are_no_json_object(api, agent, content):
    for route in ("messages", "messages/stream", "messages/async"):
        clear_error(raw(api, f"/v1/agents/{agent}/{route}", content), 400, 422)
    if content != b"":  # no body means no members, and then the model is missing
        clear_error(raw(api, "/v1/agents/", content.replace(b"messages", b"memory_blocks")), 400, 422)


@pytest.mark.parametrize("opening, closing", [("[", "]"), ('{"a":', "}")], ids=["arrays", "objects"])
def test_deep_json(api, agent, opening, closing):
    deep = opening * 10_000 + "1" + closing * 10_000
    body = '{"model": "engram/scripted", "embedding": "engram/embed", "metadata": {"x": ' + deep + "}}"
    clear_error(raw(api, "/v1/agents/", body.encode()), 400, 422, 413)
    body = '{"messages": [{"role": "user", "content": ' + deep + "}]}"
    clear_error(raw(api, f"/v1/agents/{agent}/messages", body.encode()), 400, 422, 413)


@pytest.mark.parametrize("route", ["messages", "messages/stream", "messages/async"])
def test_huge_bodies(api, agent, route):
    """More than ten megabytes: refused by size, or because no context window could hold it."""
    body = json.dumps({"messages": [{"role": "user", "content": "word " * 2_200_000}]}).encode()
    assert len(body) > 10 * 1024 * 1024
    answer = raw(api, f"/v1/agents/{agent}/{route}", body)
    clear_error(answer, 413, 400, 422)


def test_huge_blocks_and_passages(api, agent):
    huge = "word " * 2_200_000
    clear_error(api.patch(f"/v1/agents/{agent}/core-memory/blocks/human", json={"value": huge}), 413, 400, 422)
    clear_error(api.post(f"/v1/agents/{agent}/archival-memory", json={"text": huge}), 413, 400, 422)


@pytest.mark.parametrize("where", ["message", "block", "passage", "name", "search"])
def test_a_zero_byte_in_a_text(api, agent, where):
    """Postgres cannot store it. Whatever the answer is, it is no internal error."""
    root = f"/v1/agents/{agent}"
    answer = {
        "message": lambda: api.tell(agent, "a\0b"),
        "block": lambda: api.patch(f"{root}/core-memory/blocks/human", json={"value": "a\0b"}),
        "passage": lambda: api.post(f"{root}/archival-memory", json={"text": "a\0b"}),
        "name": lambda: api.patch(root, json={"name": "a\0b"}),
        "search": lambda: api.get(f"{root}/archival-memory/search", params={"query": "a\0b"}),
    }[where]()
    if answer.status_code != 200:
        clear_error(answer, 400, 422)


def test_unknown_members_are_ignored(api):
    agent = api.ok("POST", "/v1/agents/", json={**BASE, "no_such_member": {"a": [1]}})["id"]
    api.created.append(agent)
    assert api.tell(agent, "hello", no_such_member=1).status_code == 200


def test_a_message_too_long_for_the_window(api):
    agent = api.agent(context_window_limit=8000)
    answer = api.tell(agent, "word " * 40_000)
    if answer.status_code != 200:
        clear_error(answer, 400, 413, 422)
    api.still_answers(agent)


def test_errors_do_not_leave_half_an_agent(api):
    name = f"half-{uuid.uuid4()}"
    clear_error(api.post("/v1/agents/", json={**BASE, "name": name, "block_ids": [f"block-{NOBODY}"]}), 404)
    assert api.ok("GET", "/v1/agents/", params={"name": name}) == []
