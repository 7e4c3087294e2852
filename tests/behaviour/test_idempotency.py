"""A request that is sent again is carried out once: by `otid` of its messages, or by `Idempotency-Key`."""

import contextlib
import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from conftest import NEW, Api, Stream, call, clear_error, spoken
from testkit.server import EngramServer


# Without a boot sequence and with the same tools, whichever SDK creates it.
PLAIN = "letta_v1_agent"


def saying(text: str, otid: str | None = None, **more) -> dict:
    return {"messages": [{"role": "user", "content": text, "otid": otid}], **more}


def heard(api: Api, agent: str) -> list[str]:
    """What the agent was told, in order."""
    return [m["content"] for m in api.messages(agent) if m["message_type"] == "user_message"]


def runs(api: Api, agent: str) -> list[dict]:
    return api.ok("GET", "/v1/runs/", params={"agent_id": agent})


def post(api: Api, agent: str, body: dict, key: str | None = None, to: str = "messages") -> httpx.Response:
    return api.post(f"/v1/agents/{agent}/{to}", json=body, headers={"Idempotency-Key": key} if key else {})


def test_an_otid_sent_twice_is_one_run_with_one_answer(api):
    agent = api.agent(agent_type=PLAIN)
    body = saying("hello " + call("memory_insert", label="human", new_string="Likes tuna."), str(uuid.uuid4()))
    first, second = (api.ok("POST", f"/v1/agents/{agent}/messages", json=body) for _ in range(2))
    assert first["messages"] == second["messages"] and spoken(first["messages"]) == ["You said: hello"]
    # How much is in context is known while the actor lives; everything else is kept.
    for usage in (first["usage"], second["usage"]):
        usage.pop("context_tokens", None)
    assert first["usage"] == second["usage"] and first["stop_reason"] == second["stop_reason"]
    assert len(runs(api, agent)) == 1
    assert api.ok("GET", f"/v1/agents/{agent}/core-memory/blocks/human")["value"].count("Likes tuna.") == 1
    # Another text under the same name is the same request; another name is another request.
    again = api.ok("POST", f"/v1/agents/{agent}/messages", json={**body, "messages": [{**body["messages"][0], "content": "other"}]})
    assert spoken(again["messages"]) == ["You said: hello"]
    assert api.said(agent, "hello") == ["You said: hello"]
    assert len(runs(api, agent)) == 2


def test_an_otid_that_comes_again_while_its_run_is_on(new):
    agent = new.agent("openai/slow-1000")
    body = saying("think about it", "a")

    def send(kind: str):
        with Api(str(new.base_url), NEW) as api:
            if kind == "stream":
                return spoken(Stream(post(api, agent, body, to="messages/stream")).frames)
            if kind == "async":
                return api.ok("POST", f"/v1/agents/{agent}/messages/async", json=body)["id"]
            return spoken(api.ok("POST", f"/v1/agents/{agent}/messages", json=body)["messages"])

    kinds = ["whole", "stream", "async"] * 3
    with ThreadPoolExecutor(len(kinds)) as pool:
        answers = dict(enumerate(pool.map(send, kinds)))
    (run,) = runs(new, agent)
    for i, kind in enumerate(kinds):
        assert answers[i] == (run["id"] if kind == "async" else ["You said: think about it"])
    assert heard(new, agent) == ["think about it"]


def test_a_stream_and_an_asynchronous_request_after_the_end(new):
    agent = new.agent()
    body = saying("hello", "a")
    whole = new.ok("POST", f"/v1/agents/{agent}/messages", json=body)
    for more in ({}, {"stream_tokens": True}, {"background": True}):
        stream = Stream(post(new, agent, {**body, **more}, to="messages/stream"))
        assert stream.done and not stream.errors and spoken(stream.frames) == ["You said: hello"]
        assert stream.of("stop_reason") == [whole["stop_reason"]]
    (run,) = runs(new, agent)
    again = new.ok("POST", f"/v1/agents/{agent}/messages/async", json=body)
    assert (again["id"], again["status"]) == (run["id"], "completed")
    # And the other way round.
    later = new.ok("POST", f"/v1/agents/{agent}/messages/async", json=saying("bye", "b"))
    assert new.finished(later["id"])["status"] == "completed"
    stream = Stream(post(new, agent, saying("bye", "b"), to="messages/stream"))
    assert spoken(stream.frames) == ["You said: bye"] and stream.done


