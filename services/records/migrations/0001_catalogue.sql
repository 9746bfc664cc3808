-- The catalogue: a projection of the custody log in the store. Nothing here is the truth: drop the schema, run
-- `custos-records rebuild`, and the same rows are back.
--
-- Portable on purpose (PostgreSQL, YugabyteDB, Citus): no extensions, triggers, sequences, LISTEN or advisory locks, and the
-- agency's id in every index of a search.
--
-- COLLATE "C": keys, codes and unit paths compare by the byte, as in the service, whatever the locale of the database. Dates
-- are cut to the microsecond here; the exact ones are in the documents.

-- Whatever rows are computed for. Its row is locked while they are, so that two replicas never compute from half the facts each.
CREATE TABLE subject (
    name text COLLATE "C" PRIMARY KEY
);

-- Every fact, by the key of its object.
CREATE TABLE fact (
    key      text COLLATE "C" PRIMARY KEY,
    bucket   text NOT NULL,
    version  text NOT NULL,
    id       text COLLATE "C" NOT NULL,
    tenant   text COLLATE "C" NOT NULL,
    subject  text COLLATE "C" NOT NULL,
    act      text NOT NULL,
    at       timestamptz NOT NULL,
    body     jsonb NOT NULL,
    -- What the locked document says that the fact points to, as far as the catalogue needs it.
    evidence jsonb
);
CREATE INDEX fact_of_subject ON fact (subject, at, key);

-- One row for each item. The columns are what is searched, the record is what is shown.
CREATE TABLE item (
    code           text COLLATE "C" PRIMARY KEY,
    tenant         text COLLATE "C" NOT NULL,
    unit           text COLLATE "C" NOT NULL,
    station        text COLLATE "C" NOT NULL,
    device         text COLLATE "C" NOT NULL,
    officer        text COLLATE "C",
    kind           text NOT NULL,
    class          text NOT NULL,
    state          text NOT NULL,
    playback       text NOT NULL,
    held           boolean NOT NULL,
    key_file       boolean NOT NULL,
    unknown_name   boolean NOT NULL,
    open_incidents bigint NOT NULL,
    ingested_at    timestamptz NOT NULL,
    started_at     timestamptz,
    locked_until   timestamptz NOT NULL,
    manifest       text COLLATE "C" NOT NULL,
    record         jsonb NOT NULL
);
-- For those who see all agencies; everybody else goes through `listed`, or through one of the rarer properties.
CREATE INDEX item_by_time ON item (ingested_at, code);
CREATE INDEX item_by_start ON item (started_at, code) WHERE started_at IS NOT NULL;
CREATE INDEX item_by_device ON item (tenant, device, ingested_at, code);
CREATE INDEX item_by_officer ON item (tenant, officer, ingested_at, code) WHERE officer IS NOT NULL;
CREATE INDEX item_by_class ON item (tenant, class, ingested_at, code) WHERE class <> 'dated';
CREATE INDEX item_held ON item (tenant, ingested_at, code) WHERE held;
CREATE INDEX item_not_sealed ON item (tenant, state, ingested_at, code) WHERE state <> 'sealed';
CREATE INDEX item_with_incident ON item (tenant, ingested_at, code) WHERE open_incidents > 0;
CREATE INDEX item_by_manifest ON item (manifest);

-- The unit tree, flattened: a row for each list something is in and each unit it is at or below, and one under `*` for the whole
-- agency. Any unit's newest page is so one short range of this index, however large the rest of the catalogue is.
CREATE TABLE listed (
    list   text NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    unit   text COLLATE "C" NOT NULL,
    at     timestamptz NOT NULL,
    name   text COLLATE "C" NOT NULL,
    PRIMARY KEY (list, tenant, unit, at, name)
);

-- 採集: one row for each docking.
CREATE TABLE docking (
    subject text COLLATE "C" PRIMARY KEY,
    docking text COLLATE "C" NOT NULL,
    tenant  text COLLATE "C" NOT NULL,
    unit    text COLLATE "C",
    station text COLLATE "C" NOT NULL,
    device  text COLLATE "C" NOT NULL,
    at      timestamptz NOT NULL,
    missing bigint,
    record  jsonb NOT NULL
);
CREATE INDEX docking_by_time ON docking (at, subject);
CREATE INDEX docking_by_device ON docking (tenant, device, at, subject);
CREATE INDEX docking_by_station ON docking (station, docking);

-- What is or was wrong, by the fact that opened it.
CREATE TABLE incident (
    id      text COLLATE "C" PRIMARY KEY,
    subject text COLLATE "C" NOT NULL,
    tenant  text COLLATE "C" NOT NULL,
    unit    text COLLATE "C",
    class   text NOT NULL,
    open    boolean NOT NULL,
    at      timestamptz NOT NULL,
    record  jsonb NOT NULL
);
CREATE INDEX incident_by_time ON incident (at, id);
CREATE INDEX incident_open ON incident (tenant, at, id) WHERE open;
CREATE INDEX incident_of_subject ON incident (subject);

-- Steps that have not been heard of yet. `item`, `step`, `fact` and `since` are computed from facts; `tries` and `next_at` are
-- the reconciler's own memory and no part of the catalogue.
CREATE TABLE pending (
    item    text COLLATE "C" NOT NULL,
    step    text NOT NULL,
    fact    text COLLATE "C" NOT NULL,
    since   timestamptz NOT NULL,
    tries   bigint NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL,
    PRIMARY KEY (item, step, fact)
);
CREATE INDEX pending_due ON pending (next_at);
