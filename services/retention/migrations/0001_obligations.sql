-- What retention decided, and what it then read back from the store. The custody log has the same (LockExtended), so an emptied
-- schema fills again from there; nothing here is the only record of a decision.

CREATE TABLE item (
    code          text        PRIMARY KEY,
    tenant        text        NOT NULL,
    unit          text        NOT NULL,
    ingested_at   timestamptz NOT NULL,
    -- Object key of the manifest: how a walk over the store finds out what is not known here.
    manifest_key  text        NOT NULL UNIQUE,
    -- The lock every version was read back to have, at least.
    locked_until  timestamptz NOT NULL,
    -- From when on a deletion may be proposed; null: not while these obligations stand.
    eligible_from timestamptz,
    -- The versions that were read back.
    objects       jsonb       NOT NULL,
    changed_at    timestamptz NOT NULL,
    -- When everything was last read again and found in order, past the settle time; null: not since the last change.
    confirmed_at  timestamptz,
    -- When to look again. Whoever looks moves it ahead first, so that no two look at once.
    look_at       timestamptz NOT NULL,
    CONSTRAINT eligible_only_after_the_lock CHECK (eligible_from IS NULL OR eligible_from <= locked_until)
);

CREATE INDEX item_look_at ON item (look_at);
CREATE INDEX item_eligible ON item (tenant, eligible_from, code) WHERE eligible_from IS NOT NULL;

CREATE TABLE obligation (
    item           text        NOT NULL REFERENCES item (code),
    kind           text        NOT NULL CHECK (kind IN ('dated', 'open', 'unset', 'permanent')),
    cite           text        NOT NULL,
    policy_version integer     NOT NULL CHECK (policy_version > 0),
    -- The lock it asks for.
    until          timestamptz NOT NULL,
    body           jsonb       NOT NULL,
    stated_at      timestamptz NOT NULL,
    PRIMARY KEY (item, kind, cite)
);

-- The ratchet, in the database as well as in code and in the store: a lock's date never moves earlier (INV-3), and what was
-- decided on an item is neither changed nor forgotten.
CREATE FUNCTION only_longer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.locked_until < OLD.locked_until THEN
        RAISE EXCEPTION 'the lock of % may not move from % to %', OLD.code, OLD.locked_until, NEW.locked_until
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER only_longer BEFORE UPDATE ON item FOR EACH ROW EXECUTE FUNCTION only_longer();

CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'obligations are only added' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON obligation FOR EACH ROW EXECUTE FUNCTION append_only();

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
