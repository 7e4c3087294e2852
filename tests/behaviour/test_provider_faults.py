"""A provider that misbehaves: a clear error, a failed run with its reason, and an agent that works afterwards."""

import time

import pytest
from conftest import clear_error, spoken

# Statuses of the retired server: what the provider said where that is known, else a gateway error.
FAULTS = {
    "html": (502, 500, 400),
    "close-midstream": (502, 500, 504),
    "garbage": (502, 500, 400),
    "empty": (502, 500, 400),
    "500": (502, 500, 503),
    "429": (429,),
    "401": (401, 502),
    "hang": (504, 502, 408),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_plain_request(api, mock, fault):
    agent = api.agent(f"openai/fault-{fault}")
    started = time.monotonic()
    answer = api.tell(agent, "hello")
    assert time.monotonic() - started < 40, "gave up too late"
    clear_error(answer, *FAULTS[fault])
    # A failed turn must not be run three times by an SDK that repeats it.
    if answer.status_code in (408, 409, 429) or answer.status_code >= 500:
        assert answer.headers.get("x-should-retry") == "false"
    api.still_answers(agent)
    assert not mock.stats()["ill_formed"]


@pytest.mark.parametrize("tokens", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
def test_stream(new, mock, fault, tokens):
    agent = new.agent(f"openai/fault-{fault}")
    stream = new.streamed(agent, "hello", stream_tokens=tokens)
    assert stream.response.status_code == 200 and stream.done
    (error,) = stream.errors
    assert error["message"] and error["run_id"].startswith("run-")
    run = new.ok("GET", f"/v1/runs/{error['run_id']}")
    assert run["status"] == "failed" and run["stop_reason"] in ("llm_api_error", "invalid_llm_response", "error")
    new.still_answers(agent)
    assert not mock.stats()["ill_formed"]


def test_asynchronous_run_keeps_its_reason(new):
    agent = new.agent("openai/fault-401")
    run = new.ok("POST", f"/v1/agents/{agent}/messages/async", json={"input": "hello"})["id"]
    state = new.finished(run)
    assert state["status"] == "failed" and state["completed_at"]
    assert "Incorrect API key" in str(state["metadata"]) or state["stop_reason"] == "llm_api_error"


def test_a_rate_limit_is_waited_out(new):
    agent = new.agent("openai/fault-429-once")
    started = time.monotonic()
    assert new.said(agent, "be patient") == ["You said: be patient"]
    assert time.monotonic() - started >= 1, "Retry-After was not honoured"


@pytest.mark.parametrize("fault", ["bad-args", "unknown-tool"])
@pytest.mark.parametrize("agent_type", ["memgpt_agent", "letta_v1_agent"])
def test_a_model_that_calls_wrongly_is_told_so(new, mock, fault, agent_type):
    agent = new.agent(f"openai/fault-{fault}", agent_type=agent_type)
    answer = new.tell(agent, "hello")
    assert answer.status_code == 200, answer.text[:500]
    messages = answer.json()["messages"]
    (returned,) = [m for m in messages if m["message_type"] == "tool_return_message"]
    assert returned["status"] == "error" and returned["tool_return"]
    assert spoken(messages) == ["You said: hello"]
    new.still_answers(agent)
    assert not mock.stats()["ill_formed"]


def test_a_model_that_went_away(new):
    """The agent's model disappears from the provider after the agent was created."""
    agent = new.agent("openai/gpt-4o-mini")
    answer = new.tell(agent, "hello", override_model="openai/no-such-model")
    clear_error(answer, 400, 404, 422)
    new.still_answers(agent)
