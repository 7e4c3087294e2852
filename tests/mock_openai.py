#!/usr/bin/env python3
"""A deterministic stand-in for an OpenAI-compatible provider. Standard library only.

    python3 tests/mock_openai.py --port 9999
    OPENAI_API_KEY=x OPENAI_BASE_URL=http://127.0.0.1:9999/v1 engram server

What it answers (the rule of the built-in model `engram/scripted`): every `[[call NAME {json}]]` in the
last message that the user wrote becomes a tool call, one per request, in order; then it says
`You said: ` and the rest of the text, through the tool `send_message` where the request offers it, else
as plain text. Hidden messages in the user's role (heartbeats, logins, summaries) are not the user's. A
tool whose schema has `request_heartbeat` is called with `true`, because an answer is still to come.
A request without tools whose instructions speak of a summary gets a short one.

Model names choose how it behaves; every name works for both streaming and plain requests:

    gpt-4o-mini, …       at once
    slow-MS              waits MS milliseconds before it answers
    drip-MS              waits MS milliseconds before every streamed chunk
    gate                 waits until somebody calls POST /__release (or 60 s)
    fault-html           a 200 whose body is a web page
    fault-close-midstream  half an answer, then the connection closes
    fault-hang           accepts the request and never answers (until released, 120 s at most)
    fault-429-once       the first request for a text is told to come back after a second
    fault-429            … every request
    fault-500            an error object with status 500
    fault-401            an error object with status 401
    fault-garbage        a stream of lines that are no JSON, or a body that is none
    fault-empty          an answer without choices
    fault-bad-args       one tool call whose arguments are not JSON, then as usual
    fault-unknown-tool   one call of a tool that was never offered, then as usual

A fault-… model behaves like any other when the user's text contains `[[ok]]`, so that a test can show that
the same agent still works.

Control routes: GET /__stats, GET /__requests (the last 400 chat requests), POST /__reset, POST /__release.
"""

import argparse
import base64
import hashlib
import json
import re
import select
import socket
import struct
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from mock_parts.embeddings import embed
from mock_parts.rule import decide, said_by_user
from mock_parts.state import STATE
from mock_parts.tokens import TOKENIZER, count_tokens, prompt_tokens

# Name and context length, as an endpoint like vLLM reports it.
CHAT_MODELS = {
    "gpt-4o-mini": 128_000,
    "gpt-4o": 128_000,
    "gpt-4.1": 1_000_000,
    "small-8k": 8_192,
    **{f"slow-{ms}": 128_000 for ms in (50, 100, 200, 300, 500, 1000, 2000, 3000)},
    **{f"drip-{ms}": 128_000 for ms in (5, 20, 50, 100, 200)},
    "gate": 128_000,
    **{
        f"fault-{kind}": 128_000
        for kind in (
            "html", "close-midstream", "hang", "429-once", "429", "500", "401", "garbage", "empty",
            "bad-args", "unknown-tool",
        )
    },
}
EMBEDDING_MODELS = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072}


