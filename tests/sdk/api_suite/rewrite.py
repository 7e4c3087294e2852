"""Turns the sample values of a generated request into values that exist.

The generated tests call every operation with the same sample ids (`agent-123e4567-…`, `"agent_id"`) and
with sample values that a correct server has to refuse (`model="model"`, `max_steps=0`, a message request
without a message). Two tables say what stands in for them:

* `ROUTES`: what each path parameter is, by route.
* `Fields`: what a member of the query or of the body is, by its name.

What is not mentioned is sent as the test wrote it.
"""

import re
from datetime import datetime, timezone
from typing import Any, Callable
from urllib.parse import quote

from resources import EMBEDDING, MODEL, Resources

# Method, path with the names of `Resources` members in place of ids. First match wins.
ROUTES: list[tuple[str, str]] = [
    ("POST", "/v1/agents/{busy_run.agent_id}/messages/cancel"),
    ("POST", "/v1/agents/{agent_with_history}/summarize"),
    ("*", "/v1/agents/{agent}/core-memory/blocks/attach/{block}"),
    ("*", "/v1/agents/{agent}/core-memory/blocks/detach/{attached_block}"),
    ("*", "/v1/agents/{agent}/core-memory/blocks/{label}"),
    ("*", "/v1/agents/{agent}/archival-memory/search"),
    ("*", "/v1/agents/{agent}/archival-memory/{memory}"),
    ("*", "/v1/agents/{agent}/schedule/{schedule}"),
    ("*", "/v1/agents/{agent}/archives/attach/{archive}"),
    ("*", "/v1/agents/{agent}/archives/detach/{attached_archive}"),
    ("*", "/v1/agents/{agent}/tools/attach/{free_tool.id}"),
    ("*", "/v1/agents/{agent}/tools/detach/{attached_tool.id}"),
    ("*", "/v1/agents/{agent}/tools/approval/{attached_tool.name}"),
    ("*", "/v1/agents/{agent}/tools/{attached_tool.name}/run"),
    ("*", "/v1/archives/{archive}/passages/batch"),
    ("*", "/v1/archives/{archive}/passages/{passage}"),
    ("POST", "/v1/conversations/{busy_conversation}/cancel"),
    ("POST", "/v1/conversations/{streamed_conversation}/stream"),
    ("*", "/v1/conversations/{conversation_with_history}/*"),
    ("*", "/v1/conversations/{conversation}"),
    ("*", "/v1/blocks/{attached_block}/agents"),
    ("*", "/v1/blocks/{block}"),
    ("*", "/v1/messages/search"),
    ("*", "/v1/messages/{message}"),
    ("*", "/v1/runs/{background_run}/stream"),
    ("*", "/v1/runs/{run}/*"),
    ("*", "/v1/runs/{run}"),
    ("*", "/v1/steps/{step}/*"),
    ("*", "/v1/steps/{step}"),
    ("*", "/v1/tools/search"),
    ("*", "/v1/tools/{free_tool.id}"),
    ("*", "/v1/archives/{archive}*"),
    ("*", "/v1/agents/{agent}/*"),
    ("*", "/v1/agents/{agent}"),
]

# Routes that send something to an agent.
SEND = re.compile(r"/v1/(agents|conversations)/[^/]+/messages(/stream|/async)?$")


def lookup(resources: Resources, name: str) -> str:
    """`free_tool.id` is the member `id` of `resources.free_tool`."""
    head, *rest = name.split(".")
    value: Any = getattr(resources, head)
    for key in rest:
        value = value[key]
    return value


def _compile(pattern: str) -> tuple[re.Pattern, list[str]]:
    names = re.findall(r"\{([^}]+)\}", pattern)
    expression = re.sub(r"\{[^}]+\}", "([^/]+)", re.escape(pattern).replace(r"\{", "{").replace(r"\}", "}"))
    return re.compile(expression.replace(r"\*", "(?:.*)") + "$"), names


_COMPILED = [(method, *_compile(pattern)) for method, pattern in ROUTES]


def rewrite_path(resources: Resources, method: str, path: str) -> str:
    for wanted, expression, names in _COMPILED:
        if wanted in ("*", method) and (m := expression.match(path)):
            for i in range(len(names), 0, -1):  # from the right, so that the positions stay true
                path = path[: m.start(i)] + quote(lookup(resources, names[i - 1]), safe="") + path[m.end(i):]
            return path
    return path


def iso(*_) -> str:
    return datetime.now(timezone.utc).isoformat()


def in_an_hour() -> int:
    return int((datetime.now(timezone.utc).timestamp() + 3600) * 1000)


MODEL_SETTINGS = {"provider_type": "openai", "max_output_tokens": 1024, "parallel_tool_calls": True}

