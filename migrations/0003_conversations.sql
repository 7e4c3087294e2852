-- Conversations, and the runs that add to them. `messages`, `runs`, `steps` and `conversations` are written
-- in every turn: each index and each foreign key on them must be one that a query or a cascade needs.

-- ---------------------------------------------------------------------------------- conversations

CREATE TABLE conversations (
    -- The agent's own id for its default conversation.
    id                   uuid PRIMARY KEY,
    organization_id      uuid NOT NULL,
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
CREATE INDEX conversations_organization ON conversations (organization_id, created_at);
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
-- The messages of a group lie in the conversations of its agents; this finds them.
CREATE INDEX messages_group ON messages (group_id, created_at, seq, id) WHERE group_id IS NOT NULL;

-- ---------------------------------------------------------------------------------- runs and steps

CREATE TABLE runs (
    id                 uuid PRIMARY KEY,
    organization_id    uuid NOT NULL,
    -- What it belongs to is a conversation of an agent, or a group (0004_groups.sql). A group's run has no agent of its
    -- own: it outlives members that are deleted.
    agent_id           uuid REFERENCES agents ON DELETE CASCADE,
    conversation_id    uuid,
    group_id           uuid,
    -- The group's run that it is a turn of. No foreign key: that one may be deleted alone.
    parent_run_id      uuid,
    -- Who takes part in a group's run, settled when it begins.
    participants       json,
    status             text NOT NULL,
    stop_reason        text,
    input              json NOT NULL,
    background         boolean NOT NULL,
    run_type           text NOT NULL,
    metadata           json NOT NULL,
    callback_url       text,
    error              text,
    -- What kind of error `error` is, so that whoever asks again gets the same answer.
    error_kind         text,
    -- Whether it makes room for itself, as it or its agent wanted when it was accepted.
    interrupts         boolean NOT NULL DEFAULT false,
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
    completed_at       timestamptz,
    -- The order in which runs were accepted, and when, by the database: clocks of nodes differ, and decide neither which
    -- run comes first nor what is old.
    accepted           bigint GENERATED ALWAYS AS IDENTITY,
    accepted_at        timestamptz NOT NULL DEFAULT now(),
    CHECK ((group_id IS NULL) = (conversation_id IS NOT NULL AND agent_id IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX runs_open ON runs (conversation_id, accepted) WHERE status IN ('created', 'running');
CREATE INDEX runs_agent ON runs (agent_id, created_at);
CREATE INDEX runs_created ON runs (organization_id, created_at);
-- Runs of agents that are nobody's turns are in none of these.
CREATE INDEX runs_group ON runs (group_id, created_at) WHERE group_id IS NOT NULL;
CREATE INDEX runs_group_open ON runs (group_id, accepted)
    WHERE group_id IS NOT NULL AND status IN ('created', 'running');
CREATE INDEX runs_parent ON runs (parent_run_id) WHERE parent_run_id IS NOT NULL;

CREATE TABLE steps (
    id                 uuid PRIMARY KEY,
    organization_id    uuid NOT NULL,
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
CREATE INDEX steps_created ON steps (organization_id, created_at);

-- ---------------------------------------------------------------------------------- requests

-- Keys of requests, so that one sent twice is carried out once.
CREATE TABLE run_keys (
    -- The conversation or the group.
    owner_id uuid NOT NULL,
    -- 'otid:…' of a message, 'key:…' of the header Idempotency-Key.
    key      text NOT NULL,
    run_id   uuid NOT NULL REFERENCES runs ON DELETE CASCADE,
    PRIMARY KEY (owner_id, key)
);
CREATE INDEX run_keys_run ON run_keys (run_id);

-- ---------------------------------------------------------------------------------- streams

-- What happened in a background run, in the order in which it was shown: written before it is shown,
-- so a number that a reader has seen means the same event for ever.
CREATE TABLE run_events (
    run_id uuid NOT NULL REFERENCES runs ON DELETE CASCADE,
    seq    bigint NOT NULL,
    event  json NOT NULL,
    PRIMARY KEY (run_id, seq)
);

-- ---------------------------------------------------------------------------------- schedules

CREATE TABLE schedules (
    id            uuid PRIMARY KEY,
    agent_id      uuid NOT NULL REFERENCES agents ON DELETE CASCADE,
    input         json NOT NULL,
    callback_url  text,
    -- 'one-time' (scheduled_at), 'recurring' (cron, timezone) or 'interval' (every_seconds).
    kind          text NOT NULL,
    scheduled_at  timestamptz,
    cron          text,
    timezone      text,
    every_seconds bigint,
    -- Null: never again.
    next_at       timestamptz,
    last_at       timestamptz,
    -- No foreign key: a run may be deleted, and its end is then not known any more.
    last_run_id   uuid,
    runs          bigint NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX schedules_due ON schedules (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX schedules_agent ON schedules (agent_id, created_at, id);

-- ---------------------------------------------------------------------------------- nodes

-- One row an incarnation of a process. Leases go by this clock, the database's own.
CREATE TABLE nodes (
    id         uuid PRIMARY KEY,
    -- Address and machine. A process that starts retires the node that had its name before.
    name       text NOT NULL,
    url        text NOT NULL,
    -- What another node presents when it forwards to this one. New with every process.
    secret     text NOT NULL,
    version    text NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL,
    -- How many agents have an actor there.
    live       bigint NOT NULL DEFAULT 0,
    -- It takes nothing new and gives back what it has.
    draining   boolean NOT NULL DEFAULT false,
    retired    boolean NOT NULL DEFAULT false
);
