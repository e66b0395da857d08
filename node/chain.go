package node

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/crypto/cryptobyte"

	"communicator/internal/durable"
	"communicator/wire"
	"communicator/wire/descriptor"
)

// labelChainFile begins the file DIR/descriptor:
//
//	"comm/1/descriptor-file" ‖ u16 length ‖ signed descriptor ‖
//	steps, oldest first, the last the descriptor's own: link 32 ‖ chain hash 32 ‖
//	H(all before)
const labelChainFile wire.Label = "comm/1/descriptor-file"

// step is one descriptor of the past: the hash of its content, and the chain hash
// by which somebody may know it.
type step struct {
	link  [32]byte
	chain descriptor.ChainHash
}

// chain is the agent's newest descriptor and how it came about. It keeps the
// [descriptor.MaxLinks] steps that a reply can lead over and one more to start from.
type chain struct {
	path  string // empty: in memory alone
	agent wire.AgentID

	mu     sync.Mutex // guards what follows; never held while writing
	signed descriptor.Signed
	newest descriptor.Descriptor
	steps  []step
}

func openChain(path string, agent wire.AgentID) (*chain, error) {
	c := &chain{path: path, agent: agent}
	if path == "" {
		return c, nil
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	content, err := decodeChecked(path, labelChainFile, b)
	if err != nil {
		return nil, err
	}
	if err := c.parse(content); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, ErrDamagedFile, err)
	}
	return c, nil
}

func (c *chain) parse(content []byte) error {
	s := cryptobyte.String(content)
	var signed cryptobyte.String
	if !s.ReadUint16LengthPrefixed(&signed) {
		return wire.ErrMalformed
	}
	var err error
	if c.newest, err = descriptor.Parse(signed, c.agent); err != nil {
		return err
	}
	c.signed = descriptor.Signed(signed)
	for !s.Empty() {
		var st step
		if !s.CopyBytes(st.link[:]) || !s.CopyBytes(st.chain[:]) {
			return wire.ErrMalformed
		}
		c.steps = append(c.steps, st)
	}
	if len(c.steps) == 0 || c.steps[len(c.steps)-1].chain != c.newest.Chain() {
		return errors.New("its steps do not lead to its descriptor")
	}
	return nil
}

func encodeChain(signed descriptor.Signed, steps []step) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(signed)))
	b = append(b, signed...)
	for _, s := range steps {
		b = append(b, s.link[:]...)
		b = append(b, s.chain[:]...)
	}
	return encodeChecked(labelChainFile, b)
}

// current returns the newest descriptor; ok is false before the first.
func (c *chain) current() (d descriptor.Descriptor, signed descriptor.Signed, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.newest, c.signed, c.signed != nil
}

// append makes d, which was signed to follow the newest, the newest. It is durable
// before anybody is told of it, so that no two descriptors share a place.
func (c *chain) append(d descriptor.Descriptor, signed descriptor.Signed) error {
	c.mu.Lock()
	steps := append(c.steps[:len(c.steps):len(c.steps)], step{d.Link(), d.Chain()})
	c.mu.Unlock()
	if extra := len(steps) - descriptor.MaxLinks - 1; extra > 0 {
		steps = steps[extra:]
	}
	if c.path != "" {
		if err := durable.WriteFile(c.path, encodeChain(signed, steps)); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.newest, c.signed, c.steps = d, signed, steps
	return nil
}

// linksFrom returns the links from a chain hash to the newest descriptor, or false
// for a hash that is unknown or more than [descriptor.MaxLinks] descriptors old, which
// no client would follow. (A file may hold more steps than that.)
func (c *chain) linksFrom(known descriptor.ChainHash) ([][]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.steps) - 1; i >= max(0, len(c.steps)-1-descriptor.MaxLinks); i-- {
		if c.steps[i].chain != known {
			continue
		}
		links := make([][]byte, 0, len(c.steps)-1-i)
		for _, s := range c.steps[i+1:] {
			links = append(links, s.link[:])
		}
		return links, true
	}
	return nil, false
}
