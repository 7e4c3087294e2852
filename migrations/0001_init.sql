-- Everything that one node with one default user needs.
--
-- Conventions: ids are bare UUIDs (the wire's prefix is the type's, see engram-domain); times are
-- timestamptz; enumerations are text in the spelling of the wire; `json`, not `jsonb`, for what is
-- only kept and given back, because it keeps the order of members (a tool's parameters are shown to
-- the model in the order in which their author wrote them). Bind such values with
-- `engram_store::json::AsJson`.
--
-- `messages`, `runs`, `steps` and `conversations` are written in every turn: each index and each
-- foreign key on them must be one that a query or a cascade needs.

-- ---------------------------------------------------------------------------------- agents

CREATE TABLE agents (
    id                              uuid PRIMARY KEY,
    name                            text NOT NULL,
    description                     text,
    agent_type                      text NOT NULL,
    system                          text NOT NULL,
    llm                             json NOT NULL,
    embedding                       json NOT NULL,
    model_settings                  json,
    compaction                      json,
    response_format                 json,
    tool_rules                      json NOT NULL DEFAULT '[]',
    tags                            text[] NOT NULL DEFAULT '{}',
    metadata                        json NOT NULL DEFAULT '{}',
    identity_ids                    uuid[] NOT NULL DEFAULT '{}',
    message_buffer_autoclear        boolean NOT NULL DEFAULT false,
    enable_sleeptime                boolean,
    timezone                        text NOT NULL,
    max_files_open                  integer NOT NULL,
    per_file_view_window_char_limit integer NOT NULL,
    hidden                          boolean,
    project_id                      text,
    template_id                     text,
    base_template_id                text,
    created_at                      timestamptz NOT NULL,
    updated_at                      timestamptz NOT NULL,
    -- Goes up with every change of what a live actor of this agent has loaded: this row, attached
    -- blocks and their values, tools, archives. Whoever changes one of those does it in the same
    -- transaction. `updated_at` is for people; this is for actors.
    rev                             bigint NOT NULL DEFAULT 1
);
CREATE INDEX agents_created ON agents (created_at, id);
CREATE INDEX agents_tags ON agents USING gin (tags);

-- Secrets: never logged, never in an error.
CREATE TABLE agent_env (
    id          uuid PRIMARY KEY,
    agent_id    uuid NOT NULL REFERENCES agents ON DELETE CASCADE,
    key         text NOT NULL,
    value       text NOT NULL,
    description text,
    UNIQUE (agent_id, key)
);

-- ---------------------------------------------------------------------------------- memory blocks

CREATE TABLE blocks (
    id                    uuid PRIMARY KEY,
    label                 text NOT NULL,
    value                 text NOT NULL,
    char_limit            integer NOT NULL,
    description           text,
    read_only             boolean NOT NULL DEFAULT false,
    metadata              json NOT NULL DEFAULT '{}',
    template_name         text,
    is_template           boolean NOT NULL DEFAULT false,
    preserve_on_migration boolean NOT NULL DEFAULT false,
    project_id            text,
    hidden                boolean,
    tags                  text[] NOT NULL DEFAULT '{}',
    created_at            timestamptz NOT NULL,
    updated_at            timestamptz NOT NULL,
    -- Goes up with every change of `value`; writes compare and set it.
    version               bigint NOT NULL DEFAULT 1
);
CREATE INDEX blocks_created ON blocks (created_at, id);
CREATE INDEX blocks_label ON blocks (label);

CREATE TABLE agent_blocks (
    agent_id uuid NOT NULL REFERENCES agents ON DELETE CASCADE,
    block_id uuid NOT NULL REFERENCES blocks ON DELETE CASCADE,
    -- Order in the prompt. Numbers may have gaps.
    position bigint NOT NULL,
    -- A copy of `blocks.label`, so that the database refuses two blocks of one name in one agent.
    -- Whoever renames a block updates it here in the same transaction.
    label    text NOT NULL,
    PRIMARY KEY (agent_id, block_id),
    UNIQUE (agent_id, label)
);
CREATE INDEX agent_blocks_block ON agent_blocks (block_id);

