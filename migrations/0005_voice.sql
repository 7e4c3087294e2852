-- Voice agents: up to where in its manager's conversation what left the context was handed to a group's companions.
ALTER TABLE groups ADD COLUMN evicted_seq bigint NOT NULL DEFAULT 1;
UPDATE groups g SET evicted_seq = c.context_from
FROM conversations c WHERE c.id = g.manager_agent_id AND g.manager_type = 'voice_sleeptime';
CREATE INDEX groups_voice ON groups (manager_agent_id) WHERE manager_type = 'voice_sleeptime';
