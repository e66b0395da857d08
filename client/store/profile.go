package store

import "time"

// Profile is what the profile says about itself.
type Profile struct {
	Created time.Time
	// Imported is when it came out of an export, zero if it never did. An
	// imported profile must not send with the states that it brought along:
	// the original may have gone on with them.
	Imported time.Time
}

// Profile returns the profile's own row.
func (tx *Tx) Profile() (Profile, error) {
	return one(tx, func(r *row) Profile {
		return Profile{Created: r.time(), Imported: r.time()}
	}, `SELECT created, imported FROM profile`)
}

// SetSetting stores a value under a key, replacing what was there.
func (tx *Tx) SetSetting(key string, value []byte) error {
	_, err := tx.exec(`INSERT INTO settings (key, value) VALUES (?1, ?2)
		ON CONFLICT (key) DO UPDATE SET value = excluded.value`, key, value)
	return err
}

// Setting returns a setting's value, or [ErrNotFound].
func (tx *Tx) Setting(key string) ([]byte, error) {
	return one(tx, (*row).blob, `SELECT value FROM settings WHERE key = ?1`, key)
}

// SettingKeys returns the keys that begin with a prefix, in order.
func (tx *Tx) SettingKeys(prefix string) ([]string, error) {
	return list(tx, (*row).text, `SELECT key FROM settings WHERE substr(key, 1, length(?1)) = ?1 ORDER BY key`, prefix)
}

// DeleteSetting removes a setting, or returns [ErrNotFound].
func (tx *Tx) DeleteSetting(key string) error {
	return tx.change(`DELETE FROM settings WHERE key = ?1`, key)
}

// NextCounter adds one to the counter of a scope and returns it: 1 at first.
// The number is spent when the Update commits. One scope for each address gives
// the i of its puts.
func (tx *Tx) NextCounter(scope []byte) (uint64, error) {
	if _, err := tx.exec(`INSERT INTO counters (scope, value) VALUES (?1, 1)
		ON CONFLICT (scope) DO UPDATE SET value = value + 1`, scope); err != nil {
		return 0, err
	}
	return one(tx, (*row).uint, `SELECT value FROM counters WHERE scope = ?1`, scope)
}

// DeleteCounter forgets a scope whose address is dead.
func (tx *Tx) DeleteCounter(scope []byte) error {
	return tx.change(`DELETE FROM counters WHERE scope = ?1`, scope)
}
