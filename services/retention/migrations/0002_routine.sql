-- What was changed a moment ago is read again before what has been in order for long.

-- Whether the next look is nothing but a routine one.
ALTER TABLE item ADD COLUMN routine boolean NOT NULL DEFAULT false;

DROP INDEX item_look_at;
CREATE INDEX item_look_at ON item (routine, look_at);
