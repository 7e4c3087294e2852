"""What the mock model answers: the rule of the built-in model `engram/scripted`."""

import hashlib
import json
import re

from .state import STATE
from .tokens import text_of

HIDDEN = {"heartbeat", "login", "system_alert"}
# What other agents than those that speak through a tool are told of the time.
SENT = re.compile(r"(\A|\n)\[Sent at [^\]\n]*\]\Z")
CALL = re.compile(r"\[\[call\s+([A-Za-z0-9_.-]+)\s*")


def said_by_user(message: dict) -> str | None:
    """The text of a message that a person wrote; None for hidden packages in the user's role."""
    if message.get("role") != "user":
        return None
    text = text_of(message.get("content"))
    if text.lstrip().startswith("{"):
        try:
            package = json.loads(text)
        except ValueError:
            return text
        if isinstance(package, dict):
            if package.get("type") in HIDDEN:
                return None
            if package.get("type") == "user_message" and isinstance(package.get("message"), str):
                return package["message"]
    return SENT.sub("", text)


def split_calls(text: str) -> tuple[list[tuple[str, str]], str]:
    """The calls that the text asks for, as (name, arguments), and the text without them."""
    calls, rest, at = [], [], 0
    decoder = json.JSONDecoder()
    while m := CALL.search(text, at):
        try:
            _, end = decoder.raw_decode(text, m.end())
            arguments = text[m.end():end]
        except ValueError:
            # No arguments, or something that is no JSON: it ends at the closing brackets.
            end = text.find("]]", m.end())
            arguments = "{}" if end <= m.end() else text[m.end():end].strip()
        close = text.find("]]", end)
        if end < 0 or close < 0:
            break
        calls.append((m.group(1), arguments))
        rest.append(text[at:m.start()])
        at = close + 2
    rest.append(text[at:])
    return calls, re.sub(r"\s+", " ", "".join(rest)).strip()


def tools_of(request: dict) -> dict[str, dict]:
    found = {}
    for tool in request.get("tools") or []:
        f = tool.get("function", tool)
        found[f.get("name")] = f.get("parameters") or {}
    return found


def call_arguments(given: str, schema: dict, more_to_come: bool) -> str:
    """The arguments as asked for, plus what the older agents' loops add to every schema."""
    properties = schema.get("properties") or {}
    try:
        arguments = json.loads(given)
    except ValueError:
        return given
    if not isinstance(arguments, dict):
        return given
    before = {k: "Thinking about it." for k in ("thinking", "inner_thoughts") if k in properties}
    after = {"request_heartbeat": more_to_come} if "request_heartbeat" in properties else {}
    return json.dumps({**before, **arguments, **{k: v for k, v in after.items() if k not in arguments}}, ensure_ascii=False)


def decide(request: dict) -> tuple[str, object]:
    """("text", str) or ("call", (name, arguments))."""
    messages, tools = request.get("messages", []), tools_of(request)
    model = request.get("model", "")
    said, after = "", 0
    for i in range(len(messages) - 1, -1, -1):
        if (text := said_by_user(messages[i])) is not None:
            said, after = text, i + 1
            break
    if not tools:
        instructions = " ".join(text_of(m.get("content")) for m in messages if m.get("role") in ("system", "developer"))
        if "summar" in instructions.lower():
            STATE.count("summary_requests")
            digest = hashlib.sha256(json.dumps(messages).encode()).hexdigest()[:8]
            return "text", f"Summary {digest}: the user and the assistant exchanged {len(messages)} messages of small talk."
    calls, rest = split_calls(said)
    done = sum(
        1
        for m in messages[after:]
        for c in m.get("tool_calls") or []
        if c.get("function", {}).get("name") != "send_message"
    )
    ok = "[[ok]]" in said
    if model == "fault-bad-args" and not ok:
        if done == 0 and tools:
            return "call", (next(n for n in tools if n != "send_message"), '{"label": "human", "content": ')
        done -= 1
    if model == "fault-unknown-tool" and not ok:
        if done == 0:
            return "call", ("no_such_tool", '{"x": 1}')
        done -= 1
    if done < len(calls):
        name, given = calls[done]
        return "call", (name, call_arguments(given, tools.get(name, {}), more_to_come=True))
    answer = f"You said: {rest}"
    if "send_message" in tools:
        given = json.dumps({"message": answer}, ensure_ascii=False)
        return "call", ("send_message", call_arguments(given, tools["send_message"], more_to_come=False))
    return "text", answer
