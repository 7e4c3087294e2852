"""What the mock model has seen, for the control routes, and its gate."""

import collections
import threading
import time


class State:
    def __init__(self):
        self.lock = threading.Lock()
        self.gate = threading.Condition()
        self.generation = 0
        self.inflight = 0
        self.reset()

    def reset(self):
        with self.lock:
            self.counters = collections.Counter()
            self.kept = collections.deque(maxlen=400)
            self.largest: dict = {"tokens": 0}
            self.bad_forms: list[str] = []
            self.seen: set[str] = set()

    def count(self, name: str, n: int = 1):
        with self.lock:
            self.counters[name] += n

    def first_time(self, key: str) -> bool:
        with self.lock:
            if key in self.seen:
                return False
            self.seen.add(key)
            return True

    def record(self, body: dict, tokens: int):
        with self.lock:
            self.counters["chat"] += 1
            self.counters["chat_stream"] += bool(body.get("stream"))
            self.kept.append({"time": time.time(), "tokens": tokens, "body": body})
            if tokens > self.largest["tokens"]:
                self.largest = {"tokens": tokens, "messages": len(body.get("messages", [])), "model": body.get("model")}
            if problem := ill_formed(body.get("messages", [])):
                self.bad_forms.append(problem)

    def release(self):
        with self.gate:
            self.generation += 1
            self.gate.notify_all()


def ill_formed(messages: list[dict]) -> str | None:
    """What the real API refuses: a tool call without exactly one result right after it, or the reverse."""
    i = 0
    while i < len(messages):
        m = messages[i]
        i += 1
        if m.get("role") == "tool":
            return f"message {i - 1} is a tool result without its call"
        wanted = [c.get("id") for c in m.get("tool_calls") or []]
        got = []
        while wanted and i < len(messages) and messages[i].get("role") == "tool":
            got.append(messages[i].get("tool_call_id"))
            i += 1
        if sorted(map(str, wanted)) != sorted(map(str, got)):
            return f"calls {wanted} were followed by the results {got}"
    return None


STATE = State()
