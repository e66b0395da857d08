package memnet

import (
	"slices"
	"strconv"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
	"pgregory.net/rapid"
)

// A host's book of protocols says what libp2p's would, whatever is done to it, and equal
// lists of different hosts are one.
func TestProtocolsOfPeers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := New(Options{})
		book, other := newPeers(n), newPeers(n)
		defer book.Close()
		defer other.Close()
		reference, err := pstoremem.NewProtoBook()
		if err != nil {
			t.Fatal(err)
		}
		some := rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 5), func(i int) protocol.ID { return protocol.ID(strconv.Itoa(i)) }), 0, 6)
		who := rapid.SampledFrom([]peer.ID{"a", "b"})
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			id, list := who.Draw(t, "peer"), some.Draw(t, "list")
			switch rapid.IntRange(0, 3).Draw(t, "act") {
			case 0:
				err = equally(book.SetProtocols(id, list...), reference.SetProtocols(id, list...))
			case 1:
				err = equally(book.AddProtocols(id, list...), reference.AddProtocols(id, list...))
			case 2:
				err = equally(book.RemoveProtocols(id, list...), reference.RemoveProtocols(id, list...))
			case 3:
				book.RemovePeer(id)
				reference.RemovePeer(id)
			}
			if err != nil {
				t.Fatal(err)
			}
			have, _ := book.GetProtocols(id)
			want, _ := reference.GetProtocols(id)
			slices.Sort(want)
			if !slices.Equal(have, want) {
				t.Fatalf("speaks %q, want %q", have, want)
			}
			ask := some.Draw(t, "ask")
			first, _ := book.FirstSupportedProtocol(id, ask...)
			wanted, _ := reference.FirstSupportedProtocol(id, ask...)
			all, _ := book.SupportsProtocols(id, ask...)
			wantAll, _ := reference.SupportsProtocols(id, ask...)
			if first != wanted || !slices.Equal(all, wantAll) {
				t.Fatalf("of %q it speaks %q, first %q; want %q, first %q", ask, all, first, wantAll, wanted)
			}
			if err := other.SetProtocols("c", have...); err != nil {
				t.Fatal(err)
			}
			if list := other.of["c"]; len(list) > 0 && &list[0] != &book.of[id][0] {
				t.Fatal("two copies of a list")
			}
		}
	})
}

// equally is an error unless both agree whether there is one.
func equally(a, b error) error {
	if (a == nil) == (b == nil) {
		return nil
	}
	return errTooManyProtocols
}

func TestTooManyProtocols(t *testing.T) {
	book := newPeers(New(Options{}))
	defer book.Close()
	var list []protocol.ID
	for i := range maxProtocols + 1 {
		list = append(list, protocol.ID(strconv.Itoa(i)))
	}
	if err := book.SetProtocols("a", list[1:]...); err != nil {
		t.Fatal(err)
	}
	if err := book.AddProtocols("a", list[0]); err == nil {
		t.Error("more than the limit")
	}
	if have, _ := book.GetProtocols("a"); len(have) != maxProtocols {
		t.Errorf("%d after a refused addition", len(have))
	}
}
