"""Groups: what a caller may say, and what goes with what."""

import pytest
from conftest import clear_error

NOBODY = "agent-123e4567-e89b-42d3-8456-426614174000"


def group(api, agents, **more) -> dict:
    return api.ok("POST", "/v1/groups/", json={"agent_ids": agents, "description": "d", **more})


def sleeptime(manager, **more) -> dict:
    return {"manager_type": "sleeptime", "manager_agent_id": manager, **more}


def test_every_member_of_both_generations_is_there(api):
    one, two = api.agent(), api.agent()
    made = group(api, [two, one], manager_config={"manager_type": "dynamic", "manager_agent_id": one})
    shown = api.ok("GET", f"/v1/groups/{made['id']}")
    assert shown == made
    assert shown.pop("id").startswith("group-")
    assert shown == {
        "manager_type": "dynamic",
        "agent_ids": [two, one],
        "description": "d",
        "project_id": None,
        "template_id": None,
        "base_template_id": None,
        "deployment_id": None,
        "shared_block_ids": [],
        "manager_agent_id": one,
        "termination_token": "DONE!",
        "max_turns": None,
        "sleeptime_agent_frequency": None,
        "turns_counter": None,
        "last_processed_message_id": None,
        "max_message_buffer_length": None,
        "min_message_buffer_length": None,
        "hidden": None,
        "sleep_time_agent_frequency": None,
    }


@pytest.mark.parametrize(
    "config, loc",
    [
        ({"manager_type": "swarm"}, "manager_type"),
        ({"manager_type": "supervisor"}, "manager_agent_id"),
        ({"manager_type": "sleeptime", "manager_agent_id": "someone"}, "manager_agent_id"),
        ({"manager_type": "sleeptime", "manager_agent_id": NOBODY, "sleep_time_agent_frequency": 0}, "sleep_time_agent_frequency"),
        ({"manager_type": "round_robin", "max_turns": -1}, "max_turns"),
        ({"manager_type": "round_robin", "max_turns": "many"}, "max_turns"),
        ({"manager_type": "dynamic", "manager_agent_id": NOBODY, "termination_token": ""}, "termination_token"),
    ],
)
def test_a_wrong_member_is_named(api, config, loc):
    body = {"agent_ids": [], "description": "d", "manager_config": config}
    error = clear_error(api.post("/v1/groups/", json=body), 422)
    assert error["detail"][0]["loc"] == ["body", "manager_config", loc]


def test_what_is_missing_is_named(api):
    agent = api.agent()
    assert clear_error(api.post("/v1/groups/", json={"agent_ids": []}), 422)["detail"][0]["loc"] == ["body", "description"]
    for body in (
        {"agent_ids": [agent, NOBODY], "description": "d"},
        {"agent_ids": [agent], "description": "d", "manager_config": sleeptime(NOBODY)},
    ):
        assert NOBODY in clear_error(api.post("/v1/groups/", json=body), 404)["detail"]
    block = "block-123e4567-e89b-42d3-8456-426614174000"
    body = {"agent_ids": [agent], "description": "d", "shared_block_ids": [block]}
    assert block in clear_error(api.post("/v1/groups/", json=body), 404)["detail"]
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/messages"), ("POST", "/messages")):
        answer = api.request(method, f"/v1/groups/group-{NOBODY[6:]}{path}", json={})
        assert "Group" in clear_error(answer, 404)["detail"]
    assert api.ok("GET", f"/v1/agents/{agent}/groups") == []


def test_the_type_cannot_change(api):
    made = group(api, [api.agent()])
    body = {"manager_config": {"manager_type": "supervisor", "manager_agent_id": NOBODY}}
    error = clear_error(api.patch(f"/v1/groups/{made['id']}", json=body), 422)
    assert error["detail"][0]["loc"] == ["body", "manager_config", "manager_type"]
    # Null is what an SDK sends for what it does not say.
    nulls = {"agent_ids": None, "description": None, "manager_config": None, "shared_block_ids": None}
    assert api.ok("PATCH", f"/v1/groups/{made['id']}", json=nulls) == made


