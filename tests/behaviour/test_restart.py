"""An orderly stop and a start on the same data: everything is still there."""

import contextlib
import time

from conftest import NEW, Api, call, spoken
from testkit.server import EngramServer


def test_the_agent_remembers_after_a_restart(tmp_path):
    server = EngramServer(data_dir=tmp_path / "data")
    server.start()
    try:
        with contextlib.closing(Api(server.url, NEW)) as api:
            agent = api.agent()
            api.said(agent, "My cat is called Archibald.")
            api.said(agent, call("memory_insert", label="human", new_string="Has a cat."))
            api.ok("POST", f"/v1/agents/{agent}/archival-memory", json={"text": "The vault opens at dawn."})
            before = api.messages(agent)
            started = time.monotonic()
            assert server.stop() == 0, "an orderly stop ends with status 0"
            assert time.monotonic() - started < 10
            server.start()
            assert api.messages(agent) == before
            assert "Has a cat." in api.ok("GET", f"/v1/agents/{agent}/core-memory/blocks/human")["value"]
            answer = api.tell(agent, call("conversation_search", query="Archibald") + " found?").json()["messages"]
            (returned,) = [m for m in answer if m["message_type"] == "tool_return_message"]
            assert "Archibald" in str(returned["tool_return"]) and spoken(answer) == ["You said: found?"]
            found = api.ok("GET", f"/v1/agents/{agent}/archival-memory/search", params={"query": "vault dawn"})
            assert found["results"][0]["content"] == "The vault opens at dawn."
    finally:
        server.stop()


def test_a_run_in_progress_survives_an_orderly_restart(tmp_path, mock):
    server = EngramServer(data_dir=tmp_path / "data", env=mock.server_env)
    server.start()
    try:
        with contextlib.closing(Api(server.url, NEW)) as api:
            agent = api.agent("openai/slow-2000")
            run = api.ok("POST", f"/v1/agents/{agent}/messages/async", json={"input": "hold on"})["id"]
            time.sleep(0.3)
            server.stop()
            server.start()
            state = api.finished(run)
            assert state["status"] in ("completed", "failed")
            texts = [m["content"] for m in api.messages(agent) if m["message_type"] == "user_message"]
            assert texts.count("hold on") == 1
            api.still_answers(agent)
    finally:
        server.stop()


def test_after_a_crash_the_interrupted_turn_ends_before_the_next_one_begins(tmp_path, mock):
    """Messages that were waiting go on waiting: no turn is answered inside another one."""
    server = EngramServer(data_dir=tmp_path / "data", env=mock.server_env)
    server.start()
    try:
        with contextlib.closing(Api(server.url, NEW)) as api:
            agent = api.agent("openai/slow-1000")
            texts = [f"message {i}" for i in range(4)]
            runs = [api.ok("POST", f"/v1/agents/{agent}/messages/async", json={"input": t})["id"] for t in texts]
            time.sleep(0.3)
            server.kill()
            server.start()
            assert [api.finished(r, 60)["status"] for r in runs] == ["completed"] * 4
            turns = [m["content"] for m in api.messages(agent) if m["message_type"] in ("user_message", "assistant_message")]
            assert turns == [said for t in texts for said in (t, f"You said: {t}")]
    finally:
        server.stop()
