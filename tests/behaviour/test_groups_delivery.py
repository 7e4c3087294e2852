"""What becomes of messages to groups, and between agents, that come twice, too soon, or to somebody who is busy."""

import concurrent.futures
import time

from conftest import NEW, Api, Stream, call, clear_error, spoken
from test_agent_messages import ASK, ASYNC, eventually, results
from test_approval import INSERT, ask, careful, pending, word
from test_groups_messages import cast, group, heard, runs, script, tell, told, words
from testkit.server import EngramServer


def test_a_message_that_is_sent_again_is_heard_once(new):
    ada, bob = cast(new, "Ada", "Bob", model="openai/slow-300")
    club = group(new, [ada, bob])
    body = {"messages": [{"role": "user", "content": "plan", "otid": "o-1"}]}

    def send(path="messages", key=None):
        return new.post(f"/v1/groups/{club}/{path}", json=body, headers={"Idempotency-Key": key} if key else {})

    with concurrent.futures.ThreadPoolExecutor() as pool:
        answers = [pool.submit(send) for _ in range(3)] + [pool.submit(send, "messages/stream")]
        first, second, third, stream = [answer.result() for answer in answers]
    assert first.status_code == 200 and first.json()["messages"] == second.json()["messages"] == third.json()["messages"]
    assert words(Stream(stream).frames) == words(first.json()["messages"])
    assert len(words(send().json()["messages"])) == 2, "also when it is over"
    assert heard(new, ada) == ["plan"] and len(runs(new, bob)) == 1
    # A key stands for the whole request.
    body["messages"][0]["otid"] = None
    assert send(key="k").status_code == 200 and send(key="k").status_code == 200
    assert heard(new, ada) == ["plan", "plan"] and len(runs(new, bob)) == 2
    body["messages"][0]["content"] = "another plan"
    clear_error(send(key="k"), 422)
    # Another group has names of its own.
    club = group(new, [ada])
    assert send(key="k").status_code == 200


def test_a_group_that_is_deleted_falls_silent(new):
    boss, ada, bob = cast(new, "Boss", "Ada", "Bob", model="openai/slow-500")
    script(new, ada, *[bob, ada] * 5)
    club = group(new, [ada, bob], "dynamic", manager_agent_id=boss, max_turns=10)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answers = [pool.submit(tell, new, club, "plan") for _ in range(2)]
        eventually(lambda: runs(new, bob))
        new.ok("DELETE", f"/v1/groups/{club}")
        for answer in answers:
            assert "deleted" in clear_error(answer.result(), 404)["detail"]
    assert len(runs(new, ada)) + len(runs(new, bob)) <= 2
    # Nobody waits for a choice any more.
    new.still_answers(boss)


def test_a_manager_hears_its_messages_when_it_has_chosen(new):
    boss, writer = new.agent(name="Boss"), new.agent(name="Writer", tools=[ASYNC])
    ada, bob = cast(new, "Ada", "Bob", model="openai/slow-1000")
    script(new, ada, bob)
    club = group(new, [ada, bob], "dynamic", manager_agent_id=boss, max_turns=1)
    other = group(new, [ada], "dynamic", manager_agent_id=boss, max_turns=1)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(told, new, club, "plan")
        eventually(lambda: runs(new, bob))
        clear_error(new.tell(boss, "and me?"), 409)
        assert clear_error(tell(new, other, "and we?"), 409)
        (result,) = results(new.tell(writer, call(ASYNC, message="news", other_agent_id=boss)).json()["messages"])
        assert result["status"] == "success"
        assert words(answer.result()) == [("Bob", "You said: plan")]
    eventually(lambda: [text for text in heard(new, boss) if text.endswith("\nnews")])
    assert [run["status"] for run in runs(new, boss) if run["stop_reason"] == "error"] == ["failed"] * 2, "only the refused"


def test_messages_of_agents_wait_for_a_person_s_word(new):
    agent = careful(new, busy_policy="reject")
    writer = new.agent(tools=[ASYNC])
    request = ask(new, agent)
    for text in ("one", "two"):
        new.tell(writer, call(ASYNC, message=text, other_agent_id=agent))
    time.sleep(1.5)
    waiting = [run for run in runs(new, agent) if run["status"] == "created"]
    assert len(waiting) == 2 and not any(text.endswith(("one", "two")) for text in heard(new, agent))
    # One of them is not wanted any more.
    cancelled = next(r for r in waiting if r["created_at"] == max(w["created_at"] for w in waiting))["id"]
    new.ok("POST", f"/v1/agents/{agent}/messages/cancel", json={"run_ids": [cancelled]})
    # The word is no new message: an agent that rejects those takes it, though runs wait.
    answer = word(new, agent, request, True)
    assert answer.status_code == 200 and spoken(answer.json()["messages"]) == ["You said: noted"], answer.text
    eventually(lambda: [text for text in heard(new, agent) if text.endswith("\none")])
    eventually(lambda: all(run["status"] in ("completed", "cancelled") for run in runs(new, agent)))
    assert not any(text.endswith("\ntwo") for text in heard(new, agent))


def test_no_queue_is_too_full_for_the_word_that_it_waits_for(tmp_path):
    with (
        EngramServer(data_dir=tmp_path, env={"ENGRAM_MAX_QUEUE": "2"}) as server,
        Api(server.url, NEW) as new,
    ):
        agent, writer = careful(new), new.agent(tools=[ASYNC])
        request = ask(new, agent)
        for text in ("one", "two", "three"):
            new.tell(writer, call(ASYNC, message=text, other_agent_id=agent))
        assert new.tell(agent, "hello?").status_code == 429
        assert word(new, agent, request, True).status_code == 200
        eventually(lambda: [text for text in heard(new, agent) if text.endswith("\nthree")])


def test_a_forgotten_group_takes_denied_calls_along(new):
    member = careful(new, agent_type="letta_v1_agent")
    club = group(new, [member])
    tell(new, club, INSERT + " noted")
    assert pending(new, member)
    new.ok("POST", f"/v1/agents/{member}/messages/cancel", json={})
    assert not pending(new, member)
    kinds = [m["message_type"] for m in new.messages(member)]
    assert "tool_return_message" in kinds
    new.ok("PATCH", f"/v1/groups/{club}/reset-messages")
    assert not {m["message_type"] for m in new.messages(member)} & {"tool_return_message", "approval_request_message"}
    new.still_answers(member)


def test_two_that_ask_each_other_at_once_are_told(new):
    ada, bob = (new.agent("openai/slow-300", tools=[ASK], tool_exec_environment_variables={}) for _ in range(2))
    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        pairs = [(ada, bob), (bob, ada)]
        answers = [pool.submit(new.tell, one, call(ASK, message="hello", other_agent_id=two)) for one, two in pairs]
        returned = [result for answer in answers for result in results(answer.result().json()["messages"])]
    assert time.monotonic() - started < 30, "nobody waits until patience is over"
    assert sorted(result["status"] for result in returned)[0] == "error"
    assert any("waiting for the answer" in result["tool_return"] for result in returned)
