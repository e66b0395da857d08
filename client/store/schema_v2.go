package store

// schemaV2 adds how a contact came about, introductions and claims.
const schemaV2 = `
ALTER TABLE contacts ADD COLUMN origin INTEGER NOT NULL DEFAULT 0;
ALTER TABLE contacts ADD COLUMN via TEXT NOT NULL DEFAULT '';

CREATE TABLE introductions (
	seq        INTEGER PRIMARY KEY AUTOINCREMENT,
	id         BLOB NOT NULL CHECK (length(id) = 16),  -- drawn by who introduces
	role       INTEGER NOT NULL,
	contact    BLOB REFERENCES contacts ON DELETE SET NULL,
	via        TEXT NOT NULL,              -- that contact's name of then
	name       TEXT NOT NULL,              -- of the other one
	note       TEXT NOT NULL,
	state      INTEGER NOT NULL,
	due        INTEGER NOT NULL,           -- the step that we owe the contact, or 0
	session    BLOB NOT NULL,              -- in which it was said last, or empty
	invitation BLOB,                       -- our own package's; may have gone
	package    BLOB NOT NULL,              -- of theirs, or empty
	result     BLOB REFERENCES contacts ON DELETE SET NULL,
	created    INTEGER NOT NULL,
	expiry     INTEGER NOT NULL,
	UNIQUE (contact, id)
) STRICT;
CREATE INDEX introductions_invitation ON introductions (invitation);

CREATE TABLE claims (
	contact   BLOB NOT NULL REFERENCES contacts ON DELETE CASCADE,
	ours      INTEGER NOT NULL,
	statement BLOB NOT NULL CHECK (length(statement) = 32),
	session   BLOB NOT NULL,               -- in which it was made last, or empty
	value     BLOB NOT NULL,               -- ours: the attested private key; theirs: the MAC
	state     INTEGER NOT NULL,
	name      TEXT NOT NULL,               -- that the statement attests, if known
	at        INTEGER NOT NULL,
	PRIMARY KEY (contact, ours, statement)
) STRICT, WITHOUT ROWID;
`
