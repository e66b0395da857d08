// Package keyring holds a receiving agent's secrets that change with time: what
// addresses are minted from, what sealed addresses are opened with, and what
// recognises a put that was stored before. They lie in files of their own, outside
// the event log and outside every backup, so that deleting a file ends what its
// secret could do.
//
//	secret            one for each       made ahead     deleted
//	epoch: S_e, seal  week               one week       90 days after the week
//	lifeline          365-day year       one year       two years after the year
//	replay: D         week of notAfter   four weeks     a day after the week
//	account: A        agent              -              never
//
// A clock that is wrong must not cost secrets: [Open] makes what is missing and
// deletes nothing; only [Ring.Rotate] deletes, and its caller vouches for the time.
//
// # Files
//
// keys/epoch-2930.key, keys/lifeline-56.key, keys/replay-2932.key, keys/account-0.key,
// each of mode 0600:
//
//	"comm/1/key-file" ‖ u8 kind ‖ u32 number ‖ u8 length ‖ secret ‖ check 32
//
// where check = H(all before), so that a damaged secret is named instead of quietly
// invalidating every address of a week. The secret of an epoch is S_e ‖ the seed of
// its X-Wing key, 32 bytes each; of the others, 32 bytes. A file is written beside
// its name, synced, renamed, and the directory synced. Deleting overwrites, syncs,
// removes and syncs the directory; a copy-on-write or flash medium may keep the old
// bytes all the same, which full-disk encryption answers.
package keyring
