package proof

import (
	"fmt"
	"time"
)

// Verified is what a staple shows. There is no field for "current": an attestation that
// is logged may have been revoked since, and only [Apply] over the name's history, with
// the vetoes and revocations at [RevocationID], says more.
type Verified struct {
	Statement  Statement
	Change     Change
	IdDoc      IdDoc // zeros where the statement has no identity
	Checkpoint Checkpoint
	Index      int64 // of the log entry
	// LoggedAt is T in "logged, not checked for revocation since T": the newest time at
	// which enough witnesses, or without witnesses the log, vouch for the log's state.
	LoggedAt time.Time
	// Settles is until when the change could be undone or vetoed, going by its own
	// times; zero for a first bind and for the roots' word.
	Settles time.Time
	Checks  []Check
}

// Check is one thing that was checked, in words for one line with a check mark.
type Check struct{ What string }

// VerifyStaple checks a staple against the namespace's manifests, without asking anyone.
// The checks are, in this order: the manifest that the staple cites is in the chain; the
// statement is well formed, of a kind that is logged, of this namespace and of the name
// that was asked for; the identity document is the one that the statement is about; those
// who sign such a statement have signed it and may, under the newest manifest; every line
// of the checkpoint, and enough witnesses; no time lies in the future; the log entry is in
// the tree. Secret is the name's, from dht/record: it binds the leaf's tag alone, while the
// statement behind the leaf may be about any name, so the name is compared by itself.
//
// With [ErrHold] the result is filled in: all of that is so, but the statement is not in
// force yet. Other errors: those of [ParseStatement], [Statement.Document], [Statement.Verify],
// [OpenCheckpoint]; [ErrManifest], [ErrNamespace], [ErrName], [ErrKind], [ErrIdentity], [ErrTime],
// [ErrInclusion].
func VerifyStaple(st Staple, c Chain, name Name, secret NameSecret, now time.Time) (Verified, error) {
	cited, err := c.Manifest(st.Manifest)
	if err != nil || cited.Hash() != st.ManifestID {
		return Verified{}, ErrManifest
	}
	m := c.Current()
	v := Verified{Index: st.Index}
	if err := v.statement(st, c, name, m); err != nil {
		return Verified{}, err
	}
	if v.Checkpoint, err = OpenCheckpoint(st.Checkpoint, c.NSID(), m); err != nil {
		return Verified{}, err
	}
	if err := v.times(m, now); err != nil {
		return Verified{}, err
	}
	leaf := Leaf(secret, v.Statement.Version, Commit(st.Opening, st.Statement))
	if err := VerifyInclusion(v.Checkpoint, st.Index, leaf, st.Inclusion); err != nil {
		return Verified{}, err
	}
	v.Checks = v.checks(m)
	if v.Statement.held() && now.Before(v.Settles) {
		return v, ErrHold
	}
	return v, nil
}

func (v *Verified) statement(st Staple, c Chain, name Name, m Manifest) (err error) {
	if v.Statement, err = ParseStatement(st.Statement); err != nil {
		return err
	}
	if v.Change, err = v.Statement.Change(); err != nil {
		return err
	}
	if v.Change == Vetoing || v.Change == Revoking {
		return ErrKind
	}
	if v.Statement.NS != c.NSID() {
		return ErrNamespace
	}
	if v.Statement.Name != name {
		return ErrName
	}
	if v.Statement.Identity == (Hash{}) {
		if len(st.IdDoc) != 0 {
			return ErrIdentity
		}
	} else {
		if v.IdDoc, err = v.Statement.Document(st.IdDoc); err != nil {
			return err
		}
	}
	return v.Statement.Verify(m)
}

// times refuses what claims to be of the future, and finds T and the end of the hold.
func (v *Verified) times(m Manifest, now time.Time) error {
	latest := now.Add(MaxSkew)
	if v.Statement.Issued.After(latest) || v.Checkpoint.Time.After(latest) {
		return ErrTime
	}
	for _, cosigned := range v.Checkpoint.Cosignatures {
		if cosigned.Time.After(latest) {
			return ErrTime
		}
	}
	v.LoggedAt = v.Checkpoint.Witnessed(m)
	v.Settles = v.Statement.Settles(m.Hold)
	return nil
}

// Settles is until when the change can be undone or vetoed, going by the statement's own
// times and a manifest's hold; zero for a first bind and for the roots' word.
func (s Statement) Settles(hold time.Duration) time.Time {
	change, _ := s.Change() // of an unknown one nothing is known
	switch change {
	case Rotation, Release:
		return s.Issued.Add(hold)
	case HeldReset, HeldRelease, Delegating:
		if s.held() {
			return later(s.NotBefore, s.Issued.Add(hold))
		}
	}
	return time.Time{}
}

// held is whether the statement waits before it is in force.
func (s Statement) held() bool { return s.NotBefore.After(s.Issued) }

func (v *Verified) checks(m Manifest) []Check {
	s := v.Statement
	checks := []Check{
		{fmt.Sprintf("namespace %s, manifest %d, signed by at least %d of %d root keys", s.NS, m.Number, m.Threshold, len(m.Roots))},
		{fmt.Sprintf("version %d of the name, a %s, signed by all %d keys that it needs", s.Version, v.Change, len(s.Keys()))},
	}
	if v.IdDoc != (IdDoc{}) {
		checks = append(checks, Check{"the identity document is the one that was attested, and its owner agreed"})
	}
	checks = append(checks,
		Check{fmt.Sprintf("entry %d of %d in the namespace's log", v.Index, v.Checkpoint.Size)},
		Check{fmt.Sprintf("checkpoint signed by the log and by %d witnesses of %d, %d needed",
			len(v.Checkpoint.Cosignatures), len(m.Witnesses), m.WitnessThreshold)})
	return checks
}
