package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestWrittenFileReadsBackAndListsEveryKey(t *testing.T) {
	c := Default()
	c.Announce = []string{"/dns4/relay.example.org/tcp/4001"}
	c.Storage.Max = 3 << 30
	c.Storage.Reclaim = Duration(90 * time.Minute)
	path := filepath.Join(t.TempDir(), FileName)
	if err := WriteFile(path, c); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, c) {
		t.Errorf("read back\n%+v, wrote\n%+v", got, c)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	keys := 0
	eachKey(reflect.TypeFor[Config](), func(key string) {
		keys++
		if !strings.Contains(string(text), "\n"+key+" = ") {
			t.Errorf("the written file says nothing about %s", key)
		}
	})
	if keys < 20 {
		t.Errorf("found only %d keys in the struct", keys)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	if err := WriteFile(path, c); !errors.Is(err, fs.ErrExist) {
		t.Errorf("overwriting gave %v", err)
	}
}

func eachKey(t reflect.Type, visit func(string)) {
	for f := range t.Fields() {
		if f.Type.Kind() == reflect.Struct {
			eachKey(f.Type, visit)
		} else {
			visit(f.Tag.Get("toml"))
		}
	}
}

func TestEmptyFileIsTheDefault(t *testing.T) {
	got, err := Parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, Default()) {
		t.Errorf("%+v", got)
	}
}

func TestFaultsAreNamed(t *testing.T) {
	const id = "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"
	for _, c := range []struct {
		text, key string
		line      int
	}{
		{"listen = [\"/ip4/0.0.0.0/tcp/1\"]\nlisten_adress = 3\n", "listen_adress", 2},
		{"[limits]\n\nconnections_inn = 9\n", "limits.connections_inn", 3},
		{"[quota]\nx = 1\n", "quota", 1},
		{"allow_private = \"yes\"\n", "allow_private", 1},
		{"[storage]\nretention = \"a while\"\n", "storage.retention", 2},
		{"[storage]\nmax = \"10GB\"\n", "storage.max", 2},
		{"[storage]\nmax = -1\n", "storage.max", 0},
		{"listen = \n", "syntax", 1},
		{"listen = []\n", "listen", 0},
		{"listen = [\"0.0.0.0:4001\"]\n", "listen", 0},
		{"listen = [\"/ip4/0.0.0.0/udp/4001/quic-v1\"]\n", "listen", 0},
		{"listen = [\"/dns4/example.org/tcp/4001\"]\n", "listen", 0},
		{"announce = [\"/ip4/192.0.2.1/tcp/4001/p2p/" + id + "\"]\n", "announce", 0},
		{"roles = []\n", "roles", 0},
		{"roles = [\"relay\"]\n", "roles", 0},
		{"roles = [\"sending\", \"sending\"]\n", "roles", 0},
		{"[access]\npolicy = \"closed\"\n", "access.policy", 0},
		{"[access]\npolicy = \"peers\"\n", "access.peers", 0},
		{"[access]\npolicy = \"peers\"\npeers = [\"me\"]\n", "access.peers", 0},
		{"[access]\nwork_bits = 300\n", "access.work_bits", 0},
		{"[limits]\nconnections_in = 0\n", "limits.connections_in", 0},
		{"[limits]\nsubmission_bytes_per_account = \"64KiB\"\n", "limits.submission_bytes_per_account", 0},
		{"[limits]\nsubmission_bytes_per_account = \"5MB\"\n", "limits.submission_bytes_per_account", 2},
		{"[storage]\nmax = \"1MiB\"\n", "storage.max", 0},
		{"[storage]\nretention = \"1s\"\n", "storage.retention", 0},
		{"[storage]\nreclaim = \"2d\"\n", "storage.reclaim", 0},
		{"[log]\nformat = \"xml\"\n", "log.format", 0},
		{"[log]\nlevel = \"all\"\n", "log.level", 0},
		{"[admin]\nlisten = \"0.0.0.0:9464\"\n", "admin.listen", 0},
		{"[admin]\nlisten = \"localhost\"\n", "admin.listen", 0},
	} {
		_, err := Parse([]byte(c.text))
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%q gave %v", c.text, err)
			continue
		}
		if e.Key != c.key || e.Line != c.line {
			t.Errorf("%q: key %q, line %d; want %q, %d (%v)", c.text, e.Key, e.Line, c.key, c.line, err)
		}
	}
}

func TestNonLoopbackAdminIsRefused(t *testing.T) {
	c := Default()
	c.Admin.Listen = "[2001:db8::1]:9464"
	if err := c.Validate(); !errors.Is(err, ErrNotLoopback) {
		t.Errorf("gave %v", err)
	}
	for _, fine := range []string{"", "[::1]:9464", "127.0.0.2:0"} {
		c.Admin.Listen = fine
		if err := c.Validate(); err != nil {
			t.Errorf("%q: %v", fine, err)
		}
	}
}

func TestUnits(t *testing.T) {
	for text, want := range map[string]Size{"0": 0, "4096": 4096, "7B": 7, "64MiB": 64 << 20, "2 GiB": 2 << 30, "1TiB": 1 << 40} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%q: %d, %v", text, s, err)
		}
		var back Size
		if err := back.UnmarshalText([]byte(s.String())); err != nil || back != s {
			t.Errorf("%v reads back as %v, %v", s, back, err)
		}
	}
	for _, bad := range []string{"", "-1", "1MB", "MiB", "9999999TiB", "1.5GiB"} {
		if err := new(Size).UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("size %q was read", bad)
		}
	}
	for text, want := range map[string]time.Duration{"14d": 14 * day, "90s": 90 * time.Second, "1h": time.Hour, "1h30m": 90 * time.Minute, "10h10m": 610 * time.Minute} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || time.Duration(d) != want {
			t.Errorf("%q: %v, %v", text, time.Duration(d), err)
		}
		var back Duration
		if err := back.UnmarshalText([]byte(d.String())); err != nil || back != d {
			t.Errorf("%v reads back as %v, %v", d, back, err)
		}
	}
	for _, bad := range []string{"", "5", "-1h", "d", "1.5d", "999999999d"} {
		if err := new(Duration).UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("duration %q was read", bad)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("listen = [\"/ip4/0.0.0.0/tcp/1\"]\n[access]\npolicy = \"open\"\n"))
	f.Add([]byte("[storage]\nmax = \"1GiB\"\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse(b)
		if err != nil {
			return
		}
		var text strings.Builder
		if err := Write(&text, c); err != nil {
			t.Fatal(err)
		}
		again, err := Parse([]byte(text.String()))
		if err != nil {
			t.Fatalf("what was written does not parse: %v\n%s", err, text.String())
		}
		if !reflect.DeepEqual(again, c) {
			t.Errorf("%+v reads back as %+v", c, again)
		}
	})
}
