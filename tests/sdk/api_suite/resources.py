"""The things that one API test talks about: an agent, a block, a run, …, created when first asked for.

Every test gets a `Resources` of its own, so that a test that deletes or renames something disturbs no other.
Nothing is created for a test that never asks, and everything is deleted when the test is over.
"""

import os
from functools import cached_property

import httpx

MODEL = os.environ.get("ENGRAM_MODEL", "engram/scripted")
EMBEDDING = os.environ.get("ENGRAM_EMBEDDING", "engram/embed")
# A model that is still thinking when the test wants to cancel its run.
BUSY_MODEL = os.environ.get("ENGRAM_BUSY_MODEL", "openai/slow-3000")


class Resources:
    def __init__(self, http: httpx.Client):
        self.http = http
        self._deletions: list[str] = []

    def call(self, method: str, path: str, **options):
        answer = self.http.request(method, path, **options)
        if answer.status_code >= 400:
            raise RuntimeError(f"the fixture {method} {path} was answered {answer.status_code}: {answer.text[:500]}")
        return answer.json() if answer.content else None

    def _made(self, path: str) -> None:
        self._deletions.append(path)

    def close(self) -> None:
        for path in reversed(self._deletions):
            self.http.delete(path)  # some are gone already: that may be what the test was about

    # -- agents

    def new_agent(self, **more) -> dict:
        body = {
            "model": MODEL,
            "embedding": EMBEDDING,
            "memory_blocks": [{"label": "human", "value": "Name: Chad"}, {"label": "persona", "value": "I am Sam."}],
            "tags": ["api-suite"],
            **more,
        }
        agent = self.call("POST", "/v1/agents/", json=body)
        self._made(f"/v1/agents/{agent['id']}")
        return agent

    @cached_property
    def agent_state(self) -> dict:
        return self.new_agent()

    @cached_property
    def agent(self) -> str:
        return self.agent_state["id"]

    @cached_property
    def agent_with_history(self) -> str:
        for text in ("one", "two", "three"):
            self.call("POST", f"/v1/agents/{self.agent}/messages", json={"input": text})
        return self.agent

    @cached_property
    def busy_run(self) -> dict:
        """A run of an agent whose model takes its time."""
        agent = self.new_agent(model=BUSY_MODEL)["id"]
        return self.call("POST", f"/v1/agents/{agent}/messages/async", json={"input": "take your time"})

    @cached_property
    def label(self) -> str:
        return self.agent_state["blocks"][0]["label"]

    @cached_property
    def schedule(self) -> str:
        body = {
            "messages": [{"role": "user", "content": "hello"}],
            "schedule": {"type": "recurring", "cron_expression": "0 9 * * *"},
        }
        return self.call("POST", f"/v1/agents/{self.agent}/schedule", json=body)["id"]

    # -- blocks

    @cached_property
    def attached_block(self) -> str:
        return self.agent_state["blocks"][0]["id"]

    @cached_property
    def block(self) -> str:
        block = self.call("POST", "/v1/blocks/", json={"label": "organization", "value": "We sell hats."})
        self._made(f"/v1/blocks/{block['id']}")
        return block["id"]

    # -- tools

    def tool_named(self, name: str) -> dict:
        return self.call("GET", "/v1/tools/", params={"name": name})[0]

    @cached_property
    def attached_tool(self) -> dict:
        return next(t for t in self.agent_state["tools"] if t["name"] == "conversation_search")

    @cached_property
    def free_tool(self) -> dict:
        return self.tool_named("archival_memory_insert")

    # -- passages and archives

    @cached_property
    def memory(self) -> str:
        return self.call("POST", f"/v1/agents/{self.agent}/archival-memory", json={"text": "A cat."})[0]["id"]

    @cached_property
    def archive(self) -> str:
        archive = self.call("POST", "/v1/archives/", json={"name": "archive", "embedding": EMBEDDING})
        self._made(f"/v1/archives/{archive['id']}")
        return archive["id"]

    @cached_property
    def attached_archive(self) -> str:
        self.call("PATCH", f"/v1/agents/{self.agent}/archives/attach/{self.archive}")
        return self.archive

    @cached_property
    def passage(self) -> str:
        return self.call("POST", f"/v1/archives/{self.archive}/passages", json={"text": "A dog."})["id"]

    # -- messages, runs, steps

    @cached_property
    def turn(self) -> list[dict]:
        return self.call("POST", f"/v1/agents/{self.agent}/messages", json={"input": "hello"})["messages"]

    @property
    def message(self) -> str:
        return self.turn[-1]["id"]

    @property
    def run(self) -> str:
        return self.turn[-1]["run_id"]

    @property
    def step(self) -> str:
        return self.turn[-1]["step_id"]

    def _background_run(self, path: str) -> str:
        """A finished run whose events were kept."""
        body = {"input": "hello", "streaming": True, "stream_tokens": True, "background": True}
        answer = self.http.post(path, json=body)
        answer.raise_for_status()
        for line in answer.text.splitlines():
            if line.startswith("data: {") and '"run_id":"run-' in (packed := line.replace(" ", "")):
                return packed.split('"run_id":"', 1)[1].split('"', 1)[0]
        raise RuntimeError(f"no run id in the stream of {path}:\n{answer.text[:1000]}")

    @cached_property
    def background_run(self) -> str:
        return self._background_run(f"/v1/agents/{self.agent}/messages")

    # -- conversations

    @cached_property
    def conversation(self) -> str:
        made = self.call("POST", "/v1/conversations/", params={"agent_id": self.agent}, json={})
        self._made(f"/v1/conversations/{made['id']}")
        return made["id"]

    @cached_property
    def conversation_with_history(self) -> str:
        for text in ("one", "two", "three"):
            body = {"input": text, "streaming": False}
            self.call("POST", f"/v1/conversations/{self.conversation}/messages", json=body)
        return self.conversation

    @cached_property
    def conversation_message(self) -> str:
        listed = self.call("GET", f"/v1/conversations/{self.conversation_with_history}/messages")
        return next(m["id"] for m in listed if m["message_type"] == "assistant_message")

    @cached_property
    def streamed_conversation(self) -> str:
        """A conversation whose last run kept its events."""
        self._background_run(f"/v1/conversations/{self.conversation}/messages")
        return self.conversation

    @cached_property
    def busy_conversation(self) -> str:
        """A conversation with a run in progress."""
        agent = self.new_agent(model=BUSY_MODEL)["id"]
        made = self.call("POST", "/v1/conversations/", params={"agent_id": agent}, json={})["id"]
        body = {"input": "take your time", "background": True, "streaming": True, "include_pings": True}
        # The first frame says that the run exists; then this reader leaves.
        with self.http.stream("POST", f"/v1/conversations/{made}/messages", json=body) as answer:
            answer.raise_for_status()
            next(answer.iter_lines())
        return made

    # -- configurations

    @cached_property
    def llm_config(self) -> dict:
        row = next(m for m in self.call("GET", "/v1/models/") if m["handle"] == MODEL)
        keys = ("model", "model_endpoint_type", "model_endpoint", "provider_name", "provider_category", "handle", "context_window")
        return {k: row[k] for k in keys if k in row}

    @cached_property
    def embedding_config(self) -> dict:
        row = next(m for m in self.call("GET", "/v1/models/embedding") if m["handle"] == EMBEDDING)
        keys = ("embedding_endpoint_type", "embedding_endpoint", "embedding_model", "embedding_dim", "embedding_chunk_size", "handle")
        return {k: row[k] for k in keys if k in row}
