"""Streams with numbers: every reader of a run sees the same event under the same number, without gaps."""

import json
from collections import defaultdict

import wire


class Ledger:
    """What was shown under each number of each run, to whoever came first."""

    def __init__(self):
        self.events: dict[str, dict[int, bytes]] = defaultdict(dict)
        self.problems: list[str] = []
        self.compared = 0

    def note(self, run: str, seq: int, text: bytes) -> None:
        known = self.events[run].setdefault(seq, text)
        if known is not text:
            self.compared += 1
            if known != text:
                self.problems.append(f"{run}: number {seq} was {known[:300]!r} and is {text[:300]!r}")


class Stream:
    """One reading of a stream: from its beginning, or from after a number."""

    def __init__(self, ledger: Ledger | None, after: int = 0):
        self.ledger, self.last = ledger, after
        self.run: str | None = None
        self.stop_reasons: list[str] = []
        self.failed: str | None = None
        self.done = False
        self.frames = 0  # with a number, or whole messages
        self.whole: list[dict] = []  # messages
        self.problems: list[str] = []

    async def read(self, answer: wire.Answer, on_run=None, until: int | None = None) -> bool:
        """Reads to the end of the stream (true), or hangs up after `until` frames (false)."""
        async for text in answer.frames():
            if text == b"[DONE]":
                self.done = True
                continue
            if self.done:
                self.problems.append(f"{self.run}: a frame after the end: {text[:200]!r}")
            self._frame(text, on_run)
            if until is not None and self.frames >= until:
                return False
        if not self.done:
            raise wire.Unknown("the stream broke off")
        if len(self.stop_reasons) != 1:
            self.problems.append(f"{self.run}: {len(self.stop_reasons)} stop reasons in one stream")
        return True

    def _frame(self, text: bytes, on_run) -> None:
        frame = json.loads(text)
        if (run := frame.get("run_id")) and run != self.run:
            if self.run:
                self.problems.append(f"one stream showed two runs: {self.run} and {run}")
            self.run = run
            if on_run:
                on_run(run)
        kind = frame.get("message_type")
        if (seq := frame.get("seq_id")) is not None and self.ledger is not None:
            self._numbered(seq, text)
        if kind == "stop_reason":
            self.stop_reasons.append(frame["stop_reason"])
        elif kind == "error_message" or "error" in frame:
            self.failed = str(frame.get("detail") or frame)[:300]
        elif str(frame.get("id", "")).startswith("message-"):
            self.frames += 1
            self.whole.append(frame)

    def _numbered(self, seq: int, text: bytes) -> None:
        if seq != self.last + 1:
            kind = "a gap" if seq > self.last else "a repetition"
            self.problems.append(f"{self.run}: {kind} in the stream: {seq} after {self.last}")
        self.last = seq
        self.ledger.note(self.run or "?", seq, text)
