-- Groups whose companions may be due, one index for each reason (`company/sleep.rs`): the conditions are in the words of
-- the query, and hold for hardly any group at any moment, so a look for what is due reads next to nothing.

CREATE INDEX groups_sleep_turns ON groups (updated_at)
    WHERE manager_type = 'sleeptime' AND turns_counter + 1 - turns_worked >=
        (CASE WHEN sleeptime_agent_frequency IS NOT NULL OR idle_ms IS NULL AND kind IS NULL
              THEN greatest(coalesce(sleeptime_agent_frequency, 1), 1) END)::bigint;
CREATE INDEX groups_sleep_times ON groups (next_sleep_at) WHERE manager_type = 'sleeptime' AND next_sleep_at IS NOT NULL;
CREATE INDEX groups_sleep_idle ON groups (updated_at)
    WHERE manager_type = 'sleeptime' AND idle_ms IS NOT NULL AND turns_counter + 1 > turns_worked;
