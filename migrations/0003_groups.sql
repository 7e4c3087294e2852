-- Agents together: groups, and messages that are sent at a time.

-- ---------------------------------------------------------------------------------- groups

CREATE TABLE groups (
    id                        uuid PRIMARY KEY,
    manager_type              text NOT NULL,
    description               text NOT NULL,
    -- Who leads it. Without its leader a group is nothing, so it goes with it.
    manager_agent_id          uuid REFERENCES agents ON DELETE CASCADE,
    termination_token         text,
    max_turns                 integer,
    sleeptime_agent_frequency integer,
    max_message_buffer_length integer,
    min_message_buffer_length integer,
    -- Turns of the manager, from -1, where they are counted.
    turns_counter             bigint,
    -- How many of these turns the companions have worked on.
    turns_worked              bigint NOT NULL DEFAULT 0,
    last_processed_message_id uuid,
    project_id                text,
    template_id               text,
    base_template_id          text,
    hidden                    boolean,
    created_at                timestamptz NOT NULL,
    updated_at                timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX groups_created ON groups (created_at, id);
CREATE INDEX groups_manager ON groups (manager_agent_id) WHERE manager_agent_id IS NOT NULL;

CREATE TABLE group_agents (
    group_id uuid NOT NULL REFERENCES groups ON DELETE CASCADE,
    agent_id uuid NOT NULL REFERENCES agents ON DELETE CASCADE,
    -- The order in which they speak. Numbers may have gaps.
    position bigint NOT NULL,
    PRIMARY KEY (group_id, agent_id)
);
CREATE INDEX group_agents_agent ON group_agents (agent_id);

-- What all agents of the group share. Each of them has it in `agent_blocks` too: that is what its
-- prompt is made of; this says whom else to give it to.
CREATE TABLE group_blocks (
    group_id uuid NOT NULL REFERENCES groups ON DELETE CASCADE,
    block_id uuid NOT NULL REFERENCES blocks ON DELETE CASCADE,
    position bigint NOT NULL,
    PRIMARY KEY (group_id, block_id)
);
CREATE INDEX group_blocks_block ON group_blocks (block_id);

-- One row a message to a group. What its agents do for it are runs of theirs, each named in
-- `run_keys` by this id and the turn; so whoever drives this may crash, or be two.
CREATE TABLE group_runs (
    id           uuid PRIMARY KEY,
    group_id     uuid NOT NULL REFERENCES groups ON DELETE CASCADE,
    status       text NOT NULL,
    stop_reason  text,
    input        json NOT NULL,
    -- Where the policy is.
    state        json NOT NULL,
    error        text,
    error_kind   text,
    -- The fence, as in `conversations`.
    epoch        bigint NOT NULL DEFAULT 0,
    owner        uuid,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    completed_at timestamptz
) WITH (fillfactor = 80);
CREATE INDEX group_runs_group ON group_runs (group_id, created_at);
CREATE INDEX group_runs_open ON group_runs (created_at) WHERE status IN ('created', 'running');

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
