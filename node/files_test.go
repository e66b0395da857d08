package node

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"communicator/wire"
	"communicator/wire/descriptor"
	"communicator/wire/pb"
)

func TestRootKeyIsMadeOnceAndDamageIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), rootKeyName)
	seed := bytes.Repeat([]byte{3}, 32)
	made, err := makeRootKey(path, bytes.NewReader(seed))
	if err != nil {
		t.Fatal(err)
	}
	read, err := readRootKey(path)
	if err != nil || !read.Equal(made) || !bytes.Equal(read.Seed(), seed) {
		t.Fatalf("read back another key: %v", err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	if _, err := makeRootKey(path, bytes.NewReader(seed)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("replacing it: %v", err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x10
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readRootKey(path); !errors.Is(err, ErrDamagedFile) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
	for _, n := range []int{0, 1, len(good) - 1} {
		if err := os.WriteFile(path, good[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readRootKey(path); !errors.Is(err, ErrDamagedFile) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := readRootKey(path); !errors.Is(err, ErrNoIdentity) {
		t.Errorf("removed: %v", err)
	}
}

func TestLockIsExclusive(t *testing.T) {
	dir := t.TempDir()
	l, err := takeLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := takeLock(dir); !errors.Is(err, ErrLocked) {
		t.Errorf("a second one: %v", err)
	}
	if err := l.release(); err != nil {
		t.Fatal(err)
	}
	again, err := takeLock(dir)
	if err != nil {
		t.Fatalf("after its release: %v", err)
	}
	if err := again.release(); err != nil {
		t.Error(err)
	}
}

// grow appends n descriptors to a chain.
func grow(t *testing.T, c *chain, key ed25519.PrivateKey, n int) {
	t.Helper()
	for range n {
		last, _, ok := c.current()
		d := descriptor.Descriptor{
			Root: key.Public().(ed25519.PublicKey), Roles: descriptor.Sending, Policy: descriptor.PolicyToken,
			Sequence: 1, Issued: time.Unix(1700000000, 0).UTC(),
		}
		if ok {
			d.Sequence, d.Prev = last.Sequence+1, last.Chain()
		}
		signed, err := descriptor.Sign(d, key)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.append(d, signed); err != nil {
			t.Fatal(err)
		}
	}
}

func TestChainSurvivesRestartsAndLinks(t *testing.T) {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	path := filepath.Join(t.TempDir(), descriptorName)
	agent := agentOf(key)
	var known []descriptor.ChainHash
	for range 5 {
		c, err := openChain(path, agent)
		if err != nil {
			t.Fatal(err)
		}
		grow(t, c, key, 1)
		d, signed, _ := c.current()
		known = append(known, d.Chain())
		if parsed, err := descriptor.Parse(signed, agent); err != nil || parsed.Sequence != uint64(len(known)) {
			t.Fatalf("serves %d: %v", parsed.Sequence, err)
		}
		for i, from := range known {
			links, ok := c.linksFrom(from)
			if !ok || len(links) != len(known)-1-i {
				t.Fatalf("from %d to %d: %d links, %v", i+1, len(known), len(links), ok)
			}
			fixed := make([][32]byte, len(links))
			for j := range links {
				fixed[j] = [32]byte(links[j])
			}
			if err := descriptor.VerifyLinks(from, fixed, d); err != nil {
				t.Errorf("from %d: %v", i+1, err)
			}
		}
		if _, ok := c.linksFrom(descriptor.ChainHash{1}); ok {
			t.Error("links from a hash that was never")
		}
	}
}

func TestDamagedChainIsNamed(t *testing.T) {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	path := filepath.Join(t.TempDir(), descriptorName)
	c, err := openChain(path, agentOf(key))
	if err != nil {
		t.Fatal(err)
	}
	grow(t, c, key, 3)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openChain(path, agentOf(key)); !errors.Is(err, ErrDamagedFile) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openChain(path, wire.AgentID{1}); !errors.Is(err, ErrDamagedFile) {
		t.Errorf("another agent's: %v", err)
	}
}

func TestChainForgetsWhatNoReplyHolds(t *testing.T) {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	c, err := openChain("", agentOf(key))
	if err != nil {
		t.Fatal(err)
	}
	grow(t, c, key, 1)
	first, _, _ := c.current()
	grow(t, c, key, descriptor.MaxLinks)
	links, ok := c.linksFrom(first.Chain())
	if !ok || len(links) != descriptor.MaxLinks {
		t.Fatalf("%d links, %v", len(links), ok)
	}
	fixed := make([][32]byte, len(links))
	for i := range links {
		fixed[i] = [32]byte(links[i])
	}
	newest, signed, _ := c.current()
	if err := descriptor.VerifyLinks(first.Chain(), fixed, newest); err != nil {
		t.Errorf("a client refuses the longest reply: %v", err)
	}
	reply := &pb.DescriptorReply{Status: 1, Descriptor_: append(signed, make([]byte, wire.MaxDescriptor-len(signed))...), Links: links}
	if size := proto.Size(reply); size > wire.MaxFrame-64 {
		t.Errorf("the longest reply has %d bytes", size)
	}
	grow(t, c, key, 1)
	if _, ok := c.linksFrom(first.Chain()); ok {
		t.Error("led over more links than a client follows")
	}
	// A file may hold more steps, as earlier versions wrote them.
	c.steps = append([]step{{first.Link(), first.Chain()}}, c.steps...)
	if _, ok := c.linksFrom(first.Chain()); ok {
		t.Error("led over more links than a client follows, out of an old file")
	}
	n := &Node{chain: c}
	if got := wire.Status(n.descriptorReply(chainBytes(first)).Status); got != wire.StatusNotFound {
		t.Errorf("answered %v", got)
	}
}

func chainBytes(d descriptor.Descriptor) []byte {
	h := d.Chain()
	return h[:]
}

func FuzzChainFile(f *testing.F) {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	d := descriptor.Descriptor{
		Root: key.Public().(ed25519.PublicKey), Roles: descriptor.Sending, Policy: descriptor.PolicyToken,
		Sequence: 1, Issued: time.Unix(1700000000, 0).UTC(),
	}
	signed, err := descriptor.Sign(d, key)
	if err != nil {
		f.Fatal(err)
	}
	file := encodeChain(signed, []step{{d.Link(), d.Chain()}})
	f.Add(file[len(labelChainFile) : len(file)-32])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		c := &chain{agent: agentOf(key)}
		if c.parse(b) != nil {
			return
		}
		again := encodeChain(c.signed, c.steps)
		if !bytes.Equal(again[len(labelChainFile):len(again)-32], b) {
			t.Errorf("%x encodes back as %x", b, again)
		}
	})
}

func TestCgroupLimit(t *testing.T) {
	mount := t.TempDir()
	self := filepath.Join(t.TempDir(), "cgroup")
	write := func(path, content string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(self, "12:memory:/old\n0::/system.slice/node.service\n")
	if _, ok := cgroupLimit(self, mount); ok {
		t.Error("a limit where there is none")
	}
	write(filepath.Join(mount, "system.slice/node.service/memory.max"), "max\n")
	if limit, ok := cgroupLimit(self, mount); ok {
		t.Errorf("%d for \"max\"", limit)
	}
	write(filepath.Join(mount, "system.slice/memory.max"), "536870912\n")
	write(filepath.Join(mount, "memory.max"), "1073741824\n")
	if limit, ok := cgroupLimit(self, mount); !ok || limit != 512<<20 {
		t.Errorf("limit %d, %v", limit, ok)
	}
	if _, ok := cgroupLimit(filepath.Join(mount, "none"), mount); ok {
		t.Error("a limit without a file")
	}
}

func TestMemoryLimitOfBothCgroupVersions(t *testing.T) {
	for name, c := range map[string]struct {
		self  string
		files map[string]string
		want  int64
	}{
		"version 2":         {"0::/a/b\n", map[string]string{"a/memory.max": "1000", "a/b/memory.max": "max"}, 1000},
		"version 1":         {"9:cpu,memory:/a\n1:name=systemd:/\n", map[string]string{"memory/a/memory.limit_in_bytes": "2000"}, 2000},
		"none, version 1":   {"9:memory:/a\n", map[string]string{"memory/a/memory.limit_in_bytes": "9223372036854771712"}, 0},
		"none":              {"0::/a\n", nil, 0},
		"something strange": {"nonsense\n", nil, 0},
	} {
		mount := t.TempDir()
		self := filepath.Join(mount, "self")
		if err := os.WriteFile(self, []byte(c.self), 0o600); err != nil {
			t.Fatal(err)
		}
		for file, content := range c.files {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(mount, file)), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(mount, file), []byte(content+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if limit, ok := cgroupLimit(self, mount); ok != (c.want > 0) || ok && limit != c.want {
			t.Errorf("%s: %d, %v", name, limit, ok)
		}
	}
}
