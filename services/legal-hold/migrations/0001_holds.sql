-- Holds, and what of them has reached the store. The custody log has every step as a fact, so an emptied schema can be filled
-- again from there (`custos-legal-hold rebuild`).

CREATE TABLE hold (
    id           text        PRIMARY KEY,
    tenant       text        NOT NULL,
    -- Who asked: a person, or the agency's policy where it has no period or no end.
    origin       text        NOT NULL CHECK (origin IN ('person', 'policy')),
    cite         text        NOT NULL,
    words        text        NOT NULL,
    permanence   text        NOT NULL CHECK (permanence IN ('open', 'permanent')),
    placed_by    text        NOT NULL,
    placed_at    timestamptz NOT NULL,
    confirmed_by text,
    confirmed_at timestamptz,
    confirm_note text,
    proposed_by  text,
    proposed_at  timestamptz,
    propose_note text,
    released_by  text,
    released_at  timestamptz,
    release_note text,
    -- The Idempotency-Key it was asked for with.
    asked_key    text,
    stage        text        NOT NULL GENERATED ALWAYS AS (
                     CASE WHEN released_at IS NOT NULL THEN 'released'
                          WHEN proposed_at IS NOT NULL THEN 'release_proposed'
                          WHEN confirmed_at IS NOT NULL THEN 'confirmed'
                          ELSE 'placed' END) STORED,
    CONSTRAINT asked_once UNIQUE (tenant, placed_by, asked_key),
    -- It takes two people, whatever the service's code says. (A missing name makes a comparison unknown, which passes.)
    CONSTRAINT two_people_confirm CHECK (confirmed_by <> placed_by),
    CONSTRAINT two_people_release CHECK (released_by <> proposed_by),
    CONSTRAINT release_needs_a_proposal CHECK (released_at IS NULL OR proposed_at IS NOT NULL),
    CONSTRAINT confirmed_whole CHECK (num_nulls(confirmed_by, confirmed_at, confirm_note) IN (0, 3)),
    CONSTRAINT proposed_whole CHECK (num_nulls(proposed_by, proposed_at, propose_note) IN (0, 3)),
    CONSTRAINT released_whole CHECK (num_nulls(released_by, released_at, release_note) IN (0, 3))
);

CREATE INDEX hold_newest ON hold (tenant, placed_at DESC, id DESC);

CREATE TABLE item (
    code          text        PRIMARY KEY,
    tenant        text        NOT NULL,
    unit          text        NOT NULL,
    ingested_at   timestamptz NOT NULL,
    -- Raised by whatever may change what the store ought to have; who applied an older one must look again.
    generation    bigint      NOT NULL DEFAULT 1,
    -- What the store was last read back to have; null: nothing was applied yet.
    applied_on    boolean,
    applied_at    timestamptz,
    -- When it was read back a second time, past the settle time; null: not since it was applied.
    settled_at    timestamptz,
    -- The versions it was read back of.
    objects       jsonb       NOT NULL DEFAULT '[]',
    -- Why the last try failed, and how many did in a row.
    problem       text,
    failures      integer     NOT NULL DEFAULT 0,
    -- When to look again; null: there is nothing more to do.
    look_at       timestamptz,
    -- The lease of the one who changes this item's hold in the store, and its fencing number: who finds another one has lost it.
    epoch         bigint      NOT NULL DEFAULT 0,
    lease_until   timestamptz,
    CONSTRAINT applied_whole CHECK (num_nulls(applied_on, applied_at) IN (0, 2))
);

CREATE INDEX item_look_at ON item (look_at) WHERE look_at IS NOT NULL;

CREATE TABLE hold_item (
    hold text NOT NULL REFERENCES hold (id),
    item text NOT NULL REFERENCES item (code),
    PRIMARY KEY (hold, item)
);

CREATE INDEX hold_item_item ON hold_item (item);

-- Whether an item is to be held: as long as one reason stands.
CREATE FUNCTION wanted(asked text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM hold_item JOIN hold ON hold.id = hold_item.hold
                   WHERE hold_item.item = asked AND hold.released_at IS NULL)
$$;

-- A decision is made once: it is neither taken back nor made by somebody else afterwards, and a hold that ended stays ended.
CREATE FUNCTION decided_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.tenant, NEW.origin, NEW.cite, NEW.words, NEW.permanence, NEW.placed_by, NEW.placed_at)
       IS DISTINCT FROM
       (OLD.id, OLD.tenant, OLD.origin, OLD.cite, OLD.words, OLD.permanence, OLD.placed_by, OLD.placed_at)
       OR (OLD.confirmed_at IS NOT NULL
           AND (NEW.confirmed_by, NEW.confirmed_at, NEW.confirm_note)
               IS DISTINCT FROM (OLD.confirmed_by, OLD.confirmed_at, OLD.confirm_note))
       OR (OLD.proposed_at IS NOT NULL
           AND (NEW.proposed_by, NEW.proposed_at, NEW.propose_note, NEW.confirmed_at)
               IS DISTINCT FROM (OLD.proposed_by, OLD.proposed_at, OLD.propose_note, OLD.confirmed_at))
       OR (OLD.released_at IS NOT NULL
           AND (NEW.released_by, NEW.released_at, NEW.release_note)
               IS DISTINCT FROM (OLD.released_by, OLD.released_at, OLD.release_note))
    THEN
        RAISE EXCEPTION 'hold %: what was decided stays as it was', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER decided_once BEFORE UPDATE ON hold FOR EACH ROW EXECUTE FUNCTION decided_once();

CREATE FUNCTION never_forgotten() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'holds and the items they are on are never deleted' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER never_forgotten BEFORE DELETE ON hold FOR EACH ROW EXECUTE FUNCTION never_forgotten();
CREATE TRIGGER never_forgotten BEFORE UPDATE OR DELETE ON hold_item FOR EACH ROW EXECUTE FUNCTION never_forgotten();

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
