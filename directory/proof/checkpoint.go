package proof

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"communicator/wire"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is what the log of a namespace says that it holds. Its text follows C2SP
// tlog-checkpoint, with one extension line:
//
//	ns1…                       the namespace: origin, and name of the log's key
//	1048576                    entries
//	base64 of 32 bytes         RFC 6962 tree head
//	time 1764000000            when the log signed it
//
// Below an empty line stand its signatures (C2SP signed-note): the log's first, then
// those of witnesses in the order of the manifest, at most one each.
type Checkpoint struct {
	NS           NSID
	Size         int64 // entries, at most [MaxTreeSize]
	Root         tlog.Hash
	Time         time.Time     // when the log signed it, by its own clock; whole seconds
	Cosignatures []Cosignature // filled by [OpenCheckpoint]
}

// Cosignature is a witness's: the checkpoint continues every one that it saw before.
type Cosignature struct {
	Witness string
	Time    time.Time // by the witness's clock
}

const timeLine = "time "

// emptyRoot is the head of a tree without entries.
var emptyRoot = tlog.Hash(sha256.Sum256(nil))

func (c Checkpoint) text() string {
	return fmt.Sprintf("%s\n%d\n%s\n%s%d\n", c.NS, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]), timeLine, c.Time.Unix())
}

func (c Checkpoint) validate() error {
	if c.Size < 0 || c.Size > MaxTreeSize || !wholeSeconds(c.Time) || c.Size == 0 && c.Root != emptyRoot {
		return ErrCheckpoint
	}
	return nil
}

// parseCheckpoint reads the text of a checkpoint in its one spelling.
func parseCheckpoint(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 5 {
		return Checkpoint{}, ErrCheckpoint
	}
	ns, err := ParseNSID(lines[0])
	if err != nil {
		return Checkpoint{}, ErrCheckpoint
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return Checkpoint{}, ErrCheckpoint
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != hashSize {
		return Checkpoint{}, ErrCheckpoint
	}
	seconds, err := strconv.ParseInt(strings.TrimPrefix(lines[3], timeLine), 10, 64)
	if err != nil {
		return Checkpoint{}, ErrCheckpoint
	}
	c := Checkpoint{NS: ns, Size: size, Root: tlog.Hash(root), Time: time.Unix(seconds, 0).UTC()}
	if c.validate() != nil || c.text() != text {
		return Checkpoint{}, ErrCheckpoint
	}
	return c, nil
}

// SignCheckpoint makes the note of a checkpoint with the log's signature alone.
// Errors: [ErrCheckpoint].
func SignCheckpoint(c Checkpoint, log ed25519.PrivateKey) ([]byte, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	text := c.text()
	name, key := c.NS.String(), publicOf(log)
	line := signatureLine(name, keyHash(name, algorithmEd25519, key), ed25519.Sign(log, []byte(text)))
	return []byte(text + "\n" + line), nil
}

// OpenCheckpoint reads a checkpoint of the namespace and verifies every line of it: the
// log's signature, which must be there, and each cosignature. A line that m does not
// explain is refused, where golang.org/x/mod/sumdb/note would pass it over; so is any
// other order or spelling. Errors: wire.ErrTooLarge, [ErrCheckpoint], [ErrNamespace],
// [ErrUnverifiable], [ErrSignature], [ErrWitnesses].
func OpenCheckpoint(signed []byte, ns NSID, m Manifest) (Checkpoint, error) {
	c, err := openCheckpoint(signed, ns, m)
	if err == nil && len(c.Cosignatures) < int(m.WitnessThreshold) {
		return Checkpoint{}, ErrWitnesses
	}
	return c, err
}

// openCheckpoint is [OpenCheckpoint] before the witnesses have signed.
func openCheckpoint(signed []byte, ns NSID, m Manifest) (Checkpoint, error) {
	if len(signed) > MaxCheckpoint {
		return Checkpoint{}, wire.ErrTooLarge
	}
	known := m.verifiers(ns)
	opened, err := note.Open(signed, note.VerifierList(known...))
	if err != nil {
		return Checkpoint{}, noteError(err)
	}
	if len(opened.UnverifiedSigs) != 0 {
		return Checkpoint{}, ErrUnverifiable
	}
	c, err := parseCheckpoint(opened.Text)
	if err != nil {
		return Checkpoint{}, err
	}
	if c.NS != ns {
		return Checkpoint{}, ErrNamespace
	}
	return c, c.readSignatures(signed, opened, known)
}

// readSignatures demands the one order of the lines, and that putting the note together
// again gives the same bytes: note.Open drops lines that come twice, and takes base64
// with bits to spare.
func (c *Checkpoint) readSignatures(signed []byte, opened *note.Note, known []note.Verifier) error {
	again := opened.Text + "\n"
	place := -1
	for _, s := range opened.Sigs {
		at := slices.IndexFunc(known, func(v note.Verifier) bool { return v.Name() == s.Name && v.KeyHash() == s.Hash })
		if at <= place || place == -1 && at != 0 {
			return ErrCheckpoint
		}
		place = at
		b, err := base64.StdEncoding.DecodeString(s.Base64)
		if err != nil || len(b) < 4 {
			return ErrCheckpoint
		}
		again += signatureLine(s.Name, s.Hash, b[4:])
		if at > 0 {
			c.Cosignatures = append(c.Cosignatures, Cosignature{Witness: s.Name, Time: cosignatureTime(b[4:])})
		}
	}
	if !bytes.Equal([]byte(again), signed) {
		return ErrCheckpoint
	}
	return nil
}

// Witnessed returns the newest time for which as many witnesses vouch as m asks for: it
// is the time up to which a statement in the log can be said to be logged. Without
// witnesses it is the log's own.
func (c Checkpoint) Witnessed(m Manifest) time.Time {
	n := int(m.WitnessThreshold)
	if n == 0 || len(c.Cosignatures) < n {
		return c.Time
	}
	times := make([]time.Time, 0, len(c.Cosignatures))
	for _, s := range c.Cosignatures {
		times = append(times, s.Time)
	}
	slices.SortFunc(times, func(a, b time.Time) int { return b.Compare(a) })
	return times[n-1]
}

// verifiers returns who may sign a checkpoint, in the order of the lines.
func (m Manifest) verifiers(ns NSID) []note.Verifier {
	name := ns.String()
	known := []note.Verifier{&verifier{name: name, hash: keyHash(name, algorithmEd25519, m.Log), key: m.Log}}
	for _, w := range m.Witnesses {
		known = append(known, w.verifier())
	}
	return known
}
