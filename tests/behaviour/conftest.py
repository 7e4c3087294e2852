"""One server with the mock model for the whole folder, and small helpers to talk to it as each SDK does."""

import contextlib
import json
import os
import time
import uuid

import httpx
import pytest
from testkit.mock import MockModel
from testkit.postgres import fresh_database
from testkit.server import EngramServer

# How the two generations of the SDK introduce themselves; the server answers them differently.
OLD = {"x-fern-language": "Python", "x-fern-sdk-name": "letta-client", "x-fern-sdk-version": "0.1.324"}
NEW = {"x-stainless-package-version": "1.12.1", "x-stainless-lang": "python", "user-agent": "Letta/Python 1.12.1"}

# Seconds: longer than the slowest mock model that is meant to answer, and than all retries of one that refuses (about
# 3.5 s), and short enough to wait for.
LLM_TIMEOUT = 6


@pytest.fixture(scope="session")
def mock():
    with MockModel() as m:
        yield m


@pytest.fixture(scope="session")
def server(mock):
    with contextlib.ExitStack() as stack:
        uri = stack.enter_context(fresh_database("behaviour")) if os.environ.get("ENGRAM_TEST_PG_URI") else None
        env = {
            **mock.server_env,
            "ENGRAM_LLM_TIMEOUT_SECONDS": str(LLM_TIMEOUT),
            "LETTA_KEEPALIVE_INTERVAL": "1",
        }
        yield stack.enter_context(EngramServer(env=env, pg_uri=uri))


class Api(httpx.Client):
    """An HTTP client that knows how to create agents and to read what they answer."""

    def __init__(self, url: str, headers: dict):
        super().__init__(base_url=url, headers=headers, timeout=60, trust_env=False, follow_redirects=False)
        self.created: list[str] = []

    def ok(self, method: str, path: str, **options):
        answer = self.request(method, path, **options)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text[:1000]}"
        return answer.json()

    def agent(self, model: str = "engram/scripted", **more) -> str:
        body = {
            "model": model,
            "embedding": "engram/embed",
            "memory_blocks": [{"label": "human", "value": "Name: Chad"}, {"label": "persona", "value": "I am Sam."}],
            **more,
        }
        agent = self.ok("POST", "/v1/agents/", json=body)["id"]
        self.created.append(agent)
        return agent

    def tell(self, agent: str, text: str, **more) -> httpx.Response:
        body = {"messages": [{"role": "user", "content": text}], **more}
        return self.post(f"/v1/agents/{agent}/messages", json=body)

    def said(self, agent: str, text: str) -> list[str]:
        answer = self.tell(agent, text)
        assert answer.status_code == 200, answer.text[:1000]
        return spoken(answer.json()["messages"])

    def streamed(self, agent: str, text: str, **more) -> "Stream":
        """A stream that was read to its end."""
        body = {"messages": [{"role": "user", "content": text}], **more}
        return Stream(self.post(f"/v1/agents/{agent}/messages/stream", json=body))

    def open_stream(self, path: str, body: dict):
        """A stream to read from while it runs (a context manager)."""
        return self.stream("POST", path, json=body)

    def messages(self, agent: str) -> list[dict]:
        return self.ok("GET", f"/v1/agents/{agent}/messages", params={"limit": 1000})

    def finished(self, run: str, seconds: float = 30) -> dict:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            state = self.ok("GET", f"/v1/runs/{run}")
            if state["status"] in ("completed", "failed", "cancelled"):
                return state
            time.sleep(0.05)
        raise AssertionError(f"{run} is still {state['status']} after {seconds} s")

    def still_answers(self, agent: str) -> None:
        """The agent works, whatever happened before. `[[ok]]` tells the faulty mock models to behave."""
        word = uuid.uuid4().hex
        (answer,) = self.said(agent, f"[[ok]] {word}")
        assert word in answer


def spoken(messages: list[dict]) -> list[str]:
    return [m["content"] for m in messages if m["message_type"] == "assistant_message"]


class Stream:
    """A finished event stream, taken apart."""

    def __init__(self, response: httpx.Response):
        self.response = response
        self.text = response.content.decode()  # strict: broken UTF-8 is an error
        self.events: list[tuple[str | None, str]] = []
        self.comments: list[str] = []
        self.fields: set[str] = set()
        for block in self.text.split("\n\n"):
            event, data = None, []
            for line in block.split("\n"):
                if line.startswith(":"):
                    self.comments.append(line)
                    continue
                name, _, value = line.partition(":")
                if name:
                    self.fields.add(name)
                if name == "event":
                    event = value.strip()
                elif name == "data":
                    data.append(value.removeprefix(" "))
            if data:
                self.events.append((event, "\n".join(data)))

    @property
    def done(self) -> bool:
        return bool(self.events) and self.events[-1] == (None, "[DONE]")

    @property
    def frames(self) -> list[dict]:
        """The JSON of every frame that is no error."""
        return [json.loads(d) for e, d in self.events if e is None and d != "[DONE]"]

    @property
    def errors(self) -> list[dict]:
        return [json.loads(d) for e, d in self.events if e == "error"]

    @property
    def kinds(self) -> list[str]:
        return [f.get("message_type") for f in self.frames]

    def of(self, kind: str) -> list[dict]:
        return [f for f in self.frames if f.get("message_type") == kind]


@pytest.fixture()
def new(server):
    with contextlib.closing(Api(server.url, NEW)) as api:
        yield api
        for agent in api.created:
            api.delete(f"/v1/agents/{agent}")


@pytest.fixture()
def old(server):
    with contextlib.closing(Api(server.url, OLD)) as api:
        yield api
        for agent in api.created:
            api.delete(f"/v1/agents/{agent}")


@pytest.fixture(params=["old", "new"])
def api(request):
    """Both generations, one after the other."""
    return request.getfixturevalue(request.param)


def clear_error(answer: httpx.Response, *statuses: int) -> dict:
    """The error has one of the statuses, says what is wrong, and has the shape that the SDKs read."""
    assert answer.status_code in statuses, f"{answer.status_code} instead of {statuses}: {answer.text[:500]}"
    body = answer.json()
    if answer.status_code == 422:
        assert isinstance(body["detail"], list) and body["detail"], body
        for problem in body["detail"]:
            assert {"type", "loc", "msg", "input"} <= problem.keys(), problem
            assert isinstance(problem["loc"], list) and problem["msg"], problem
    else:
        detail = body.get("detail") or body.get("error", {}).get("message")
        assert detail and (isinstance(detail, str) or isinstance(detail.get("message"), str)), body
    assert "panicked" not in answer.text and "sqlx" not in answer.text, "an internal message leaked"
    return body


def call(name: str, **arguments) -> str:
    return f"[[call {name} {json.dumps(arguments)}]]"
