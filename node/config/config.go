// Package config is a node's configuration: one struct, strict TOML, documented
// defaults.
//
// A node reads DIR/config.toml once, when it starts. [Write] makes the commented
// file that `communicator node init` leaves there; it lists every key, so that the
// file is its own reference. Unknown keys are refused with their line: a limit with
// a typing error in its name would otherwise silently not hold. Whatever the file
// leaves out keeps the value of [Default].
package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/pelletier/go-toml/v2"

	"communicator/dht"
	"communicator/dht/record"
)

// FileName is the name of the configuration in a node's directory.
const FileName = "config.toml"

// Config is what an operator decides.
type Config struct {
	// Listen holds the multiaddrs to listen at, TCP only.
	Listen []string `toml:"listen"`
	// Announce holds the multiaddrs that others reach the node at, if those are
	// not the ones it listens at. The first is what `ready` prints.
	Announce []string `toml:"announce"`
	// Roles are some of "sending", "receiving" and "directory".
	Roles []string `toml:"roles"`
	// AllowPrivate allows dialling and announcing private and loopback addresses,
	// and exempts loopback from the limit of connections per address: for tests
	// and private networks.
	AllowPrivate bool `toml:"allow_private"`

	Access  Access  `toml:"access"`
	Limits  Limits  `toml:"limits"`
	Storage Storage `toml:"storage"`
	DHT     DHT     `toml:"dht"`
	Log     Log     `toml:"log"`
	Admin   Admin   `toml:"admin"`
}

// Access says who may submit and create mailboxes.
type Access struct {
	Policy   Policy   `toml:"policy"`
	WorkBits int      `toml:"work_bits"` // leading zero bits that policy "open" asks for
	Peers    []string `toml:"peers"`     // peer ids that policy "peers" serves
}

// Policy is a way to give permission.
type Policy string

// Policies.
const (
	PolicyOpen  Policy = "open"
	PolicyToken Policy = "token"
	PolicyPeers Policy = "peers"
)

// Role is one of the things that a node can be.
const (
	RoleSending   = "sending"
	RoleReceiving = "receiving"
	RoleDirectory = "directory"
)

// Limits are quotas and connection limits.
type Limits struct {
	MailboxesPerAccount       int  `toml:"mailboxes_per_account"`
	DeliveriesPerMailbox      int  `toml:"deliveries_per_mailbox"`
	BytesPerMailbox           Size `toml:"bytes_per_mailbox"`
	SubmissionsPerAccount     int  `toml:"submissions_per_account"`      // waiting to be forwarded
	SubmissionBytesPerAccount Size `toml:"submission_bytes_per_account"` // of them
	ConnectionsIn             int  `toml:"connections_in"`
	ConnectionsOut            int  `toml:"connections_out"`
	ConnectionsPerAddress     int  `toml:"connections_per_address"` // per IPv4 address or IPv6 /56
}

// Storage bounds what the log keeps.
type Storage struct {
	Max       Size     `toml:"max"`       // 0: until the disk is nearly full
	Retention Duration `toml:"retention"` // of what nobody collects, and of headers
	Reclaim   Duration `toml:"reclaim"`   // how often erased bodies are taken off the files
}

// DHT is the node's part in the overlay where records are found by name or id.
type DHT struct {
	Enabled   bool     `toml:"enabled"`
	Server    bool     `toml:"server"`    // store records of others and answer
	Bootstrap []string `toml:"bootstrap"` // agent URIs of nodes to join through
	Network   string   `toml:"network"`   // the name of a separate network; empty for the public one
	WorkBits  int      `toml:"work_bits"` // of records' stamps, the same in a whole network
	Records   int      `toml:"records"`   // of others
	Bytes     Size     `toml:"bytes"`
}

// Log is how the node logs to standard error.
type Log struct {
	Format string `toml:"format"` // "text" or "json"
	Level  string `toml:"level"`  // "debug", "info", "warn" or "error"
}

// Admin is where metrics are.
type Admin struct {
	// Listen is the loopback address of /metrics and /healthz, or empty for none.
	Listen string `toml:"listen"`
}

// Default is a public node on a small server.
func Default() Config {
	return Config{
		Listen:   []string{"/ip4/0.0.0.0/tcp/4001", "/ip6/::/tcp/4001"},
		Announce: []string{},
		Roles:    []string{RoleSending, RoleReceiving},
		Access:   Access{Policy: PolicyToken, WorkBits: 20, Peers: []string{}},
		Limits: Limits{
			MailboxesPerAccount:       100,
			DeliveriesPerMailbox:      1024,
			BytesPerMailbox:           16 << 20,
			SubmissionsPerAccount:     10000,
			SubmissionBytesPerAccount: 256 << 20,
			ConnectionsIn:             512,
			ConnectionsOut:            256,
			ConnectionsPerAddress:     8,
		},
		Storage: Storage{
			Max:       0,
			Retention: Duration(14 * 24 * time.Hour),
			Reclaim:   Duration(time.Hour),
		},
		DHT: DHT{
			Enabled: true, Server: true, Bootstrap: []string{}, WorkBits: record.WorkBits,
			Records: dht.DefaultRecords, Bytes: dht.DefaultBytes,
		},
		Log:   Log{Format: "text", Level: "info"},
		Admin: Admin{Listen: "127.0.0.1:9464"},
	}
}

// Error is a fault in a configuration, with the key and, where it was read from a
// file, the line.
type Error struct {
	Key  string
	Line int // 0 if unknown
	Err  error
}

func (e *Error) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("configuration, line %d, %s: %v", e.Line, e.Key, e.Err)
	}
	return fmt.Sprintf("configuration, %s: %v", e.Key, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// ErrUnknownKey is the fault of a key that does not exist.
var ErrUnknownKey = errors.New("there is no such key")

// Read reads and validates a file. A file that is not there is an error that
// satisfies errors.Is(err, fs.ErrNotExist).
func Read(path string) (Config, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Config{}, err
	}
	if len(b) > maxFile {
		return Config{}, fmt.Errorf("configuration %s has over %d bytes", path, maxFile)
	}
	return Parse(b)
}

// Parse reads TOML on top of [Default] and validates the result.
func Parse(b []byte) (Config, error) {
	c := Default()
	d := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return Config{}, located(err)
	}
	return c, c.Validate()
}

// located turns the decoder's errors into [Error].
func located(err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		line, _ := strict.Errors[0].Position()
		return &Error{Key: keyOf(&strict.Errors[0]), Line: line, Err: ErrUnknownKey}
	}
	var at *toml.DecodeError
	if errors.As(err, &at) {
		line, _ := at.Position()
		return &Error{Key: keyOf(at), Line: line, Err: errors.New(at.Error())}
	}
	return err
}

func keyOf(e *toml.DecodeError) string {
	var b bytes.Buffer
	for i, part := range e.Key() {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(part)
	}
	if b.Len() == 0 {
		return "syntax"
	}
	return b.String()
}

// WriteFile makes the commented file, readable by its owner alone, and refuses to
// replace one that is there ([fs.ErrExist]).
func WriteFile(path string, c Config) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = Write(f, c)
	return errors.Join(err, f.Sync(), f.Close())
}
