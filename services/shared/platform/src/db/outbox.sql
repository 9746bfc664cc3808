-- Facts that are born in this schema, on their way to the store and the bus (custos-platform, db::outbox).
CREATE TABLE outbox (
    id         bigserial   PRIMARY KEY,
    fact_id    text        NOT NULL UNIQUE,
    -- The fact exactly as it will be stated, its trace included.
    fact       text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- How often stating it was tried, and not before when it is tried again.
    tries      integer     NOT NULL DEFAULT 0,
    not_before timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- When it was in the store and on the bus; null while it is not.
    stated_at  timestamptz
);
CREATE INDEX outbox_unstated ON outbox (id) WHERE stated_at IS NULL;
