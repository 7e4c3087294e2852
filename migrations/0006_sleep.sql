-- When sleep-time companions work besides a number of turns, and agents that work for a while only.

ALTER TABLE groups
    -- After the manager has been idle for so long.
    ADD COLUMN idle_ms       bigint,
    -- And by the clock, in the columns of `schedules`; `next_sleep_at` is null where `kind` is.
    ADD COLUMN kind          text,
    ADD COLUMN scheduled_at  timestamptz,
    ADD COLUMN cron          text,
    ADD COLUMN timezone      text,
    ADD COLUMN every_seconds bigint,
    ADD COLUMN next_sleep_at timestamptz;

-- Agents that work passages into a block and are gone when they have. No foreign key to the agent whose block it is: they
-- have to be found when that one was deleted.
CREATE TABLE ephemeral_agents (
    agent_id      uuid PRIMARY KEY REFERENCES agents ON DELETE CASCADE,
    main_agent_id uuid NOT NULL,
    -- Blocks that were made for it alone.
    own_blocks    uuid[] NOT NULL,
    created_at    timestamptz NOT NULL
);
