"""Messages to groups: who speaks, who hears what, and what becomes of it when something goes wrong."""

import concurrent.futures
import contextlib
import json
import threading
import time

import pytest
from conftest import NEW, Api, Stream, call, clear_error, spoken
from testkit.server import EngramServer


def group(api, agents, kind="round_robin", **config) -> str:
    config = {"manager_type": kind, **config}
    body = {"agent_ids": agents, "description": "d", "manager_config": config}
    return api.ok("POST", "/v1/groups/", json=body)["id"]


def tell(api, to: str, text: str, **more):
    body = {"messages": [{"role": "user", "content": text}], **more}
    return api.post(f"/v1/groups/{to}/messages", json=body)


def told(api, to: str, text: str, **more) -> list[dict]:
    answer = tell(api, to, text, **more)
    assert answer.status_code == 200, answer.text[:1000]
    return answer.json()["messages"]


def words(messages: list[dict]) -> list[tuple[str, str]]:
    return [(m["name"], m["content"]) for m in messages if m["message_type"] == "assistant_message"]


def heard(api, agent: str) -> list[str]:
    said = [m["content"] for m in api.messages(agent) if m["message_type"] == "user_message"]
    return [text for text in said if not text.startswith('{\n  "type"')]  # logins and heartbeats


def runs(api, agent: str) -> list[dict]:
    return api.ok("GET", "/v1/runs/", params={"agent_ids": [agent], "limit": 100})


def cast(api, *names, model="engram/scripted", **more) -> list[str]:
    return [api.agent(model, name=name, **more) for name in names]


# ------------------------------------------------------------------------------------------ round robin


def test_members_speak_in_order_and_hear_what_they_have_not_heard(api):
    ada, bob, cy = cast(api, "Ada", "Bob", "Cy")
    club = group(api, [ada, bob, cy], max_turns=4)
    said = words(told(api, club, "plan"))
    assert said == [
        ("Ada", "You said: plan"),
        ("Bob", "You said: You said: plan"),
        ("Cy", "You said: You said: You said: plan"),
        ("Ada", "You said: You said: You said: You said: plan"),
    ]
    assert heard(api, cy) == ["plan", said[0][1], said[1][1]]
    assert heard(api, ada) == ["plan", said[1][1], said[2][1]], "not its own words again"
    assert [m["name"] for m in api.messages(cy) if m["message_type"] == "user_message"][-3:] == [None, "Ada", "Bob"]
    # Without a number of turns everybody speaks once.
    assert [name for name, _ in words(told(api, group(api, [bob, ada]), "again"))] == ["Bob", "Ada"]


def test_a_stream_names_the_speakers(api):
    ada, bob = cast(api, "Ada", "Bob")
    club = group(api, [ada, bob])
    body = {"messages": [{"role": "user", "content": "hello"}], "stream_tokens": True}
    stream = Stream(api.post(f"/v1/groups/{club}/messages/stream", json=body))
    assert stream.response.headers["content-type"].startswith("text/event-stream")
    assert stream.done and not stream.errors
    assert words(stream.frames) == [("Ada", "You said: hello"), ("Bob", "You said: You said: hello")]
    assert stream.kinds[-2:] == ["stop_reason", "usage_statistics"]
    assert stream.of("usage_statistics")[0]["step_count"] == 2


def test_the_group_s_messages_are_listed_changed_and_forgotten(api):
    ada, bob = cast(api, "Ada", "Bob")
    club = group(api, [ada, bob])
    api.said(ada, "between us")
    told(api, club, "for all")
    path = f"/v1/groups/{club}/messages"
    listed = api.ok("GET", path, params={"limit": 100})
    texts = [m["content"] for m in listed if m["message_type"] in ("user_message", "assistant_message")]
    assert texts == [
        "for all", "You said: for all",  # Ada
        "for all", "You said: for all", "You said: You said: for all",  # Bob
    ]
    assert {name for name, _ in words(listed)} == {"Ada", "Bob"}
    one = api.ok("GET", path, params={"limit": 1, "order": "asc"})
    assert [m["id"] for m in one] == [listed[0]["id"]]
    after = api.ok("GET", path, params={"limit": 100, "after": one[0]["id"]})
    assert {m["id"] for m in after} == {m["id"] for m in listed} - {one[0]["id"]}

    changed = {"message_type": "user_message", "content": "for both"}
    assert api.ok("PATCH", f"{path}/{one[0]['id']}", json=changed)["content"] == "for both"
    private = next(m["id"] for m in api.messages(ada) if m.get("content") == "between us")
    clear_error(api.patch(f"{path}/{private}", json=changed), 404)

    assert api.ok("PATCH", f"/v1/groups/{club}/reset-messages") is None
    assert api.ok("GET", path) == []
    assert heard(api, ada) == ["between us"] and heard(api, bob) == []
    assert words(told(api, club, "anew")) == [("Ada", "You said: anew"), ("Bob", "You said: You said: anew")]
    assert heard(api, bob) == ["anew", "You said: anew"]


