// Package store keeps a person's profile: everything that a client must still
// know after a crash, in one SQLite file, encrypted at rest with a passphrase.
//
// # Role in a message's journey
//
// It stands at both ends. Before a ciphertext leaves, one [Store.Update] has
// saved the new particle state and the exact ciphertext in the outbox; after a
// ciphertext came in, one Update has saved the new state, the text and the
// delivery id, and only then is it acknowledged. The package knows nothing of
// what it stores: particle states, addresses, wrapped payloads and receipts are
// opaque bytes that other packages define.
//
// # Promises
//
// An Update is one BEGIN IMMEDIATE … COMMIT. When it returns nil, all of it is
// on the disk (WAL with synchronous=FULL: one fdatasync for each Update); when
// it returns an error, nothing of it is visible. Several processes may have the
// same profile open: writers take turns, readers never wait. Every one of them
// finds out about the others' commits through [Store.Changed].
//
// After a commit that failed with an I/O error nobody knows what the disk
// holds. The store then refuses every further Update with [ErrStopped]; the
// process has to open the profile again, which reads what is really there.
//
// # The file
//
//	offset
//	0        ┌──────────────────────────────────┐
//	         │ key slot 0, 144 B, then zeros    │  header.go
//	4096     ├──────────────────────────────────┤
//	         │ key slot 1 (all zeros: unused)   │
//	8192     ├──────────────────────────────────┤
//	         │ SQLite database, in 4 KiB blocks │  vfs.go
//	         │ encrypted with Adiantum          │
//	         └──────────────────────────────────┘
//	<file>-wal   write-ahead log, encrypted in the same way; its blocks are
//	             guarded by locks, see wal_linux.go
//	<file>-shm   index of the log: page numbers and checksums, no content
//
// A key slot holds a random file key, sealed with XChaCha20-Poly1305 under
// Argon2id(passphrase). So changing the passphrase rewrites 4 KiB, other
// processes keep running, and equal passphrases give unrelated files. Two slots
// make the change safe against a torn write: the new slot is written and synced
// before the old one is wiped. Whoever copied the old slot and knows the old
// passphrase still has the file key; only [Store.Export] followed by [Import]
// makes a new one.
//
// A profile is made as <file>.new-<random> and gets its name when it is
// complete; what a crash leaves under such a name may be removed. The package
// builds on Linux only, for its open-file-description locks.
//
// Adiantum hides content, not that a block changed, and does not authenticate:
// somebody who can write to the file can roll blocks back or scramble them.
// Exports are authenticated.
//
// # Erasing
//
// secure_delete overwrites what is deleted. Former versions of a page stay in
// the write-ahead log until a checkpoint: after at most 256 pages,
// at [Store.Scrub], and when the last process closes the profile. File systems
// and flash below may keep older blocks; they hold ciphertext only.
//
// # Schema
//
//	profile ── one row: created, imported     settings  key → value
//
//	agents ◀────────────┬───────────────┐
//	  id, uri, token,   │               │
//	  roles, descriptor │               │
//	                    │               │
//	contacts ◀──┬── mailboxes ──▶ invitations     descriptors   peer agents' cache
//	  id, name, │     key, seed,     secret,      delivered     H(ciphertext), 45 days
//	  particle, │     address,       blob id,     quarantine    what would not decrypt
//	  state     │     cursor, state  package      counters      scope → last value
//	            │
//	            ├── outbox ◀── attempts
//	            │     id,         payload, sealed, secret, handle,
//	            │     ciphertext, i, receipt, outcome, next try
//	            ├── messages
//	            │     history: seq, direction, id, text, state
//	            ├── claims            of attested identities, ours and theirs
//	            └── introductions     seq, id, contact, state, what is owed, package
//
// Deleting a contact deletes its outbox, attempts and history with it, but is
// refused while a mailbox of it remains: a mailbox has to be closed at its agent
// first. Times are stored in milliseconds since 1970 (0: none). The schema's
// version is SQLite's user_version; a newer one is refused ([ErrNewerFormat]).
package store
