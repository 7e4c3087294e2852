"""Groups: changes at the same time, too much at once, and what two groups have in common."""

import time
from concurrent.futures import ThreadPoolExecutor

from conftest import clear_error
from test_groups import group


def test_two_changes_of_the_settings_at_once_are_both_kept(new):
    boss = new.agent()
    config = {"manager_type": "dynamic", "manager_agent_id": boss}
    path = f"/v1/groups/{group(new, [], manager_config=config)['id']}"

    def change(**settings):
        return new.ok("PATCH", path, json={"manager_config": settings})

    with ThreadPoolExecutor(2) as pool:
        for n in range(1, 26):
            both = [pool.submit(change, max_turns=n), pool.submit(change, termination_token=f"STOP {n}")]
            for one in both:
                one.result()
            now = new.ok("GET", path)
            assert (now["max_turns"], now["termination_token"]) == (n, f"STOP {n}")


def test_too_many_ids_are_refused_at_once(new):
    ids = lambda kind, n: [f"{kind}-123e4567-e89b-42d3-8456-{i:012x}" for i in range(n)]
    made = group(new, [])
    for member, kind in (("agent_ids", "agent"), ("shared_block_ids", "block")):
        for method, path in (("POST", "/v1/groups/"), ("PATCH", f"/v1/groups/{made['id']}")):
            body = {"agent_ids": [], "description": "d", member: ids(kind, 40_000)}
            started = time.monotonic()
            detail = clear_error(new.request(method, path, json=body), 422)["detail"][0]
            assert detail["loc"] == ["body", member] and "at most 1000" in detail["msg"]
            assert time.monotonic() - started < 3
    # As many as may be are looked for.
    body = {"agent_ids": ids("agent", 1_000), "description": "d"}
    clear_error(new.post("/v1/groups/", json=body), 404)


def test_a_block_stays_while_another_group_shares_it(new):
    agent = new.agent()
    block = new.ok("POST", "/v1/blocks/", json={"label": "goal", "value": "Sell hats."})["id"]
    first, second = (group(new, [agent], shared_block_ids=[block])["id"] for _ in range(2))
    has = lambda: block in [b["id"] for b in new.ok("GET", f"/v1/agents/{agent}/core-memory/blocks")]
    new.ok("PATCH", f"/v1/groups/{first}/blocks/detach/{block}")
    assert has(), "the second group shares it"
    new.ok("PATCH", f"/v1/groups/{second}/blocks/detach/{block}")
    assert not has()
