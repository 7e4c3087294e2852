-- Agents and what they remember and use.

-- ---------------------------------------------------------------------------------- agents

CREATE TABLE agents (
    id                              uuid PRIMARY KEY,
    organization_id                 uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
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
    message_buffer_autoclear        boolean NOT NULL DEFAULT false,
    enable_sleeptime                boolean,
    timezone                        text NOT NULL,
    -- What becomes of a message while the agent is busy, where the request does not say.
    busy_policy                     text NOT NULL DEFAULT 'queue',
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
CREATE INDEX agents_created ON agents (organization_id, created_at, id);
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

CREATE TABLE agent_identities (
    agent_id    uuid NOT NULL REFERENCES agents ON DELETE CASCADE,
    identity_id uuid NOT NULL,
    position    bigint NOT NULL,
    PRIMARY KEY (agent_id, identity_id)
);
CREATE INDEX agent_identities_identity ON agent_identities (identity_id);

-- ---------------------------------------------------------------------------------- memory blocks

CREATE TABLE blocks (
    id                    uuid PRIMARY KEY,
    organization_id       uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
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
CREATE INDEX blocks_created ON blocks (organization_id, created_at, id);
CREATE INDEX blocks_label ON blocks (organization_id, label);

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

-- Built-in tools are rows of every organization: their settings can be changed, and their ids stay.
CREATE TABLE tools (
    id                        uuid PRIMARY KEY,
    organization_id           uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    name                      text NOT NULL,
    kind                      text NOT NULL,
    -- What a repeated call would do: memory, repeatable, journaled, once. Of a tool about which nothing is known, a call
    -- is never repeated.
    effect                    text NOT NULL DEFAULT 'once',
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
    updated_at                timestamptz NOT NULL,
    UNIQUE (organization_id, name)
);
CREATE INDEX tools_created ON tools (organization_id, created_at, id);

CREATE TABLE agent_tools (
    agent_id uuid NOT NULL REFERENCES agents ON DELETE CASCADE,
    tool_id  uuid NOT NULL REFERENCES tools ON DELETE CASCADE,
    position bigint NOT NULL,
    PRIMARY KEY (agent_id, tool_id)
);
CREATE INDEX agent_tools_tool ON agent_tools (tool_id);

-- ---------------------------------------------------------------------------------- archival memory

CREATE TABLE archives (
    id              uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    name            text NOT NULL,
    description     text,
    -- Every passage of the archive was embedded with this model.
    embedding       json NOT NULL,
    metadata        json,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL
);
CREATE INDEX archives_created ON archives (organization_id, created_at, id);

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