-- ---------------------------------------------------------------------------------- tools

CREATE TABLE tools (
    id                        uuid PRIMARY KEY,
    name                      text NOT NULL UNIQUE,
    kind                      text NOT NULL,
    description               text,
    source_type               text,
    source_code               text,
    json_schema               json NOT NULL,
    args_json_schema          json,
    tags                      text[] NOT NULL DEFAULT '{}',
    return_char_limit         integer NOT NULL,
    pip_requirements          json,
    npm_requirements          json,
    default_requires_approval boolean,
    enable_parallel_execution boolean NOT NULL DEFAULT false,
    metadata                  json NOT NULL DEFAULT '{}',
    created_at                timestamptz NOT NULL,
    updated_at                timestamptz NOT NULL
);
CREATE INDEX tools_created ON tools (created_at, id);

CREATE TABLE agent_tools (
    agent_id uuid NOT NULL REFERENCES agents ON DELETE CASCADE,
    tool_id  uuid NOT NULL REFERENCES tools ON DELETE CASCADE,
    position bigint NOT NULL,
    PRIMARY KEY (agent_id, tool_id)
);
CREATE INDEX agent_tools_tool ON agent_tools (tool_id);

-- ---------------------------------------------------------------------------------- archival memory

CREATE TABLE archives (
    id          uuid PRIMARY KEY,
    name        text NOT NULL,
    description text,
    -- Every passage of the archive was embedded with this model.
    embedding   json NOT NULL,
    metadata    json,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL
);
CREATE INDEX archives_created ON archives (created_at, id);

CREATE TABLE agent_archives (
    agent_id   uuid NOT NULL REFERENCES agents ON DELETE CASCADE,
    archive_id uuid NOT NULL REFERENCES archives ON DELETE CASCADE,
    -- The first one is the one that the agent's tools write to.
    position   bigint NOT NULL,
    PRIMARY KEY (agent_id, archive_id)
);
CREATE INDEX agent_archives_archive ON agent_archives (archive_id);

CREATE TABLE passages (
    id         uuid PRIMARY KEY,
    archive_id uuid NOT NULL REFERENCES archives ON DELETE CASCADE,
    source_id  uuid,
    text       text NOT NULL,
    -- Without a fixed dimension, because archives differ; the code checks it against the archive.
    embedding  vector,
    tags       text[] NOT NULL DEFAULT '{}',
    metadata   json NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    -- Order of insertion, where `created_at` is equal (callers may set it).
    seq        bigserial
);
CREATE INDEX passages_archive ON passages (archive_id, created_at, seq);
CREATE INDEX passages_tags ON passages USING gin (tags);

-- ---------------------------------------------------------------------------------- conversations

CREATE TABLE conversations (
    -- The agent's own id for its default conversation.
    id                   uuid PRIMARY KEY,
    agent_id             uuid NOT NULL REFERENCES agents ON DELETE CASCADE,
    summary              text,
    isolated_block_ids   uuid[] NOT NULL DEFAULT '{}',
    model                text,
    model_settings       json,
    system_message_id    uuid NOT NULL,
    summary_message_id   uuid,
    -- The context is the system message, the summary, and every message from this `seq` on.
    context_from         bigint NOT NULL,
    next_seq             bigint NOT NULL,
    prompt_meta          json,
    -- How the last run ended. Here and not in `agents`, so that the end of a run does not lock the
    -- agent's row or look like a change of its configuration.
    last_run_completion  timestamptz,
    last_run_duration_ms bigint,
    last_stop_reason     text,
    last_message_at      timestamptz,
    created_at           timestamptz NOT NULL,
    updated_at           timestamptz NOT NULL,
    -- The fence: one more with every commit; one more with every claim; who claimed it last.
    version              bigint NOT NULL DEFAULT 0,
    epoch                bigint NOT NULL DEFAULT 0,
    owner                uuid
) WITH (fillfactor = 70);
CREATE INDEX conversations_agent ON conversations (agent_id, created_at);
-- Few have any; a change of such a block must find them.
CREATE INDEX conversations_isolated ON conversations USING gin (isolated_block_ids) WHERE isolated_block_ids <> '{}';

