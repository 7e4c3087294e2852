"""A person in the loop: calls that wait for approval, and tools that the client runs."""

import contextlib
import time

import pytest
from conftest import NEW, Api, call, clear_error, spoken
from testkit.server import EngramServer

INSERT = call("memory_insert", label="human", new_string="Likes tuna.")


def careful(api: Api, **more) -> str:
    """An agent that must not touch its memory without being allowed to."""
    agent = api.agent(**more)
    api.ok("PATCH", f"/v1/agents/{agent}/tools/approval/memory_insert", json={"requires_approval": True})
    return agent


def ask(api: Api, agent: str, text: str = INSERT + " noted", **more) -> dict:
    """Has the agent ask; returns the request."""
    answer = api.ok("POST", f"/v1/agents/{agent}/messages", json={"input": text, **more})
    assert answer["stop_reason"]["stop_reason"] == "requires_approval"
    (request,) = [m for m in answer["messages"] if m["message_type"] == "approval_request_message"]
    return request


def word(api: Api, agent: str, request: dict, approve: bool, reason: str | None = None, **more):
    decision = {"type": "approval", "tool_call_id": request["tool_call"]["tool_call_id"], "approve": approve, "reason": reason}
    return api.post(f"/v1/agents/{agent}/messages", json={"messages": [{"type": "approval", "approvals": [decision]}], **more})


def memory(api: Api, agent: str) -> str:
    return api.ok("GET", f"/v1/agents/{agent}/core-memory/blocks/human")["value"]


def pending(api: Api, agent: str):
    return api.ok("GET", f"/v1/agents/{agent}")["pending_approval"]


def returned(messages: list[dict]) -> list[dict]:
    return [m for m in messages if m["message_type"] == "tool_return_message"]


def test_nothing_else_is_said_while_a_call_waits(new):
    agent = careful(new)
    request = ask(new, agent)
    assert pending(new, agent)["id"] == request["id"]
    detail = clear_error(new.tell(agent, "hello?"), 409)["detail"]
    assert (detail["code"], detail["pending_request_id"]) == ("PENDING_APPROVAL", request["id"])
    assert "Likes tuna." not in memory(new, agent)
    answer = word(new, agent, request, True).json()
    assert spoken(answer["messages"]) == ["You said: noted"] and "Likes tuna." in memory(new, agent)
    assert pending(new, agent) is None
    clear_error(word(new, agent, request, True), 400)


def test_a_denial_has_a_reason_that_the_agent_reads(new):
    agent = careful(new)
    answer = word(new, agent, ask(new, agent), False, "no fish please").json()
    (result,) = returned(answer["messages"])
    assert result["status"] == "error" and "no fish please" in str(result["tool_return"])
    assert spoken(answer["messages"]) == ["You said: noted"] and "Likes tuna." not in memory(new, agent)


@pytest.mark.parametrize("approve", [True, False])
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_restart_between_request_and_word_changes_nothing(tmp_path, approve, end):
    server = EngramServer(data_dir=tmp_path / "data")
    server.start()
    try:
        with contextlib.closing(Api(server.url, NEW)) as api:
            agent = careful(api)
            request = ask(api, agent)
            getattr(server, end)()
            server.start()
            assert pending(api, agent)["id"] == request["id"]
            clear_error(api.tell(agent, "hello?"), 409)
            answer = word(api, agent, request, approve, None if approve else "no fish please").json()
            (result,) = returned(answer["messages"])
            assert result["status"] == ("success" if approve else "error")
            assert approve or "no fish please" in str(result["tool_return"])
            assert spoken(answer["messages"]) == ["You said: noted"]
            assert ("Likes tuna." in memory(api, agent)) == approve
            api.still_answers(agent)
    finally:
        server.stop()


def test_results_of_a_client_tool_come_after_a_restart(tmp_path):
    tool = {"name": "open_door", "description": "Opens the door.", "parameters": {"type": "object", "properties": {}}}
    server = EngramServer(data_dir=tmp_path / "data")
    server.start()
    try:
        with contextlib.closing(Api(server.url, NEW)) as api:
            agent = api.agent()
            request = ask(api, agent, call("open_door") + " well?", client_tools=[tool])
            server.kill()
            server.start()
            result = {"type": "tool", "tool_call_id": request["tool_call"]["tool_call_id"], "tool_return": "it is open",
                      "status": "success"}
            body = {"messages": [{"type": "approval", "approvals": [result]}], "client_tools": [tool]}
            answer = api.ok("POST", f"/v1/agents/{agent}/messages", json=body)
            assert spoken(answer["messages"]) == ["You said: well?"]
            shown = returned(api.messages(agent))
            assert [(m["status"], m["tool_return"]) for m in shown] == [("success", "it is open")]
    finally:
        server.stop()