class ClientGone(Exception):
    pass


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Otherwise a streamed frame waits for the acknowledgement of the one before it, about 40 ms.
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    # -- writing

    def send_body(self, status: int, body: bytes, kind: str = "application/json", **headers: str):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        for k, v in headers.items():
            self.send_header(k.replace("_", "-"), v)
        self.end_headers()
        self.wfile.write(body)

    def send_json(self, value, status: int = 200, **headers: str):
        self.send_body(status, json.dumps(value, ensure_ascii=False).encode(), **headers)

    def send_error_object(self, status: int, message: str, kind: str = "server_error", **headers: str):
        self.send_json({"error": {"message": message, "type": kind, "param": None, "code": kind}}, status, **headers)

    def start_stream(self):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def chunk(self, text: str):
        data = text.encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def cut(self):
        """Closes the connection in the middle of what was promised."""
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    # -- waiting

    def client_left(self) -> bool:
        ready, _, _ = select.select([self.connection], [], [], 0)
        if not ready:
            return False
        try:
            return self.connection.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True

    def wait(self, seconds: float, for_release: bool = False):
        """Sleeps, but notices when the client goes away: cancelling must really close the connection."""
        generation, deadline = STATE.generation, time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if for_release and STATE.generation != generation:
                return
            if self.client_left():
                raise ClientGone
            if for_release:
                with STATE.gate:
                    if STATE.generation == generation:
                        STATE.gate.wait(min(left, 0.05))
            else:
                time.sleep(min(left, 0.05))

    # -- routes

    def do_GET(self):
        path = urlsplit(self.path).path
        if path == "/v1/models":
            STATE.count("models")
            rows = [
                {"id": name, "object": "model", "created": 1_700_000_000, "owned_by": "mock", "max_model_len": length}
                for name, length in {**CHAT_MODELS, **dict.fromkeys(EMBEDDING_MODELS, 8_191)}.items()
            ]
            self.send_json({"object": "list", "data": rows})
        elif path == "/__stats":
            with STATE.lock:
                stats = dict(STATE.counters)
                stats |= {"largest_prompt": STATE.largest, "ill_formed": STATE.bad_forms[:5]}
            self.send_json({**stats, "tokenizer": TOKENIZER, "inflight": STATE.inflight})
        elif path == "/__requests":
            with STATE.lock:
                kept = list(STATE.kept)
            self.send_json(kept)
        else:
            self.send_error_object(404, f"no such route: {path}", "invalid_request_error")

    def do_POST(self):
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        path = urlsplit(self.path).path
        try:
            body = json.loads(raw or b"{}")
        except ValueError as e:
            return self.send_error_object(400, f"not JSON: {e}", "invalid_request_error")
        if path == "/__reset":
            STATE.reset()
            return self.send_json({})
        if path == "/__release":
            STATE.release()
            return self.send_json({})
        if path == "/v1/embeddings":
            return self.embeddings(body)
        if path != "/v1/chat/completions":
            return self.send_error_object(404, f"no such route: {path}", "invalid_request_error")
        with STATE.lock:
            STATE.inflight += 1
        try:
            self.chat(body)
        except (ClientGone, BrokenPipeError, ConnectionResetError):
            STATE.count("aborted")
            self.close_connection = True
        finally:
            with STATE.lock:
                STATE.inflight -= 1

    def embeddings(self, body: dict):
        STATE.count("embeddings")
        model = body.get("model", "text-embedding-3-small")
        if model not in EMBEDDING_MODELS:
            return self.send_error_object(404, f"The model `{model}` does not exist", "model_not_found")
        dimensions = int(body.get("dimensions") or EMBEDDING_MODELS[model])
        inputs = body.get("input")
        inputs = [inputs] if isinstance(inputs, str) else list(inputs or [])
        data = []
        for i, text in enumerate(inputs):
            vector = embed(text if isinstance(text, str) else json.dumps(text), dimensions)
            packed = (
                base64.b64encode(struct.pack(f"<{dimensions}f", *vector)).decode()
                if body.get("encoding_format") == "base64"
                else vector
            )
            data.append({"object": "embedding", "index": i, "embedding": packed})
        used = sum(count_tokens(str(t)) for t in inputs)
        self.send_json(
            {"object": "list", "data": data, "model": model, "usage": {"prompt_tokens": used, "total_tokens": used}}
        )

    def chat(self, body: dict):
        model = body.get("model", "")
        if model not in CHAT_MODELS:
            return self.send_error_object(404, f"The model `{model}` does not exist", "model_not_found")
        tokens = prompt_tokens(body)
        STATE.record(body, tokens)
        if tokens > CHAT_MODELS[model]:
            return self.send_error_object(
                400, f"This model's maximum context length is {CHAT_MODELS[model]} tokens. However, your messages "
                f"resulted in {tokens} tokens.", "context_length_exceeded")
        last = next((t for m in reversed(body.get("messages", [])) if (t := said_by_user(m)) is not None), "")
        if model.startswith("fault-") and "[[ok]]" not in last and self.fault(model, body, last):
            return
        drip = 0.0
        if m := re.fullmatch(r"(slow|drip)-(\d+)", model):
            if m.group(1) == "slow":
                self.wait(int(m.group(2)) / 1000)
            else:
                drip = int(m.group(2)) / 1000
        elif model == "gate":
            self.wait(60, for_release=True)
        kind, what = decide(body)
        self.answer(body, tokens, kind, what, drip)

    def fault(self, model: str, body: dict, last: str) -> bool:
        """True when the fault was the whole answer."""
        stream = bool(body.get("stream"))
        match model.removeprefix("fault-"):
            case "html":
                self.send_body(200, b"<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>", "text/html")
            case "hang":
                self.wait(120, for_release=True)
                self.cut()
            case "429-once" if STATE.first_time(last):
                self.send_error_object(429, "Rate limit reached", "rate_limit_exceeded", retry_after="1")
            case "429":
                self.send_error_object(429, "Rate limit reached", "rate_limit_exceeded", retry_after="1")
            case "500":
                self.send_error_object(500, "The server had an error while processing your request")
            case "401":
                self.send_error_object(401, "Incorrect API key provided: mock-key", "invalid_api_key")
            case "empty":
                self.send_json({"id": "chatcmpl-0", "object": "chat.completion", "model": model, "choices": []})
            case "garbage" if stream:
                self.start_stream()
                self.chunk("data: {this is not json\n\n")
                self.chunk("data: [DONE]\n\n")
                self.chunk("")
            case "garbage":
                self.send_body(200, b'{"id": "chatcmpl-0", "choices": [', "application/json")
            case "close-midstream" if stream:
                self.start_stream()
                self.chunk(self.frame(model, {"role": "assistant", "content": ""}))
                self.chunk(self.frame(model, {"content": "You sa"}))
                self.cut()
            case "close-midstream":
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", "4096")
                self.end_headers()
                self.wfile.write(b'{"id": "chatcmpl-0", "object": "chat.completion", ')
                self.cut()
            case _:
                return False
        return True

    @staticmethod
    def frame(model: str, delta: dict, finish: str | None = None, **extra) -> str:
        value = {
            "id": "chatcmpl-mock", "object": "chat.completion.chunk", "created": int(time.time()), "model": model,
            "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}], "usage": None, **extra,
        }
        return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"

    def answer(self, body: dict, tokens: int, kind: str, what, drip: float):
        model = body["model"]
        STATE.count("calls" if kind == "call" else "texts")
        # Ids are a function of the request, so that a repeated request gets the same answer.
        seed = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:20]
        call_id = f"call_{seed}"
        written = count_tokens(what if kind == "text" else what[0] + what[1])
        usage = {
            "prompt_tokens": tokens, "completion_tokens": written, "total_tokens": tokens + written,
            "prompt_tokens_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0},
        }
        if not body.get("stream"):
            message: dict = {"role": "assistant", "content": what if kind == "text" else None, "refusal": None}
            if kind == "call":
                message["tool_calls"] = [
                    {"id": call_id, "type": "function", "function": {"name": what[0], "arguments": what[1]}}
                ]
            return self.send_json({
                "id": f"chatcmpl-{seed}", "object": "chat.completion", "created": int(time.time()), "model": model,
                "choices": [{"index": 0, "message": message, "logprobs": None,
                             "finish_reason": "tool_calls" if kind == "call" else "stop"}],
                "usage": usage,
            })
        self.start_stream()
        if kind == "text":
            deltas = [{"role": "assistant", "content": ""}, *({"content": w} for w in re.findall(r"\S+\s*", what))]
        else:
            name, arguments = what
            # Real providers cut the arguments anywhere, also inside a word or an escape.
            pieces = [arguments[i:i + 7] for i in range(0, len(arguments), 7)]
            deltas = [
                {"role": "assistant", "content": None, "tool_calls": [
                    {"index": 0, "id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}]},
                *({"tool_calls": [{"index": 0, "function": {"arguments": p}}]} for p in pieces),
            ]
        for delta in deltas:
            if drip:
                self.wait(drip)
            self.chunk(self.frame(model, delta))
        self.chunk(self.frame(model, {}, "tool_calls" if kind == "call" else "stop"))
        if (body.get("stream_options") or {}).get("include_usage"):
            self.chunk(self.frame(model, {}, choices=[], usage=usage))
        self.chunk("data: [DONE]\n\n")
        self.chunk("")


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512
    allow_reuse_address = True

    def handle_error(self, request, client_address):
        pass  # clients that go away are part of the tests


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9999)
    args = parser.parse_args()
    server = Server((args.host, args.port), Handler)
    print(f"mock model on http://{args.host}:{server.server_port}/v1, tokens by {TOKENIZER}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
