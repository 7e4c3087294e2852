-- The messages of a group lie in the conversations of its agents; this finds them.
CREATE INDEX messages_group ON messages (group_id, created_at, seq, id) WHERE group_id IS NOT NULL;
