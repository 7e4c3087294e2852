-- With which key secrets are sealed. The key itself is never here.

CREATE TABLE secret_key (
    -- There is one.
    single      boolean PRIMARY KEY DEFAULT true CHECK (single),
    -- Tells keys apart and says nothing about them.
    fingerprint text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);
