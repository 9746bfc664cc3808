-- Decisions come before audits: where a policy holds every item of an agency, a hold that a person placed must not wait behind all
-- the others that are only read again.

-- Whether the next look is nothing but a routine one.
ALTER TABLE item ADD COLUMN routine boolean NOT NULL DEFAULT false;

DROP INDEX item_look_at;
CREATE INDEX item_look_at ON item (routine, look_at) WHERE look_at IS NOT NULL;
