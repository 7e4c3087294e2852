#!/usr/bin/env python3
"""What sleep-time compute saves and costs in tokens.

    python3 tests/sleeptime/token_cost.py [--turns 40] [--queries 10] [--frequency 5] [--forget]

`--forget` gives the companion `message_buffer_autoclear`: it begins each time with the blocks alone, without the
transcripts of the times before.

The question of the paper (arXiv 2504.13171), asked of this server: a context is known before the queries about it come. How
many tokens does the answering path take for a query when the whole context is in its prompt, how many when a companion
has condensed it into memory blocks before, and what does the condensing cost?

The context is a conversation: in every turn the user tells a page with one fact in it. The queries ask for the facts. The
model is a rule (below), so this measures the server and what the companion takes off the answering path and not how well a model condenses:

* the answering model says "Noted.", and answers a query with the fact if that stands anywhere in its prompt;
* the companion's model writes the facts of the transcript that it is told into a block with one call, then finishes.

Tokens are what such a provider would count (`mock_openai.py`), as the server reports them in `usage`.
"""

import argparse
import contextlib
import json
import os
import random
import re
import sys
import threading
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "lib"), str(TESTS)]

import httpx  # noqa: E402
import mock_openai  # noqa: E402
from mock_parts.rule import call_arguments, tools_of  # noqa: E402
from mock_parts.tokens import text_of  # noqa: E402
from testkit.postgres import fresh_database  # noqa: E402
from testkit.server import EngramServer  # noqa: E402

FACT = re.compile(r"The code of room (\d+) is (\w+)\.")
QUERY = "What is the code of room {}?"
THINGS = ["the carpet", "a window", "the oldest lamp", "some visitor", "the long corridor", "a drawer", "the smell of paint"]
DEEDS = ["was changed twice last winter", "is remembered fondly by everybody", "has never been found in its place",
         "will be looked at again in spring", "cost more than the committee had allowed"]


def page(rng: random.Random, room: int, code: str) -> str:
    """About 250 tokens of which one sentence matters."""
    talk = [f"In room {room}, {rng.choice(THINGS)} {rng.choice(DEEDS)}." for _ in range(16)]
    talk.insert(rng.randrange(len(talk)), f"The code of room {room} is {code}.")
    return " ".join(talk)


def decide(request: dict) -> tuple[str, object]:
    """Both models in one: the companion is the one that is offered an end to its edits."""
    texts = [text_of(m.get("content")) for m in request["messages"]]
    tools = tools_of(request)
    said = next(m for m in reversed(request["messages"]) if m["role"] == "user")
    said = text_of(said["content"])
    if "memory_finish_edits" in tools:
        edits = sum(bool(m.get("tool_calls")) for m in request["messages"][-2:])
        if edits == 0:
            lines = "\n".join(f"The code of room {room} is {code}." for room, code in FACT.findall(said))
            arguments = json.dumps({"label": "rooms", "new_string": lines})
            return "call", ("memory_insert", call_arguments(arguments, tools["memory_insert"], True))
        return "call", ("memory_finish_edits", call_arguments("{}", tools["memory_finish_edits"], False))
    asked = re.search(QUERY.format(r"(\d+)").replace("?", r"\?"), said)
    if not asked:
        return "text", "Noted."
    known = dict(FACT.findall("\n".join(texts)))
    return "text", known.get(asked[1], "I do not know.")