def test_a_run_that_failed_fails_again_in_the_same_words(new, mock):
    agent = new.agent("openai/fault-401")
    body = saying("hello", "a")
    first, second = post(new, agent, body), post(new, agent, body)
    assert first.status_code == second.status_code == 401
    assert first.json() == second.json()
    assert len(mock.requests("hello")) >= 1 and len(runs(new, agent)) == 1


def test_a_key_in_the_header_stands_for_the_request(api):
    agent = api.agent(agent_type=PLAIN)
    first = post(api, agent, saying("hello"), "k-1").json()
    assert post(api, agent, saying("hello"), "k-1").json()["messages"] == first["messages"]
    # The form of the answer is not what was asked.
    stream = Stream(post(api, agent, saying("hello", stream_tokens=True), "k-1", "messages/stream"))
    assert spoken(stream.frames) == spoken(first["messages"])
    clear_error(post(api, agent, saying("something else"), "k-1"), 422)
    assert "Idempotency-Key" in str(post(api, agent, saying("something else"), "k-1").json())
    assert post(api, agent, saying("hello"), "k-2").json()["messages"] != first["messages"]
    assert heard(api, agent) == ["hello", "hello"]
    # Another conversation has names of its own.
    assert post(api, api.agent(), saying("something else"), "k-1").status_code == 200


def test_keys_of_conversations_and_of_asynchronous_requests(new):
    agent = new.agent()
    conversation = new.ok("POST", "/v1/conversations/", params={"agent_id": agent}, json={})["id"]
    path, headers = f"/v1/conversations/{conversation}/messages", {"Idempotency-Key": "k"}
    one, two = (new.ok("POST", path, json=saying("hi", streaming=False), headers=headers) for _ in range(2))
    assert one["messages"] == two["messages"]
    runs = {post(new, agent, saying("later"), "k", "messages/async").json()["id"] for _ in range(3)}
    assert len(runs) == 1


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_that_is_none_is_refused(new, key):
    body = clear_error(
        new.post(f"/v1/agents/{new.agent()}/messages", json=saying("hi"), headers={"Idempotency-Key": key}), 422
    )
    assert body["detail"][0]["loc"] == ["header", "Idempotency-Key"]


def test_a_name_is_known_after_a_restart(tmp_path):
    server = EngramServer(data_dir=tmp_path / "data")
    server.start()
    try:
        with contextlib.closing(Api(server.url, NEW)) as api:
            agent = api.agent()
            first = post(api, agent, saying("hello", "a"), "k").json()
            server.kill()
            server.start()
            for body, key in ((saying("hello", "a"), None), (saying("hello", "a"), "k")):
                assert post(api, agent, body, key).json()["messages"] == first["messages"]
            stream = Stream(post(api, agent, saying("hello", "a"), to="messages/stream"))
            assert spoken(stream.frames) == ["You said: hello"] and stream.done
            assert heard(api, agent) == ["hello"]
    finally:
        server.stop()


def test_an_approval_that_is_sent_twice_is_given_once(new):
    agent = new.agent()
    new.ok("PATCH", f"/v1/agents/{agent}/tools/approval/memory_insert", json={"requires_approval": True})
    asked = new.tell(agent, call("memory_insert", label="human", new_string="Likes tuna.") + " noted").json()
    (request,) = [m for m in asked["messages"] if m["message_type"] == "approval_request_message"]
    yes = {"type": "approval", "approve": True, "tool_call_id": request["tool_call"]["tool_call_id"]}
    body = {"messages": [{"type": "approval", "otid": "yes", "approvals": [yes]}]}
    first, second = (new.ok("POST", f"/v1/agents/{agent}/messages", json=body) for _ in range(2))
    assert first["messages"] == second["messages"] and spoken(first["messages"]) == ["You said: noted"]
    assert new.ok("GET", f"/v1/agents/{agent}/core-memory/blocks/human")["value"].count("Likes tuna.") == 1
