-- The register of stations: which there are, who may have a certificate, and which certificates were issued and revoked. Every
-- step is a fact in the custody log as well, and what ingest needs is in the signed register in the store.

CREATE TABLE station (
    tenant        text        NOT NULL,
    id            text        NOT NULL,
    unit          text        NOT NULL,
    -- Whether it may deposit without a signed declaration.
    plain         boolean     NOT NULL,
    -- A person, or 'register': taken over from the register in the store, which knew it before this database did.
    registered_by text        NOT NULL,
    registered_at timestamptz NOT NULL,
    -- Shut out, until it enrols again with a code issued afterwards.
    revoked_by    text,
    revoked_at    timestamptz,
    revoked_why   text,
    -- Certificates that begin earlier are refused, whoever signed them: when it was shut out last. Never taken back.
    refused_before timestamptz,
    -- When it last had a certificate issued.
    seen_at       timestamptz,
    PRIMARY KEY (tenant, id),
    CONSTRAINT revoked_whole CHECK (num_nulls(revoked_by, revoked_at, revoked_why) IN (0, 3))
);

-- One-time codes. Only their hashes are here: whoever reads this table can enrol nothing.
CREATE TABLE code (
    id         text        PRIMARY KEY,
    tenant     text        NOT NULL,
    station    text        NOT NULL,
    hash       bytea       NOT NULL UNIQUE,
    issued_by  text        NOT NULL,
    issued_at  timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    -- Void: its station was revoked, or another code was issued after it.
    void_at    timestamptz,
    -- Set once and together: the certificate it was used for. Its key is what tells a repeated request from another one's.
    used_at    timestamptz,
    serial     text,
    FOREIGN KEY (tenant, station) REFERENCES station (tenant, id),
    CONSTRAINT used_whole CHECK (num_nulls(used_at, serial) IN (0, 2))
);
CREATE INDEX code_of_station ON code (tenant, station, issued_at DESC);

-- Every certificate ever issued here.
CREATE TABLE certificate (
    serial     text        PRIMARY KEY,
    -- In which order they were issued.
    number     bigserial   NOT NULL,
    tenant     text        NOT NULL,
    station    text        NOT NULL,
    -- The station's Ed25519 key.
    key        bytea       NOT NULL,
    -- The serial number of the one it replaces; null: it was issued for a code.
    replaces   text,
    not_before timestamptz NOT NULL,
    not_after  timestamptz NOT NULL,
    -- The certificate itself; empty where only facts are left of it.
    pem        text        NOT NULL,
    revoked_at timestamptz,
    FOREIGN KEY (tenant, station) REFERENCES station (tenant, id)
);
-- A renewal whose answer was lost is asked for again with the same key, and is the same renewal.
CREATE UNIQUE INDEX renewed_once ON certificate (replaces, key) WHERE pem <> '';
CREATE INDEX certificate_of_station ON certificate (tenant, station, not_after DESC);
CREATE INDEX certificate_revoked ON certificate (not_after) WHERE revoked_at IS NOT NULL;

-- A code is used once, and a certificate that is revoked stays revoked.
CREATE FUNCTION used_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.used_at IS NOT NULL AND (NEW.used_at, NEW.serial) IS DISTINCT FROM (OLD.used_at, OLD.serial) THEN
        RAISE EXCEPTION 'code %: it was used', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER used_once BEFORE UPDATE ON code FOR EACH ROW EXECUTE FUNCTION used_once();

CREATE FUNCTION revoked_for_good() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at THEN
        RAISE EXCEPTION 'certificate %: it is revoked', OLD.serial USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER revoked_for_good BEFORE UPDATE ON certificate FOR EACH ROW EXECUTE FUNCTION revoked_for_good();

CREATE FUNCTION never_forgotten() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'stations, codes and certificates are never deleted' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER never_forgotten BEFORE DELETE ON station FOR EACH ROW EXECUTE FUNCTION never_forgotten();
CREATE TRIGGER never_forgotten BEFORE DELETE ON code FOR EACH ROW EXECUTE FUNCTION never_forgotten();
CREATE TRIGGER never_forgotten BEFORE DELETE ON certificate FOR EACH ROW EXECUTE FUNCTION never_forgotten();

-- The highest sequence any register was signed with; one that did not reach the store is not used again.
CREATE TABLE published (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    sequence bigint  NOT NULL DEFAULT 0
);
INSERT INTO published DEFAULT VALUES;

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
