"""`SECURE=true` with a password: both ways to give it, and what stays open."""

import httpx
import pytest
from testkit.server import EngramServer


@pytest.fixture(scope="module")
def secured():
    with EngramServer(env={"SECURE": "true", "LETTA_SERVER_PASSWORD": "swordfish"}) as server:
        with httpx.Client(base_url=server.url, timeout=30, trust_env=False) as client:
            yield client


@pytest.mark.parametrize(
    "headers, status",
    [
        ({}, 401),
        ({"authorization": "Bearer wrong"}, 401),
        ({"authorization": "swordfish"}, 401),
        ({"authorization": "Bearer swordfish"}, 200),
        ({"x-bare-password": "swordfish"}, 401),
        ({"x-bare-password": "password wrong"}, 401),
        ({"x-bare-password": "password swordfish"}, 200),
    ],
    ids=lambda v: str(v)[:45],
)
def test_password(secured, headers, status):
    answer = secured.get("/v1/agents/", headers=headers)
    assert answer.status_code == status
    if status == 401:
        assert answer.json() == {"detail": "Unauthorized"}


def test_every_write_is_guarded(secured):
    for path in ("/v1/agents/", "/latest/agents"):
        for _ in range(100):  # also on a connection that was used before, see test_routes.py
            assert secured.post(path, json={"name": "x" * 100}).status_code == 401


@pytest.mark.parametrize("path", ["/v1/health", "/v1/health/", "/latest/health/"])
def test_health_is_open(secured, path):
    assert secured.get(path).status_code == 200


def test_readiness_is_open_and_numbers_are_not(secured):
    assert secured.get("/v1/ready").status_code == 200
    for path in ("/metrics", "/v1/admin/nodes"):
        assert secured.get(path).status_code == 401
        assert secured.get(path, headers={"authorization": "Bearer swordfish"}).status_code == 200


def test_without_secure_any_token_is_taken(server):
    for headers in ({}, {"authorization": "Bearer whatever"}, {"x-bare-password": "password whatever"}):
        assert httpx.get(f"{server.url}/v1/agents/", headers=headers, trust_env=False).status_code == 200
