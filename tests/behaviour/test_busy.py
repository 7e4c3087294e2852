"""What becomes of a message while the agent is busy: it waits, is refused, or goes first."""

import contextlib
import subprocess
import sys
import time

import pytest
from conftest import NEW, Api, clear_error, spoken
from testkit import envs
from testkit.server import EngramServer


def begin(api: Api, agent: str, text: str, **more) -> str:
    return api.ok("POST", f"/v1/agents/{agent}/messages/async", json={"input": text, **more})["id"]


def running(api: Api, run: str) -> None:
    deadline = time.monotonic() + 10
    while api.ok("GET", f"/v1/runs/{run}")["status"] != "running":
        assert time.monotonic() < deadline
        time.sleep(0.02)


def turns(api: Api, agent: str) -> list[str]:
    return [m["content"] for m in api.messages(agent) if m["message_type"] in ("user_message", "assistant_message")]


def test_messages_wait_their_turn_and_are_seen_to_wait(new):
    agent = new.agent("openai/slow-1000")
    runs = [begin(new, agent, f"message {i}") for i in range(3)]
    running(new, runs[0])
    active = new.ok("GET", "/v1/runs/", params={"agent_id": agent, "active": True, "order": "asc"})
    assert [(r["id"], r["status"]) for r in active] == list(zip(runs, ["running", "created", "created"]))
    assert [new.finished(r)["status"] for r in runs] == ["completed"] * 3
    assert turns(new, agent) == [said for i in range(3) for said in (f"message {i}", f"You said: message {i}")]
    assert new.ok("GET", "/v1/runs/", params={"agent_id": agent, "active": True}) == []


def test_a_message_that_does_not_want_to_wait_is_refused(api):
    agent = api.agent("openai/slow-2000", agent_type="letta_v1_agent")
    run = begin(api, agent, "hold on")
    for path in ("messages", "messages/stream", "messages/async"):
        answer = api.post(f"/v1/agents/{agent}/{path}", json={"input": "quick", "busy_policy": "reject"})
        detail = clear_error(answer, 409)["detail"]
        assert detail["code"] == "CONVERSATION_BUSY" and detail["run_id"] == run and detail["message"]
        assert answer.headers["x-should-retry"] == "false"
    assert api.finished(run)["status"] == "completed"
    answer = api.tell(agent, "quick", busy_policy="reject")
    assert answer.status_code == 200 and spoken(answer.json()["messages"]) == ["You said: quick"]
    assert turns(api, agent) == ["hold on", "You said: hold on", "quick", "You said: quick"]


def test_the_agent_has_a_wish_of_its_own(new):
    agent = new.agent("openai/slow-2000", busy_policy="reject")
    assert new.ok("GET", f"/v1/agents/{agent}")["busy_policy"] == "reject"
    run = begin(new, agent, "hold on")
    clear_error(new.tell(agent, "quick"), 409)
    second = begin(new, agent, "I can wait", busy_policy="queue")
    assert new.ok("PATCH", f"/v1/agents/{agent}", json={"busy_policy": "queue"})["busy_policy"] == "queue"
    third = begin(new, agent, "me too")
    assert [new.finished(r)["status"] for r in (run, second, third)] == ["completed"] * 3
    assert new.ok("GET", f"/v1/agents/{new.agent()}")["busy_policy"] == "queue"


@pytest.mark.parametrize("path", ["/v1/agents/{}/messages", "/v1/agents/"])
def test_a_policy_that_does_not_exist_is_named(new, path):
    body = {"input": "x", "model": "engram/scripted", "embedding": "engram/embed", "busy_policy": "shout"}
    detail = clear_error(new.post(path.format(new.agent()), json=body), 422)["detail"]
    assert detail[0]["loc"] == ["body", "busy_policy"] and "interrupt" in detail[0]["msg"]


def test_a_message_that_interrupts_goes_first_and_what_was_done_stays(new, mock):
    agent = new.agent("openai/slow-3000")
    # Only the model takes its time: a first turn that is whole stays.
    first = begin(new, agent, "[[call memory_insert {\"label\": \"human\", \"new_string\": \"Likes tuna.\"}]] long story")
    deadline = time.monotonic() + 20
    while "Likes tuna." not in new.ok("GET", f"/v1/agents/{agent}/core-memory/blocks/human")["value"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    second = begin(new, agent, "I wait")
    started = time.monotonic()
    answer = new.tell(agent, "stop!", busy_policy="interrupt")
    assert answer.status_code == 200 and spoken(answer.json()["messages"]) == ["You said: stop!"]
    assert time.monotonic() - started < 6, "it waited for the others"
    assert [new.finished(r)["status"] for r in (first, second)] == ["cancelled"] * 2
    shown = new.messages(agent)
    assert [m["message_type"] for m in shown if m["message_type"].startswith("tool_")] == ["tool_call_message", "tool_return_message"]
    assert turns(new, agent)[-2:] == ["stop!", "You said: stop!"]
    assert "You said: long story" not in turns(new, agent)
    assert "Likes tuna." in new.ok("GET", f"/v1/agents/{agent}/core-memory/blocks/human")["value"]


def test_a_queue_has_an_end(mock):
    with EngramServer(env={**mock.server_env, "ENGRAM_MAX_QUEUE": "3"}) as server:
        with contextlib.closing(Api(server.url, NEW)) as api:
            agent, other = api.agent("openai/slow-1000"), api.agent()
            runs = [begin(api, agent, f"message {i}") for i in range(3)]
            answer = api.tell(agent, "one too many")
            clear_error(answer, 429)
            assert answer.headers["retry-after"] == "1" and answer.headers["x-should-retry"] == "true"
            assert api.said(other, "hello") == ["You said: hello"]
            assert [api.finished(r)["status"] for r in runs] == ["completed"] * 3
            assert api.said(agent, "now") == ["You said: now"]


OLD_SDK = """
import sys
from letta_client import Letta, MessageCreate
from letta_client.core.api_error import ApiError
client, agent, run = Letta(base_url=sys.argv[1]), sys.argv[2], sys.argv[3]
try:
    client.agents.messages.create(agent_id=agent, messages=[MessageCreate(role="user", content="quick")],
                                  request_options={"additional_body_parameters": {"busy_policy": "reject"}})
except ApiError as error:
    assert error.status_code == 409 and error.body["detail"]["run_id"] == run, error
    print("refused")
"""

NEW_SDK = """
import sys
from letta_client import ConflictError, Letta
client, agent, run = Letta(base_url=sys.argv[1]), sys.argv[2], sys.argv[3]
try:
    client.agents.messages.create(agent, input="quick", extra_body={"busy_policy": "reject"})
except ConflictError as error:
    assert error.body["detail"]["run_id"] == run, error.body
    print("refused")
assert client.agents.retrieve(agent).id == agent
"""


@pytest.mark.parametrize("generation, script", [("python_old", OLD_SDK), ("python_new", NEW_SDK)])
def test_both_sdks_say_that_it_is_busy(new, server, generation, script):
    python = envs.ensure_venv(generation)
    agent = new.agent("openai/slow-3000")
    run = begin(new, agent, "hold on")
    started = time.monotonic()
    done = subprocess.run([python, "-c", script, server.url, agent, run], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout.strip() == "refused", done.stderr
    print(f"{generation}: {time.monotonic() - started:.1f} s", file=sys.stderr)
    assert len(new.ok("GET", "/v1/runs/", params={"agent_id": agent})) == 1, "the SDK did not repeat it"
