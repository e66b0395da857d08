package store

import (
	"context"
	"fmt"
)

const (
	// applicationID marks the database in its header ("CoSt").
	applicationID = 0x436f5374
	// Format is the version of the schema that this package reads and writes.
	Format = 2
)

// migrations[i] leads from format i to format i+1, inside one transaction.
var migrations = [Format]string{schemaV1, schemaV2}

// migrate brings the database to Format. It refuses a newer one. On an empty
// database it makes everything.
func migrate(c *conn) error {
	ctx := context.Background()
	have, err := c.format()
	if err != nil || have == Format {
		return err
	}
	if _, err := c.db.BeginImmediate(); err != nil {
		return mapError(ctx, err)
	}
	defer func() {
		if !c.db.GetAutocommit() {
			_ = c.db.Exec("ROLLBACK")
		}
	}()
	// Another process may have been faster.
	if have, err = c.format(); err != nil || have == Format {
		return err
	}
	for ; have < Format; have++ {
		if err := c.db.Exec(migrations[have]); err != nil {
			return mapError(ctx, err)
		}
	}
	err = c.db.Exec(fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", applicationID, Format))
	return mapError(ctx, err)
}

// format returns the database's schema version, 0 when it is empty.
func (c *conn) format() (int64, error) {
	app, err := c.pragmaInt("application_id")
	if err != nil {
		return 0, mapError(context.Background(), err)
	}
	v, err := c.pragmaInt("user_version")
	if err != nil {
		return 0, mapError(context.Background(), err)
	}
	switch {
	case v > Format:
		return 0, ErrNewerFormat
	case v < 0, v > 0 && app != applicationID:
		return 0, ErrNotProfile
	}
	return v, nil
}

const schemaV1 = `
CREATE TABLE profile (
	one      INTEGER PRIMARY KEY CHECK (one = 1),
	created  INTEGER NOT NULL,
	imported INTEGER NOT NULL DEFAULT 0   -- when, or 0
) STRICT;

CREATE TABLE settings (
	key   TEXT PRIMARY KEY,
	value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE agents (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	uri        TEXT NOT NULL UNIQUE,       -- without the token
	token      BLOB NOT NULL,
	roles      INTEGER NOT NULL,
	credential BLOB NOT NULL,
	descriptor BLOB NOT NULL,
	sequence   INTEGER NOT NULL,           -- of the descriptor
	state      INTEGER NOT NULL,
	added      INTEGER NOT NULL
) STRICT;

CREATE TABLE contacts (
	id       BLOB PRIMARY KEY CHECK (length(id) = 16),
	name     TEXT NOT NULL,
	folded   TEXT NOT NULL UNIQUE,         -- name, case-folded
	state    INTEGER NOT NULL,
	particle BLOB NOT NULL,
	trust    INTEGER NOT NULL,
	evidence BLOB NOT NULL,
	degraded INTEGER NOT NULL,
	created  INTEGER NOT NULL
) STRICT;

CREATE TABLE invitations (
	id      BLOB PRIMARY KEY CHECK (length(id) = 16),
	secret  BLOB NOT NULL,
	blob_id BLOB NOT NULL UNIQUE,
	host    TEXT NOT NULL,
	private BLOB NOT NULL,                 -- the key package's private parts
	name    TEXT NOT NULL,                 -- for the contact to be
	state   INTEGER NOT NULL,
	created INTEGER NOT NULL,
	expiry  INTEGER NOT NULL
) STRICT;

CREATE TABLE mailboxes (
	id          BLOB PRIMARY KEY CHECK (length(id) = 16),
	agent       INTEGER NOT NULL REFERENCES agents ON DELETE RESTRICT,
	contact     BLOB REFERENCES contacts ON DELETE RESTRICT,
	invitation  BLOB REFERENCES invitations ON DELETE RESTRICT,
	seed        BLOB NOT NULL CHECK (length(seed) = 32),
	generation  INTEGER NOT NULL,
	address     BLOB NOT NULL,
	state       INTEGER NOT NULL,
	cursor      INTEGER NOT NULL,          -- last acknowledged sequence number
	puts        INTEGER NOT NULL,
	created     INTEGER NOT NULL,
	expiry      INTEGER NOT NULL,
	grace_until INTEGER NOT NULL,
	CHECK (contact IS NULL OR invitation IS NULL)
) STRICT;
CREATE INDEX mailboxes_contact ON mailboxes (contact);
CREATE INDEX mailboxes_invitation ON mailboxes (invitation);
CREATE INDEX mailboxes_agent ON mailboxes (agent, state);

CREATE TABLE outbox (
	id         BLOB PRIMARY KEY CHECK (length(id) = 16),
	contact    BLOB NOT NULL REFERENCES contacts ON DELETE CASCADE,
	ciphertext BLOB NOT NULL,              -- exact bytes, never made twice
	state      INTEGER NOT NULL,
	created    INTEGER NOT NULL,
	not_after  INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_contact ON outbox (contact, created);
CREATE INDEX outbox_state ON outbox (state, not_after);

CREATE TABLE attempts (
	id        INTEGER PRIMARY KEY AUTOINCREMENT,
	message   BLOB NOT NULL REFERENCES outbox ON DELETE CASCADE,
	agent     INTEGER NOT NULL REFERENCES agents ON DELETE RESTRICT,
	receiver  BLOB NOT NULL,               -- the peer's receiving agent
	counter   INTEGER NOT NULL,            -- i of the put
	payload   BLOB NOT NULL,
	sealed    BLOB NOT NULL,
	secret    BLOB NOT NULL,               -- opens the outcome
	handle    BLOB NOT NULL UNIQUE,
	state     INTEGER NOT NULL,
	receipt   BLOB NOT NULL,
	outcome   BLOB NOT NULL,
	tries     INTEGER NOT NULL,
	next_try  INTEGER NOT NULL,
	created   INTEGER NOT NULL
) STRICT;
CREATE INDEX attempts_message ON attempts (message);
CREATE INDEX attempts_agent ON attempts (agent);
CREATE INDEX attempts_due ON attempts (next_try) WHERE state < 2;

CREATE TABLE messages (
	seq      INTEGER PRIMARY KEY AUTOINCREMENT,
	contact  BLOB NOT NULL REFERENCES contacts ON DELETE CASCADE,
	incoming INTEGER NOT NULL,
	id       BLOB NOT NULL CHECK (length(id) = 16),
	sent     INTEGER NOT NULL,             -- by the sender's clock
	received INTEGER NOT NULL,             -- by ours
	text     TEXT NOT NULL,
	state    INTEGER NOT NULL,
	receipt  BLOB NOT NULL,
	UNIQUE (contact, incoming, id)
) STRICT;
CREATE INDEX messages_contact ON messages (contact, seq);

CREATE TABLE descriptors (
	agent    BLOB PRIMARY KEY CHECK (length(agent) = 32),
	bytes    BLOB NOT NULL,
	sequence INTEGER NOT NULL,
	fetched  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE delivered (
	hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
	at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX delivered_at ON delivered (at);

CREATE TABLE quarantine (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	contact    BLOB REFERENCES contacts ON DELETE CASCADE,
	mailbox    BLOB NOT NULL,
	hash       BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
	ciphertext BLOB NOT NULL,
	reason     TEXT NOT NULL,
	at         INTEGER NOT NULL
) STRICT;
CREATE INDEX quarantine_contact ON quarantine (contact);

CREATE TABLE counters (
	scope BLOB PRIMARY KEY,
	value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`
