-- A message to a group that is sent again under the same name is the same message.
ALTER TABLE group_runs ADD COLUMN key text;
CREATE UNIQUE INDEX group_runs_key ON group_runs (group_id, key) WHERE key IS NOT NULL;

-- A group's oldest open message, and those of dead nodes.
DROP INDEX group_runs_open;
CREATE INDEX group_runs_open ON group_runs (group_id, created_at, id) WHERE status IN ('created', 'running');

-- Never used: the row's owner and the names of the members' runs are the fence.
ALTER TABLE group_runs DROP COLUMN epoch, DROP COLUMN error_kind;
