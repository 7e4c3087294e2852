"""Spellings, prefixes, the API description, and what is not built yet."""

import pytest


@pytest.mark.parametrize("path", ["agents", "blocks", "tools", "models", "runs", "steps", "tags", "archives", "conversations", "groups", "health"])
def test_both_spellings_and_the_other_prefix(api, path):
    for spelling in (f"/v1/{path}", f"/v1/{path}/", f"/latest/{path}", f"/latest/{path}/"):
        answer = api.get(spelling)
        # A redirect would make some clients drop the body or the authorization.
        assert answer.status_code == 200, f"{spelling}: {answer.status_code}"


def test_both_spellings_of_requests_with_a_body(api):
    body = {"model": "engram/scripted", "embedding": "engram/embed"}
    for collection in ("/v1/agents", "/v1/agents/"):
        agent = api.ok("POST", collection, json=body)["id"]
        api.created.append(agent)
        for item in (f"/v1/agents/{agent}", f"/v1/agents/{agent}/"):
            assert api.ok("PATCH", item, json={"name": "x"})["name"] == "x"
            assert api.ok("GET", item)["id"] == agent
        for messages in (f"/v1/agents/{agent}/messages", f"/v1/agents/{agent}/messages/"):
            message = {"messages": [{"role": "user", "content": "hello"}]}
            assert api.post(messages, json=message).status_code == 200
            assert api.get(messages).status_code == 200


def test_health_says_a_version(api):
    body = api.ok("GET", "/v1/health/")
    assert body["status"] == "ok" and body["version"]


def test_api_description(api):
    spec = api.ok("GET", "/openapi.json")
    assert spec["openapi"].startswith("3.")
    paths = {p.rstrip("/") for p in spec["paths"]}
    for path in ("/v1/agents", "/v1/agents/{agent_id}/messages", "/v1/blocks", "/v1/archives", "/v1/conversations", "/v1/runs"):
        assert path in paths, path
    page = api.get("/docs", follow_redirects=True)
    assert page.status_code == 200 and "html" in page.headers["content-type"]


@pytest.mark.parametrize("path", ["/v1/folders/", "/v1/sources/", "/v1/identities/", "/v1/mcp-servers/", "/v1/templates"])
def test_what_is_not_built_says_so(api, path):
    """501 with a sentence, until it is built."""
    answer = api.get(path)
    assert answer.status_code in (200, 501), f"{path}: {answer.status_code}"
    if answer.status_code == 501:
        assert isinstance(answer.json()["detail"], str)


def test_request_ids_of_other_people_are_not_needed(api):
    answer = api.get("/v1/agents/", headers={"user_id": "user-00000000-0000-4000-8000-000000000000", "x-project": "p"})
    assert answer.status_code == 200


@pytest.mark.parametrize("method, path", [("POST", "/v1/no-such-route"), ("PUT", "/v1/agents/"), ("POST", "/v1/identities/")])
def test_a_refused_request_with_a_body_leaves_the_connection_usable(api, method, path):
    """An answer that does not wait for the body must read it, or say that it closes the connection.

    Otherwise the next request on the same connection fails now and then, without an answer.
    """
    for _ in range(150):
        answer = api.request(method, path, json={"name": "x" * 100})
        assert answer.status_code in (404, 405, 501)