# What a field is, whatever request it occurs in: a value, or a function of the resources and the old value.
# `None` as the result means: leave the member out.
FIELDS: dict[str, Any] = {
    # ids
    "agent_id": lambda w, v: w.agent,
    "agent_ids": lambda w, v: [w.agent],
    "archive_id": lambda w, v: w.attached_archive,
    "block_ids": lambda w, v: [w.block],
    "conversation_id": lambda w, v: w.conversation,
    "message_id": lambda w, v: w.message,
    "message_ids": lambda w, v: w.agent_state["message_ids"],
    "run_id": lambda w, v: w.background_run,
    "run_ids": lambda w, v: [w.busy_run["id"]],
    "tool_ids": lambda w, v: [w.free_tool["id"]],
    # handles and configurations
    "model": lambda w, v: MODEL,
    "override_model": lambda w, v: MODEL,
    "embedding": lambda w, v: EMBEDDING,
    "llm_config": lambda w, v: w.llm_config,
    "embedding_config": lambda w, v: w.embedding_config,
    "model_settings": lambda w, v: MODEL_SETTINGS,
    "compaction_settings": lambda w, v: {**v, "model": MODEL, "model_settings": MODEL_SETTINGS, "clip_chars": 2000,
                                         "sliding_window_percentage": 0.3},
    # tools
    "tools": lambda w, v: [w.attached_tool["name"]],
    "tool_rules": lambda w, v: [{**r, "tool_name": "conversation_search", "children": ["memory_insert"],
                                 "child_arg_nodes": [{"name": "memory_insert", "args": {}}]} for r in v],
    "tool_types": lambda w, v: ["letta_core"],
    "exclude_tool_types": lambda w, v: ["custom"],
    "args": lambda w, v: {"query": "hello"},
    # numbers of which zero makes no sense
    "context_window_limit": 16_000,
    "embedding_chunk_size": 300,
    "max_tokens": 1024,
    "max_steps": 5,
    "max_files_open": 5,
    "per_file_view_window_char_limit": 10_000,
    "top_k": 5,
    "batch_size": 10,
    "limit": lambda w, v: 2_000 if v in (0, "limit") else v,
    # formats
    "timezone": "Europe/Berlin",
    "created_at": iso,
    "start_date": lambda w, v: v if v[:1].isdigit() else "2019-12-27T18:11:19Z",
    "end_date": lambda w, v: v if v[:1].isdigit() else "2099-12-27T18:11:19Z",
    "statuses": lambda w, v: ["completed"],
    "callback_url": "http://127.0.0.1:9/callback",
    "schedule": lambda w, v: {**v, "scheduled_at": in_an_hour()},
    # what other issues bring: an agent that refers to them could not be created
    "folder_ids": lambda w, v: None,
    "source_ids": lambda w, v: None,
    "identity_ids": lambda w, v: None,
    "from_template": lambda w, v: None,
    "template": lambda w, v: None,
}

# Cursors, by the route that they page through.
CURSORS: list[tuple[str, Callable[[Resources], str]]] = [
    (r"/v1/agents/[^/]+/messages", lambda w: w.message),
    (r"/v1/agents/[^/]+/core-memory/blocks", lambda w: w.attached_block),
    (r"/v1/agents/[^/]+/archival-memory", lambda w: w.memory),
    (r"/v1/agents/[^/]+/tools", lambda w: w.attached_tool["id"]),
    (r"/v1/agents/[^/]+/schedule", lambda w: w.schedule),
    (r"/v1/agents/", lambda w: w.agent),
    (r"/v1/archives/", lambda w: w.archive),
    (r"/v1/blocks/[^/]+/agents", lambda w: w.agent),
    (r"/v1/blocks/", lambda w: w.block),
    (r"/v1/conversations/default/messages", lambda w: w.message),
    (r"/v1/conversations/", lambda w: w.conversation),
    (r"/v1/messages/", lambda w: w.conversation_message),  # of the conversation that the test names
    (r"/v1/runs/[^/]+/messages", lambda w: w.message),
    (r"/v1/runs/[^/]+/steps", lambda w: w.step),
    (r"/v1/runs/", lambda w: w.run),
    (r"/v1/steps/[^/]+/messages", lambda w: w.message),
    (r"/v1/steps/", lambda w: w.step),
    (r"/v1/tags/", lambda w: "api-suite"),
    (r"/v1/tools/", lambda w: w.free_tool["id"]),
]


def cursor(resources: Resources, path: str) -> str | None:
    return next((make(resources) for pattern, make in CURSORS if re.fullmatch(pattern, path)), None)


def rewrite_fields(resources: Resources, path: str, members: dict) -> dict:
    out = {}
    for name, value in members.items():
        if name in ("after", "before"):
            value = cursor(resources, path) or value
        elif name in FIELDS:
            replacement = FIELDS[name]
            value = replacement(resources, value) if callable(replacement) else replacement
            if value is None:
                continue
        elif name == "memory_blocks":
            value = [rewrite_fields(resources, path, b) for b in value]
        out[name] = value
    return out


def rewrite(resources: Resources, method: str, path: str, params: dict, body: Any) -> tuple[str, dict, Any]:
    """Path, query and JSON body as they go out. `path` is the decoded sample path."""
    template, method = path, method.upper()
    members = {**params, **body} if isinstance(body, dict) else params

    if template.startswith("/v1/conversations/default/") and "agent_id" in members:
        # `default` stays what it is: the history of that agent, which therefore needs one.
        owner = resources.busy_run["agent_id"] if template.endswith("/cancel") else resources.agent_with_history
        params = {k: owner if k == "agent_id" else v for k, v in rewrite_fields(resources, template, params).items()}
    else:
        path = rewrite_path(resources, method, path)
        params = rewrite_fields(resources, template, params)

    if isinstance(body, dict):
        body = rewrite_fields(resources, template, body)
    if SEND.fullmatch(template) and method == "POST":
        body = body or {}
        if body.get("messages"):
            body.pop("input", None)  # a request has one or the other
        elif not body.get("input"):
            body["messages"] = [{"role": "user", "content": "hello"}]
    if template == "/v1/agents/" and method == "POST":
        body = {"model": MODEL, "embedding": EMBEDDING, **(body or {})}
    if template.endswith("/messages") and template.startswith("/v1/agents/") and "conversation_id" in params:
        params["conversation_id"] = "default"  # the cursors are messages of the agent's own history
    return path, params, body
