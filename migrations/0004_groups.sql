-- Agents together: groups, and agents that work on the memory of another.

-- ---------------------------------------------------------------------------------- groups

CREATE TABLE groups (
    id                uuid PRIMARY KEY,
    organization_id   uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    manager_type      text NOT NULL,
    description       text NOT NULL,
    -- Who leads it. Without its leader a group is nothing, so it goes with it.
    manager_agent_id  uuid REFERENCES agents ON DELETE CASCADE,
    termination_token text,
    max_turns         integer,
    project_id        text,
    template_id       text,
    base_template_id  text,
    hidden            boolean,
    -- The fence, as in `conversations`: which node drives its runs.
    epoch             bigint NOT NULL DEFAULT 0,
    owner             uuid,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL
);
CREATE INDEX groups_created ON groups (organization_id, created_at, id);
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

-- ---------------------------------------------------------------------------------- companions

-- Groups whose members work on the memory of their manager while it is idle: what they wait for, and up to
-- where they have come. Every commit that ends a turn of the manager counts it here.
CREATE TABLE group_sleep (
    group_id                  uuid PRIMARY KEY REFERENCES groups ON DELETE CASCADE,
    -- Copies of `groups.manager_type` and `groups.manager_agent_id`, so that the end of a turn reads one index.
    manager_type              text NOT NULL,
    manager_agent_id          uuid,
    sleeptime_agent_frequency integer,
    max_message_buffer_length integer,
    min_message_buffer_length integer,
    -- Turns of the manager, from -1, where they are counted.
    turns_counter             bigint,
    -- How many of these turns the companions have worked on.
    turns_worked              bigint NOT NULL DEFAULT 0,
    last_processed_message_id uuid,
    -- They also work after the manager has been idle for so long,
    idle_ms                   bigint,
    -- and by the clock, in the columns of `schedules`; `next_sleep_at` is null where `kind` is.
    kind                      text,
    scheduled_at              timestamptz,
    cron                      text,
    timezone                  text,
    every_seconds             bigint,
    next_sleep_at             timestamptz,
    -- Voice agents: up to where in the manager's conversation what left the context was handed to the companions.
    evicted_seq               bigint NOT NULL DEFAULT 1,
    -- As in `groups`: of several that are due the one comes first that was changed the longest ago.
    updated_at                timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX group_sleep_manager ON group_sleep (manager_agent_id);
-- Groups whose companions may be due, one index for each reason (`sleep.rs` of engram-store): the conditions are in the
-- words of the query, and hold for hardly any group at any moment, so a look for what is due reads next to nothing.
CREATE INDEX group_sleep_turns ON group_sleep (updated_at)
    WHERE manager_type = 'sleeptime' AND turns_counter + 1 - turns_worked >=
        (CASE WHEN sleeptime_agent_frequency IS NOT NULL OR idle_ms IS NULL AND kind IS NULL
              THEN greatest(coalesce(sleeptime_agent_frequency, 1), 1) END)::bigint;
CREATE INDEX group_sleep_times ON group_sleep (next_sleep_at) WHERE manager_type = 'sleeptime' AND next_sleep_at IS NOT NULL;
CREATE INDEX group_sleep_idle ON group_sleep (updated_at)
    WHERE manager_type = 'sleeptime' AND idle_ms IS NOT NULL AND turns_counter + 1 > turns_worked;
CREATE INDEX group_sleep_voice ON group_sleep (updated_at) WHERE manager_type = 'voice_sleeptime';

-- Agents that work passages into a block and are gone when they have. No foreign key to the agent whose block it is: they
-- have to be found when that one was deleted.
CREATE TABLE ephemeral_agents (
    agent_id      uuid PRIMARY KEY REFERENCES agents ON DELETE CASCADE,
    main_agent_id uuid NOT NULL,
    -- Blocks that were made for it alone.
    own_blocks    uuid[] NOT NULL,
    created_at    timestamptz NOT NULL
);

-- ---------------------------------------------------------------------------------- runs of groups

-- A message to a group is a run as every other. Its turns are runs of the group's agents: its children.
ALTER TABLE runs ADD FOREIGN KEY (group_id) REFERENCES groups ON DELETE CASCADE;