class Api(httpx.Client):
    def ok(self, method: str, path: str, **options):
        answer = self.request(method, path, **options)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def agent(self, sleeps: bool) -> dict:
        blocks = [{"label": "persona", "value": "I answer questions about a building."}, {"label": "rooms", "value": ""}]
        body = {"model": "openai/gpt-4.1", "embedding": "engram/embed", "agent_type": "letta_v1_agent",
                "memory_blocks": blocks, "enable_sleeptime": sleeps, "tools": ["conversation_search"],
                "include_base_tools": False, "context_window_limit": 200_000}
        return self.ok("POST", "/v1/agents/", json=body)

    def ask(self, path: str, text: str) -> tuple[str, int]:
        """What is answered, and the tokens that it took."""
        body = {"messages": [{"role": "user", "content": text}], "streaming": False}
        answer = self.ok("POST", f"{path}/messages", json=body)
        words = [m["content"] for m in answer["messages"] if m["message_type"] == "assistant_message"]
        return words[-1], answer["usage"]["total_tokens"]

    def slept(self, companion: str, runs: int) -> int:
        """Tokens of the companion once it has worked so often."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            found = self.ok("GET", "/v1/runs/", params={"agent_id": companion, "limit": 1000})
            if len(found) == runs and all(r["status"] == "completed" for r in found):
                return sum(self.ok("GET", f"/v1/runs/{r['id']}/usage")["total_tokens"] for r in found)
            time.sleep(0.1)
        raise AssertionError(f"{len(found)} runs of the companion instead of {runs}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--queries", type=int, default=10)
    parser.add_argument("--frequency", type=int, default=5)
    parser.add_argument("--forget", action="store_true")
    args = parser.parse_args()
    assert args.turns % args.frequency == 0, "the companion would not be told of the last turns"
    rng = random.Random(7)
    facts = {room: f"{rng.randrange(16**6):06x}" for room in range(args.turns)}
    pages = [page(rng, room, code) for room, code in facts.items()]
    asked = [rng.randrange(args.turns) for _ in range(args.queries)]

    mock_openai.decide = decide
    model = mock_openai.Server(("127.0.0.1", 0), mock_openai.Handler)
    threading.Thread(target=model.serve_forever, daemon=True).start()
    env = {"OPENAI_API_KEY": "mock-key", "OPENAI_BASE_URL": f"http://127.0.0.1:{model.server_port}/v1"}
    with contextlib.ExitStack() as stack:
        pg = stack.enter_context(fresh_database("token_cost")) if os.environ.get("ENGRAM_TEST_PG_URI") else None
        server = stack.enter_context(EngramServer(env=env, pg_uri=pg))
        api = stack.enter_context(contextlib.closing(Api(base_url=server.url, timeout=60, trust_env=False)))
        awake, sleeper = api.agent(False), api.agent(True)
        group = sleeper["multi_agent_group"]
        config = {"manager_type": "sleeptime", "sleeptime_agent_frequency": args.frequency}
        api.ok("PATCH", f"/v1/groups/{group['id']}", json={"manager_config": config})
        (companion,) = group["agent_ids"]
        if args.forget:
            api.ok("PATCH", f"/v1/agents/{companion}", json={"message_buffer_autoclear": True})
        for text in pages:
            api.ask(f"/v1/agents/{awake['id']}", text)
            api.ask(f"/v1/agents/{sleeper['id']}", text)
        asleep = api.slept(companion, args.turns // args.frequency)
        new = lambda agent: api.ok("POST", "/v1/conversations/", params={"agent_id": agent["id"]}, json={})["id"]

        def queries(path: str) -> tuple[float, int]:
            answers = [api.ask(path, QUERY.format(room)) for room in asked]
            right = sum(facts[room] == words for room, (words, _) in zip(asked, answers))
            return sum(tokens for _, tokens in answers) / len(asked), right

        rows = [
            ("history in the prompt, no companion", 0, *queries(f"/v1/agents/{awake['id']}")),
            ("memory blocks, a new conversation", asleep, *queries(f"/v1/conversations/{new(sleeper)}")),
            ("both: the old conversation goes on", asleep, *queries(f"/v1/agents/{sleeper['id']}")),
            ("neither: a new conversation, no companion", 0, *queries(f"/v1/conversations/{new(awake)}")),
        ]
    print(f"{args.turns} turns of context, {args.queries} queries, a companion every {args.frequency} turns; "
          f"tokens by {mock_openai.TOKENIZER}\n")
    print(f"{'':42} {'right':>7} {'per query':>10} {'asleep':>9} " + " ".join(f"{f'total of {n}':>13}" for n in (1, 10, 100)))
    for name, slept, each, right in rows:
        totals = " ".join(f"{slept + n * each:>13,.0f}" for n in (1, 10, 100))
        print(f"{name:42} {right:>3}/{len(asked):<3} {each:>10,.0f} {slept:>9,} {totals}")
    (_, _, with_history, all_right), (_, _, with_blocks, blocks_right) = rows[0], rows[1]
    print(f"\nper query {with_history / with_blocks:.1f} times fewer tokens; the companion has paid for itself after "
          f"{asleep / (with_history - with_blocks):.1f} queries")
    assert all_right == blocks_right == len(asked), "both know everything"
    assert rows[3][3] == 0, "what nobody wrote down is not known"
    assert with_blocks < with_history / 2


if __name__ == "__main__":
    main()