def test_what_cannot_be_said_to_a_group(api):
    (ada,) = cast(api, "Ada")
    club = group(api, [ada])
    for body in ({}, {"messages": []}, {"messages": [{"type": "approval", "approve": True, "approval_request_id": "x"}]}):
        clear_error(api.post(f"/v1/groups/{club}/messages", json=body), 422)
    nobody = "group-123e4567-e89b-42d3-8456-426614174000"
    assert "Group" in clear_error(tell(api, nobody, "hello"), 404)["detail"]
    clear_error(api.patch(f"/v1/groups/{nobody}/reset-messages"), 404)
    assert told(api, group(api, []), "is anybody there?") == []


def test_a_member_that_fails_is_passed_over(new):
    broken, bob = cast(new, "Broken", model="openai/fault-401") + cast(new, "Bob")
    assert words(told(new, group(new, [broken, bob]), "hello")) == [("Bob", "You said: hello")]
    assert tell(new, group(new, [broken]), "hello").status_code == 401, "nobody could speak at all, and that is why"


def test_members_that_go_or_are_cancelled_in_the_middle(new, mock):
    ada, bob, cy = cast(new, "Ada", "Bob", "Cy", model="openai/slow-1000")
    club = group(new, [ada, bob, cy])
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(told, new, club, "hello")
        time.sleep(0.4)
        new.ok("DELETE", f"/v1/agents/{cy}")
        new.ok("POST", f"/v1/agents/{ada}/messages/cancel", json={})
        assert words(answer.result()) == [("Bob", "You said: hello")]


def test_a_group_hears_one_message_at_a_time(new):
    ada, bob = cast(new, "Ada", "Bob", model="openai/slow-50")
    club = group(new, [ada, bob])
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda i: words(told(new, club, f"m{i}")), range(6)))
    for i, answer in enumerate(answers):
        assert answer == [("Ada", f"You said: m{i}"), ("Bob", f"You said: You said: m{i}")]
    turns = heard(new, bob)
    pairs = [tuple(turns[i : i + 2]) for i in range(0, len(turns), 2)]
    assert sorted(pairs) == [(f"m{i}", f"You said: m{i}") for i in range(6)], "no message inside another one"


# ---------------------------------------------------------------------------------------------- dynamic


def script(api, agent: str, *choices: str) -> None:
    """What the manager reads of this participant makes the scripted model choose these, one after the other."""
    calls = "".join(call("choose_next_participant", next_speaker_agent_id=choice) for choice in choices)
    api.ok("PATCH", f"/v1/agents/{agent}", json={"description": calls})


def test_the_manager_chooses_until_somebody_says_the_word(api):
    boss, ada, bob = cast(api, "Boss", "Ada", "Bob")
    script(api, ada, bob, ada)
    end = "You said: You said:"
    club = group(api, [ada, bob], "dynamic", manager_agent_id=boss, termination_token=end, max_turns=9)
    said = words(told(api, club, "plan"))
    assert said == [("Bob", "You said: plan"), ("Ada", "You said: You said: plan")]
    assert heard(api, ada) == ["plan", "You said: plan"]
    results = [m for m in api.messages(boss) if m["message_type"] == "tool_return_message"]
    heard_of = [f"{name} said: {text}" for name, text in said]
    assert [m["tool_return"] for m in results] == [heard_of[0], heard_of[1] + "\nThe conversation is over."]
    # Its conversation is in order: it can be spoken to.
    api.still_answers(boss)


def test_the_manager_is_stopped_after_so_many_turns(new):
    boss, ada, bob = cast(new, "Boss", "Ada", "Bob")
    script(new, ada, bob, bob, bob)
    club = group(new, [boss, ada, bob], "dynamic", manager_agent_id=boss, max_turns=3)
    assert [name for name, _ in words(told(new, club, "plan"))] == ["Bob"] * 3
    assert heard(new, ada) == [] and len(runs(new, bob)) == 3
    new.still_answers(boss)


def test_two_messages_to_a_dynamic_group_do_not_meet(new):
    boss, ada, bob = cast(new, "Boss", "Ada", "Bob", model="openai/slow-50")
    script(new, ada, bob, ada)
    club = group(new, [ada, bob], "dynamic", manager_agent_id=boss, max_turns=2)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda i: words(told(new, club, f"m{i}")), range(3)))
    for i, answer in enumerate(answers):
        assert answer == [("Bob", f"You said: m{i}"), ("Ada", f"You said: You said: m{i}")]


def test_a_manager_that_waits_for_an_approval_says_so(new):
    boss, ada = cast(new, "Boss", tools=["archival_memory_insert"]) + cast(new, "Ada")
    tool = "archival_memory_insert"
    new.ok("PATCH", f"/v1/agents/{boss}/tools/approval/{tool}", params={"requires_approval": True}, json={"requires_approval": True})
    new.tell(boss, call(tool, content="x"))
    club = group(new, [ada], "dynamic", manager_agent_id=boss)
    answer = tell(new, club, "plan")
    assert answer.status_code >= 400 and "approval" in answer.text, answer.text


