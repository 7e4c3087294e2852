"""Agents that write to each other."""

import contextlib
import json
import random
import time

from conftest import NEW, Api, call, spoken
from testkit.server import EngramServer

ASYNC = "send_message_to_agent_async"
ASK = "send_message_to_agent_and_wait_for_reply"
TAGS = "send_message_to_agents_matching_tags"


def heard(api, agent: str) -> list[str]:
    said = [m["content"] for m in api.messages(agent) if m["message_type"] == "user_message"]
    return [text for text in said if not text.startswith('{\n  "type"')]  # logins and heartbeats


def results(messages: list[dict]) -> list[dict]:
    return [m for m in messages if m["message_type"] == "tool_return_message"]


def eventually(check, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := check():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s")


def test_a_message_is_answered_later(api):
    ada, bob = api.agent(name="Ada", tools=[ASYNC]), api.agent(name="Bob", tools=[ASYNC])
    answer = api.tell(ada, call(ASYNC, message="hello Bob", other_agent_id=bob) + " sent?").json()["messages"]
    assert [r["status"] for r in results(answer)] == ["success"]
    (text,) = eventually(lambda: heard(api, bob))
    assert ada in text and text.endswith("\nhello Bob")


def test_a_reply_is_waited_for(api):
    ada, bob = api.agent(name="Ada", tools=[ASK]), api.agent(name="Bob")
    answer = api.tell(ada, call(ASK, message="hello Bob", other_agent_id=bob) + " well?").json()["messages"]
    (result,) = results(answer)
    said = json.loads(result["tool_return"])
    assert said["agent_id"] == bob and said["response"][0].endswith("hello Bob")
    for wrong in ("agent-123e4567-e89b-42d3-8456-426614174000", "Bob"):
        (result,) = results(api.tell(ada, call(ASK, message="hello?", other_agent_id=wrong)).json()["messages"])
        assert result["status"] == "error" and "agent" in result["tool_return"]


def test_agents_that_would_wait_for_each_other_are_told_at_once(api):
    ada, bob = api.agent(tools=[ASK]), api.agent(tools=[ASK])
    back = call(ASK, message="and you?", other_agent_id=ada)
    started = time.monotonic()
    (result,) = results(api.tell(ada, call(ASK, message=back, other_agent_id=bob)).json()["messages"])
    assert time.monotonic() - started < 10
    assert result["status"] == "success", "Bob has answered, though he could not ask back"
    (refused,) = results(api.messages(bob))
    assert refused["status"] == "error" and "is waiting for the answer" in refused["tool_return"]
    assert ada in refused["tool_return"] and len(heard(api, ada)) == 1
    (refused,) = results(api.tell(ada, call(ASK, message="me?", other_agent_id=ada)).json()["messages"])
    assert refused["status"] == "error" and "is waiting for the answer" in refused["tool_return"]


def test_a_line_of_agents_is_not_endless(new):
    agents = [new.agent(tools=[ASK]) for _ in range(11)]
    text = "the end"
    for agent in reversed(agents[1:]):
        text = call(ASK, message=text, other_agent_id=agent)
    new.tell(agents[0], text)
    reached = [agent for agent in agents if heard(new, agent)]
    assert reached == agents[:9], "eight may wait for each other"
    (refused,) = results(new.messages(agents[8]))
    assert "waiting for each other already" in refused["tool_return"]


def test_a_broadcast_to_twenty_of_which_three_fail(new):
    ada = new.agent(tools=[TAGS])
    broken = {new.agent("openai/fault-401", tags=["worker", "cast-a"]) for _ in range(3)}
    workers = {new.agent(tags=["worker", "cast-a"]) for _ in range(17)}
    new.agent(tags=["worker", "cast-b"])
    asked = call(TAGS, message="report", match_all=["cast-a"], match_some=["worker", "other"])
    (result,) = results(new.tell(ada, asked).json()["messages"])
    answers = json.loads(result["tool_return"])
    assert {a["agent_id"] for a in answers if "response" in a} == workers
    assert {a["agent_id"] for a in answers if "error" in a} == broken
    assert all(a["agent_id"] in a["error"] for a in answers if "error" in a)


def test_what_one_writes_into_a_shared_block_the_other_sees_at_its_next_step(new, mock):
    block = new.ok("POST", "/v1/blocks/", json={"label": "plan", "value": "nothing yet"})["id"]
    ada = new.agent(block_ids=[block])
    bob = new.agent("openai/gpt-4o-mini", block_ids=[block])
    new.said(bob, "are you awake?")
    new.said(ada, call("memory_insert", label="plan", new_string="Meet at the lighthouse."))
    new.said(bob, "what is the plan, shared reader?")
    (request,) = [r for r in mock.requests("shared reader?")][-1:]
    assert "Meet at the lighthouse." in json.dumps(request["body"]["messages"][0])


def test_async_messages_arrive_once_whatever_crashes(tmp_path, mock):
    server = EngramServer(data_dir=tmp_path / "data", env=mock.server_env)
    server.start()
    chance = random.Random(4)
    try:
        with contextlib.closing(Api(server.url, NEW)) as api:
            agents = [api.agent(random_model(chance), tools=[ASYNC]) for _ in range(6)]
            sent, runs = {}, []
            for number in range(30):
                sender, receiver = chance.sample(agents, 2)
                word = f"letter-{number:03}-"
                sent[word] = receiver
                text = call(ASYNC, message=word, other_agent_id=receiver)
                runs.append(api.ok("POST", f"/v1/agents/{sender}/messages/async", json={"input": text})["id"])
                if number % 10 == 9:
                    time.sleep(chance.random() * 0.4)
                    server.kill()
                    server.start()
            assert {api.finished(run, 60)["status"] for run in runs} == {"completed"}

            def arrived():
                letters = {agent: [t for t in heard(api, agent) if t.startswith("[Incoming")] for agent in agents}
                return letters if sum(map(len, letters.values())) >= len(sent) else None

            letters = eventually(arrived, 60)
            time.sleep(1)
            letters = arrived()
            for word, receiver in sent.items():
                found = {agent: sum(word in text for text in texts) for agent, texts in letters.items()}
                assert found == {agent: int(agent == receiver) for agent in agents}, word
    finally:
        server.stop()


def random_model(chance: random.Random) -> str:
    return chance.choice(["engram/scripted", "openai/slow-50", "openai/slow-100"])
