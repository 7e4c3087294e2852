#!/usr/bin/env python3
"""A fact that was said once is found again, hundreds of messages and several compactions later.

    python3 tests/recall/recall_after_compaction.py [--messages 300] [--window 8000] [--agent-type letta_v1_agent]

The shape of MemGPT's deep memory retrieval. An agent with a small context window is told a fact, then
small talk until the context was compacted several times. The fact must have left the prompt, must be found
by `conversation_search`, and no prompt on the way may have been larger than the window: the mock model
counts every prompt that it is sent, with the tokenizer of current OpenAI models where the package
`bpe-openai` is installed, else by an estimate that counts too many rather than too few.
"""

import argparse
import contextlib
import json
import os
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

import httpx  # noqa: E402
from testkit.mock import MockModel  # noqa: E402
from testkit.postgres import fresh_database  # noqa: E402
from testkit.server import EngramServer  # noqa: E402

FACT = "By the way, the combination of the old safe in the attic is 48-15-16-23."
QUESTION = "combination of the old safe"
ANSWER = "48-15-16-23"

SUBJECTS = ["the weather", "my garden", "that football match", "the new bakery", "a film about trains", "our holiday plans",
            "the neighbour's dog", "a recipe for soup", "the broken printer", "last night's concert"]
OPINIONS = ["was better than I had expected", "took far longer than planned", "is something I could talk about for hours",
            "reminds me of my childhood", "costs too much these days", "never fails to make me laugh"]


def filler(rng: random.Random, number: int) -> str:
    sentences = [f"{rng.choice(SUBJECTS).capitalize()} {rng.choice(OPINIONS)}." for _ in range(rng.randint(3, 9))]
    return f"Small talk number {number}. " + " ".join(sentences)


class Failed(Exception):
    pass


def check(condition: bool, text: str) -> None:
    print(f"  {'ok    ' if condition else 'FAILED'}  {text}", flush=True)
    if not condition:
        raise Failed(text)


def history(http: httpx.Client, agent: str) -> list[dict]:
    """Every message of the agent, page by page."""
    listed: list[dict] = []
    params: dict = {"limit": 200, "order": "asc"}
    while page := http.get(f"/v1/agents/{agent}/messages", params=params).raise_for_status().json():
        listed += page
        params["after"] = page[-1]["id"]
    return listed


class Compactions:
    """Counts them from outside: a prompt with fewer messages than the one before it was compacted in between."""

    def __init__(self):
        self.count = 0
        self._size = 0
        self._seen = 0.0

    def look(self, prompts: list[dict]) -> None:
        for r in prompts:
            if r["time"] > self._seen:
                size = len(r["body"]["messages"])
                self.count += size < self._size
                self._size, self._seen = size, r["time"]


def recall(http: httpx.Client, mock: MockModel, args, agent_type: str) -> None:
    rng = random.Random(args.seed)
    created = http.post("/v1/agents/", json={
        "model": "openai/gpt-4o-mini", "embedding": "engram/embed", "agent_type": agent_type,
        "context_window_limit": args.window,
        "memory_blocks": [{"label": "human", "value": "Name: Chad"}, {"label": "persona", "value": "I am Sam."}],
    })
    created.raise_for_status()
    agent = created.json()["id"]
    mock.reset()

    def send(text: str) -> list[dict]:
        answer = http.post(f"/v1/agents/{agent}/messages", json={"messages": [{"role": "user", "content": text}]})
        if answer.status_code != 200:
            raise Failed(f"«{text[:60]}» was answered {answer.status_code}: {answer.text[:500]}")
        return answer.json()["messages"]

    def prompts() -> list[dict]:
        """The prompts of the agent's own turns, oldest first; the summarizer's requests have no tools."""
        return [r for r in mock.requests() if r["body"].get("tools")]

    started = time.monotonic()
    send(FACT)
    compactions = Compactions()
    for number in range(args.messages):
        send(filler(rng, number))
        if number % 20 == 19:  # the mock keeps the last few hundred prompts
            compactions.look(prompts())
    compactions.look(prompts())
    seconds = time.monotonic() - started
    stats = mock.stats()
    largest = stats["largest_prompt"]
    print(f"  {args.messages} messages in {seconds:.1f} s, {compactions.count} compactions, {stats.get('summary_requests', 0)} summaries, "
          f"largest prompt {largest['tokens']} of {args.window} tokens ({stats['tokenizer']})")
    check(compactions.count > 1, f"the context was compacted more than once ({compactions.count} times)")
    last = prompts()[-1]["body"]["messages"]
    check(ANSWER not in json.dumps(last), "the fact has left the prompt")
    check("summar" in json.dumps(last).lower() or "hidden from view" in json.dumps(last),
          "the prompt says that earlier messages were summarized")
    messages = send(f"[[call conversation_search {json.dumps({'query': QUESTION})}]] what was it?")
    returns = [m for m in messages if m["message_type"] == "tool_return_message"]
    check(len(returns) == 1 and returns[0]["status"] == "success", "conversation_search ran")
    check(ANSWER in json.dumps(returns[0]["tool_return"]), "conversation_search found the fact")
    check(any("what was it?" in str(m.get("content")) for m in messages), "the agent answered with it in its context")
    stats = mock.stats()
    check(stats["largest_prompt"]["tokens"] <= args.window,
          f"no prompt was larger than the window ({stats['largest_prompt']['tokens']} ≤ {args.window})")
    check(not stats["ill_formed"], "no compaction split a tool call from its result")
    listed = history(http, agent)
    texts = [str(m.get("content")) for m in listed if m["message_type"] == "user_message"]
    check(sum(FACT == t for t in texts) == 1 and sum(t.startswith("Small talk") for t in texts) == args.messages,
          "the history still holds every message")

    # An agent that is far over its window recovers by itself.
    smaller = http.patch(f"/v1/agents/{agent}", json={"context_window_limit": args.window // 2})
    if smaller.status_code == 200:
        mock.reset()
        send("and now with half the window")
        tokens = mock.stats()["largest_prompt"]["tokens"]
        check(tokens <= args.window // 2, f"after the window was halved the prompt fits ({tokens} ≤ {args.window // 2})")
    http.delete(f"/v1/agents/{agent}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=300)
    parser.add_argument("--window", type=int, default=8000)
    parser.add_argument("--agent-type", default="letta_v1_agent,memgpt_agent", help="one or several, by comma")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    ok = True
    with contextlib.ExitStack() as stack:
        uri = stack.enter_context(fresh_database("recall")) if os.environ.get("ENGRAM_TEST_PG_URI") else None
        mock = stack.enter_context(MockModel())
        server = stack.enter_context(EngramServer(env=mock.server_env, pg_uri=uri))
        headers = {"x-stainless-package-version": "1.12.1", "user-agent": "Letta/Python 1.12.1"}
        http = stack.enter_context(httpx.Client(base_url=server.url, headers=headers, timeout=60, trust_env=False))
        for agent_type in args.agent_type.split(","):
            print(f"recall after compaction, {agent_type}, a window of {args.window} tokens", flush=True)
            try:
                recall(http, mock, args, agent_type)
            except Failed as e:
                ok = False
                print(f"  {e}\n--- end of the server's log\n{server.log_tail(20)}")
    raise SystemExit(0 if ok else 1)


if __name__ == "__main__":
    main()
