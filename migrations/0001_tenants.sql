-- Who may ask: organizations, their users, and keys.
--
-- Conventions of all files here: ids are bare UUIDs (the wire's prefix is the type's, see engram-domain);
-- times are timestamptz; enumerations are text in the spelling of the wire; `json`, not `jsonb`, for what
-- is only kept and given back, because it keeps the order of members (a tool's parameters are shown to the
-- model in the order in which their author wrote them). Bind such values with `engram_store::json::AsJson`.
--
-- Every root row names its organization and goes with it. What belongs to an agent, an archive or a group
-- is found through that; `conversations`, `runs` and `steps` have a copy of the organization for their
-- lists, without a foreign key, because they are written in every turn.

CREATE TABLE organizations (
    id                 uuid PRIMARY KEY,
    name               text NOT NULL,
    privileged_tools   boolean NOT NULL DEFAULT false,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL
);
CREATE INDEX organizations_created ON organizations (created_at, id);

CREATE TABLE users (
    id              uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    name            text NOT NULL,
    timezone        text NOT NULL DEFAULT 'UTC',
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL
);
CREATE INDEX users_created ON users (created_at, id);
CREATE INDEX users_organization ON users (organization_id);

-- The organization and the user of requests that name no other.
INSERT INTO organizations (id, name, created_at, updated_at)
VALUES ('00000000-0000-4000-8000-000000000000', 'default_org', now(), now());
INSERT INTO users (id, organization_id, name, created_at, updated_at)
VALUES ('00000000-0000-4000-8000-000000000000', '00000000-0000-4000-8000-000000000000', 'default_user', now(), now());

CREATE TABLE api_keys (
    id              uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    -- As whom its requests act, one of the organization's users.
    user_id         uuid REFERENCES users ON DELETE SET NULL,
    name            text NOT NULL,
    -- How the key begins, for whoever has to tell several apart.
    prefix          text NOT NULL,
    -- SHA-256 of the key. The key has 256 random bits, so nothing slower is needed; it is kept nowhere.
    hash            bytea NOT NULL UNIQUE,
    -- 'read', 'write', 'admin'.
    scopes          text[] NOT NULL,
    created_at      timestamptz NOT NULL,
    revoked_at      timestamptz
);
CREATE INDEX api_keys_organization ON api_keys (organization_id, created_at, id);
-- For the deletion of a user.
CREATE INDEX api_keys_user ON api_keys (user_id) WHERE user_id IS NOT NULL;