@pytest.mark.parametrize("by", ["agent", "run", "conversation"])
def test_cancelling_denies_what_waits(new, by):
    agent = careful(new)
    request = ask(new, agent)
    run = request["run_id"]
    path, body = {
        "agent": (f"/v1/agents/{agent}/messages/cancel", {}),
        "run": (f"/v1/agents/{agent}/messages/cancel", {"run_ids": [run]}),
        "conversation": (f"/v1/conversations/{agent}/cancel", {}),
    }[by]
    started = time.monotonic()
    assert new.ok("POST", path, json=body) == {run: "cancelled"}
    assert time.monotonic() - started < 1
    assert pending(new, agent) is None and "Likes tuna." not in memory(new, agent)
    (result,) = returned(new.messages(agent))
    assert result["status"] == "error" and result["tool_call_id"] == request["tool_call"]["tool_call_id"]
    clear_error(new.post(path, json=body), 409)
    new.still_answers(agent)


def test_cancelling_another_run_denies_nothing(new):
    agent = careful(new)
    other = new.ok("POST", f"/v1/agents/{agent}/messages/async", json={"input": "hello"})["id"]
    new.finished(other)
    request = ask(new, agent)
    clear_error(new.post(f"/v1/agents/{agent}/messages/cancel", json={"run_ids": [other]}), 409)
    assert pending(new, agent)["id"] == request["id"]


def test_a_message_that_interrupts_denies_what_waits(new):
    agent = careful(new)
    request = ask(new, agent)
    answer = new.tell(agent, "never mind", busy_policy="interrupt")
    assert answer.status_code == 200 and spoken(answer.json()["messages"]) == ["You said: never mind"]
    shown = new.messages(agent)
    (result,) = returned(shown)
    assert result["status"] == "error" and result["tool_call_id"] == request["tool_call"]["tool_call_id"]
    assert shown.index(result) < next(i for i, m in enumerate(shown) if m.get("content") == "never mind")
    assert pending(new, agent) is None and "Likes tuna." not in memory(new, agent)


def test_rules_are_checked_again_when_the_word_comes(new):
    """Approval is no way around the rules that hold by then."""
    agent = careful(new)
    request = ask(new, agent)
    rules = new.ok("GET", f"/v1/agents/{agent}")["tool_rules"]
    rules.append({"type": "run_first", "tool_name": "conversation_search"})
    new.ok("PATCH", f"/v1/agents/{agent}", json={"tool_rules": rules})
    answer = word(new, agent, request, True).json()
    result = returned(answer["messages"])[0]
    assert result["status"] == "error" and "ToolConstraintError" in str(result["tool_return"])
    assert "Likes tuna." not in memory(new, agent)


def test_a_tool_that_is_gone_when_the_word_comes_is_an_error_for_the_agent(new):
    agent = careful(new)
    request = ask(new, agent)
    (tool,) = [t["id"] for t in new.ok("GET", f"/v1/agents/{agent}")["tools"] if t["name"] == "memory_insert"]
    new.ok("PATCH", f"/v1/agents/{agent}/tools/detach/{tool}")
    answer = word(new, agent, request, True).json()
    assert returned(answer["messages"])[0]["status"] == "error"
    assert "Likes tuna." not in memory(new, agent)
    new.still_answers(agent)


def test_both_forms_of_a_word_are_understood(api):
    agent = careful(api, agent_type="letta_v1_agent")
    request = ask(api, agent)
    older = {"type": "approval", "approve": False, "approval_request_id": request["id"], "reason": "later"}
    answer = api.post(f"/v1/agents/{agent}/messages", json={"messages": [older]})
    assert answer.status_code == 200, answer.text
    assert "Likes tuna." not in memory(api, agent)
    word(api, agent, ask(api, agent), True)
    assert "Likes tuna." in memory(api, agent)
