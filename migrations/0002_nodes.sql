-- Several nodes on one database; requests that are sent twice; streams that survive.

-- ---------------------------------------------------------------------------------- nodes

-- What was here are leases of processes that ran an older version: none of them is alive.
DELETE FROM nodes;
ALTER TABLE nodes
    -- Address and machine. A process that starts retires the node that had its name before.
    ADD COLUMN name       text NOT NULL,
    -- What another node presents when it forwards to this one. New with every process.
    ADD COLUMN secret     text NOT NULL,
    ADD COLUMN version    text NOT NULL,
    ADD COLUMN started_at timestamptz NOT NULL,
    -- Agents that live there.
    ADD COLUMN live       bigint NOT NULL DEFAULT 0,
    -- It takes nothing new and gives back what it has.
    ADD COLUMN draining   boolean NOT NULL DEFAULT false;

-- ---------------------------------------------------------------------------------- requests

-- What becomes of a message while the agent is busy, where the request does not say.
ALTER TABLE agents ADD COLUMN busy_policy text NOT NULL DEFAULT 'queue';
-- Whether a run makes room for itself, as it or its agent wanted when it was accepted.
ALTER TABLE runs ADD COLUMN interrupts boolean NOT NULL DEFAULT false;
-- What kind of error `error` is, so that whoever asks again gets the same answer.
ALTER TABLE runs ADD COLUMN error_kind text;

-- Names that callers give to their requests, so that one sent twice is carried out once.
CREATE TABLE run_keys (
    conversation_id uuid NOT NULL,
    -- 'otid:…' of a message, 'key:…' of the header Idempotency-Key.
    key             text NOT NULL,
    run_id          uuid NOT NULL REFERENCES runs ON DELETE CASCADE,
    PRIMARY KEY (conversation_id, key)
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