CREATE TABLE messages (
    id              uuid PRIMARY KEY,
    conversation_id uuid NOT NULL REFERENCES conversations ON DELETE CASCADE,
    seq             bigint NOT NULL,
    agent_id        uuid NOT NULL,
    role            text NOT NULL,
    -- One versioned shape: {"v":1,"kind":…}, see engram_domain::Content.
    content         json NOT NULL,
    -- Its words, for search; empty for compiled prompts.
    search          text NOT NULL DEFAULT '',
    name            text,
    otid            text,
    sender_id       text,
    group_id        text,
    step_id         uuid,
    run_id          uuid,
    model           text,
    tokens          integer NOT NULL,
    is_err          boolean NOT NULL DEFAULT false,
    created_at      timestamptz NOT NULL,
    UNIQUE (conversation_id, seq)
);

-- ---------------------------------------------------------------------------------- runs and steps

CREATE TABLE runs (
    id                 uuid PRIMARY KEY,
    agent_id           uuid NOT NULL REFERENCES agents ON DELETE CASCADE,
    conversation_id    uuid NOT NULL,
    status             text NOT NULL,
    stop_reason        text,
    input              json NOT NULL,
    background         boolean NOT NULL,
    run_type           text NOT NULL,
    metadata           json NOT NULL,
    callback_url       text,
    error              text,
    attempts           integer NOT NULL DEFAULT 0,
    step_count         integer NOT NULL DEFAULT 0,
    completion_tokens  bigint NOT NULL DEFAULT 0,
    prompt_tokens      bigint NOT NULL DEFAULT 0,
    cached_tokens      bigint NOT NULL DEFAULT 0,
    cache_write_tokens bigint NOT NULL DEFAULT 0,
    reasoning_tokens   bigint NOT NULL DEFAULT 0,
    ttft_ns            bigint,
    -- `seq` range [first, end) of the conversation that its messages lie in. It replaces an index
    -- of messages by run.
    first_seq          bigint,
    end_seq            bigint,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    completed_at       timestamptz
) WITH (fillfactor = 80);
CREATE INDEX runs_open ON runs (conversation_id, created_at) WHERE status IN ('created', 'running');
CREATE INDEX runs_agent ON runs (agent_id, created_at);
CREATE INDEX runs_created ON runs (created_at);

CREATE TABLE steps (
    id                 uuid PRIMARY KEY,
    run_id             uuid NOT NULL REFERENCES runs ON DELETE CASCADE,
    agent_id           uuid NOT NULL,
    conversation_id    uuid NOT NULL,
    provider_name      text NOT NULL,
    model              text NOT NULL,
    model_handle       text,
    model_endpoint     text,
    context_window     integer NOT NULL,
    completion_tokens  bigint NOT NULL,
    prompt_tokens      bigint NOT NULL,
    cached_tokens      bigint NOT NULL,
    cache_write_tokens bigint NOT NULL,
    reasoning_tokens   bigint NOT NULL,
    stop_reason        text,
    status             text NOT NULL,
    error              text,
    feedback           text,
    tags               text[] NOT NULL DEFAULT '{}',
    response           json,
    -- `seq` range [from, to) of the conversation that the request showed.
    context_from       bigint NOT NULL,
    context_to         bigint NOT NULL,
    llm_ns             bigint NOT NULL,
    tool_ns            bigint,
    step_ns            bigint NOT NULL,
    created_at         timestamptz NOT NULL
);
CREATE INDEX steps_run ON steps (run_id);
CREATE INDEX steps_agent ON steps (agent_id, created_at);
CREATE INDEX steps_created ON steps (created_at);

-- ---------------------------------------------------------------------------------- nodes

-- One row an incarnation of a process. Leases go by this clock, the database's own.
CREATE TABLE nodes (
    id      uuid PRIMARY KEY,
    url     text NOT NULL,
    seen_at timestamptz NOT NULL,
    retired boolean NOT NULL DEFAULT false
);