# ------------------------------------------------------------------------------------------- supervisor


def test_a_supervisor_with_twenty_workers_of_which_three_fail(new):
    (boss,) = cast(new, "Boss")
    broken = cast(new, "b1", "b2", "b3", model="openai/fault-401")
    workers = cast(new, *[f"w{i}" for i in range(17)])
    new.said(boss, "I am awake before the group is there")
    order = [*workers[:5], broken[0], *workers[5:12], broken[1], *workers[12:], broken[2]]
    club = group(new, order, "supervisor", manager_agent_id=boss)
    started = time.monotonic()
    messages = told(new, club, call("send_message_to_all_agents_in_group", message="report") + " and?")
    assert time.monotonic() - started < 30
    assert spoken(messages) == ["You said: and?"]
    (result,) = [m for m in messages if m["message_type"] == "tool_return_message"]
    answers = json.loads(result["tool_return"])
    assert [a["agent_id"] for a in answers] == order
    failed = [a["agent_id"] for a in answers if "error" in a]
    assert failed == broken and all(a["agent_id"] in a["error"] for a in answers if "error" in a)
    assert sum(bool(a.get("response")) and "report" in a["response"][0] for a in answers) == 17
    assert all(boss in heard(new, w)[0] for w in workers), "the receiver sees who wrote"
    # The tool is the group's: nobody can list it, and it goes with the group.
    named = {"name": "send_message_to_all_agents_in_group"}
    assert new.ok("GET", "/v1/tools/", params=named) == []
    assert named["name"] not in [t["name"] for t in new.ok("GET", f"/v1/agents/{boss}")["tools"]]
    new.ok("DELETE", f"/v1/groups/{club}")
    after = new.tell(boss, call("send_message_to_all_agents_in_group", message="report")).json()["messages"]
    (result,) = [m for m in after if m["message_type"] == "tool_return_message"]
    assert result["status"] == "error"


@pytest.mark.parametrize("kind", ["supervisor", "sleeptime", "voice_sleeptime"])
def test_a_manager_answers_as_it_does_alone(new, kind):
    boss, ada = cast(new, "Boss", "Ada")
    club = group(new, [ada], kind, manager_agent_id=boss)
    assert spoken(told(new, club, "hello")) == ["You said: hello"]
    body = {"input": "again", "streaming": True}
    stream = Stream(new.post(f"/v1/groups/{club}/messages", json=body))
    assert stream.done and [m["content"] for m in stream.of("assistant_message")] == ["You said: again"]
    assert spoken(new.ok("GET", f"/v1/groups/{club}/messages")) == ["You said: hello", "You said: again"]


# ----------------------------------------------------------------------------------------------- crashes


def test_a_crash_in_the_middle_loses_nothing_and_repeats_nothing(tmp_path, mock):
    server = EngramServer(data_dir=tmp_path / "data", env=mock.server_env)
    server.start()
    try:
        with contextlib.closing(Api(server.url, NEW)) as api:
            names = ["Ada", "Bob", "Cy", "Di"]
            agents = cast(api, *names, model="openai/slow-500")
            club = group(api, agents, max_turns=6)
            boss, eve, flo = cast(api, "Boss", "Eve", "Flo", model="openai/slow-300")
            script(api, eve, flo, eve, flo)
            led = group(api, [eve, flo], "dynamic", manager_agent_id=boss, max_turns=3)

            def talk(to):
                with contextlib.suppress(Exception):
                    tell(api, to, "hello")

            threads = [threading.Thread(target=talk, args=(to,), daemon=True) for to in (club, led)]
            for thread in threads:
                thread.start()
            for pause in (0.8, 1.0, 0.9):
                time.sleep(pause)
                server.kill()
                server.start()
            deadline = time.monotonic() + 60
            wanted = {**dict.fromkeys(agents[:2], 2), **dict.fromkeys(agents[2:], 1), eve: 1, flo: 2, boss: 4}
            while time.monotonic() < deadline:
                done = {a: [r["status"] for r in runs(api, a)] for a in wanted}
                if all(done[a] == ["completed"] * n for a, n in wanted.items()):
                    break
                time.sleep(0.2)
            assert done == {a: ["completed"] * n for a, n in wanted.items()}
            # Not one more comes later.
            time.sleep(2)
            assert {a: len(runs(api, a)) for a in wanted} == wanted
            said = "You said: hello"
            for agent in agents:
                assert [s.removeprefix("You said: ") for s in heard(api, agent)].count("hello") >= 1
                assert len(heard(api, agent)) == len(set(heard(api, agent))), "nobody hears anything twice"
            assert heard(api, agents[3]) == ["hello", said, f"You said: {said}", f"You said: You said: {said}"]
            api.still_answers(boss)
            assert [name for name, _ in words(told(api, club, "more"))] == [*names, "Ada", "Bob"]
    finally:
        server.stop()