def test_hidden_groups_are_left_out(api):
    agent = api.agent()
    shown, hidden = group(api, [agent], project_id=agent), group(api, [agent], project_id=agent, hidden=True)
    ids = lambda **params: [g["id"] for g in api.ok("GET", "/v1/groups/", params={"project_id": agent, **params})]
    assert ids() == [shown["id"]]
    assert ids(show_hidden=True) == ids(show_hidden_groups=True) == [shown["id"], hidden["id"]]
    count = lambda **params: api.ok("GET", "/v1/groups/count", params={"project_id": agent, **params})
    assert (count(), count(show_hidden=True)) == (1, 2)
    assert api.ok("PATCH", f"/v1/groups/{hidden['id']}", json={"hidden": False})["hidden"] is False
    assert len(ids()) == 2
    assert ids(manager_type="swarm") == []
    clear_error(api.get("/v1/groups/", params={"manager_type": "mob"}), 422)


def test_a_live_agent_sees_a_block_that_its_group_gets_and_loses(api, mock):
    agent = api.agent("openai/gpt-4o-mini")
    api.said(agent, "the agent is live")
    made = group(api, [agent])
    block = api.ok("POST", "/v1/blocks/", json={"label": "goal", "value": "Sell hats."})["id"]
    path = f"/v1/groups/{made['id']}/blocks"
    assert api.ok("PATCH", f"{path}/attach/{block}")["shared_block_ids"] == [block]
    assert api.ok("PATCH", f"{path}/attach/{block}")["shared_block_ids"] == [block], "once is once"
    api.said(agent, f"with {block}")
    assert "Sell hats." in str(mock.requests(f"with {block}")[-1]["body"]["messages"][0])
    assert api.ok("PATCH", f"{path}/detach/{block}")["shared_block_ids"] == []
    api.said(agent, f"without {block}")
    assert "Sell hats." not in str(mock.requests(f"without {block}")[-1]["body"]["messages"][0])
    assert block in clear_error(api.patch(f"{path}/detach/{block}"), 404)["detail"]
    assert api.ok("GET", f"/v1/blocks/{block}")["id"] == block


def test_a_label_that_an_agent_has_already(api):
    agent = api.agent()
    block = api.ok("POST", "/v1/blocks/", json={"label": "human", "value": "Name: Sarah"})["id"]
    made = group(api, [agent])
    for answer in (
        api.patch(f"/v1/groups/{made['id']}/blocks/attach/{block}"),
        api.post("/v1/groups/", json={"agent_ids": [agent], "description": "d", "shared_block_ids": [block]}),
    ):
        detail = clear_error(answer, 409)["detail"]
        assert agent in detail and "human" in detail
    assert api.ok("GET", f"/v1/groups/{made['id']}")["shared_block_ids"] == []


def test_what_goes_with_an_agent(api):
    main, friend = api.agent(), api.agent()
    companion = api.agent(agent_type="sleeptime_agent")
    background = group(api, [companion, friend], manager_config=sleeptime(main))
    panel = group(api, [main, friend])
    state = api.ok("GET", f"/v1/agents/{main}")
    assert state["multi_agent_group"] == state["managed_group"] == background
    assert {g["id"] for g in api.ok("GET", f"/v1/agents/{main}/groups")} == {background["id"], panel["id"]}
    without = api.ok("GET", f"/v1/agents/{main}", params={"include_relationships": ["tools"]})
    assert without["multi_agent_group"] is None
    api.ok("DELETE", f"/v1/agents/{main}")
    clear_error(api.get(f"/v1/groups/{background['id']}"), 404)
    clear_error(api.get(f"/v1/agents/{companion}"), 404)
    assert api.ok("GET", f"/v1/agents/{friend}")["id"] == friend
    assert api.ok("GET", f"/v1/groups/{panel['id']}")["agent_ids"] == [friend]
    assert "successfully deleted" in api.ok("DELETE", f"/v1/groups/{panel['id']}")["message"]
    assert api.ok("GET", f"/v1/agents/{friend}/groups") == []
