package particle

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/sha3"
	"encoding/json"
	"os"
	"testing"
)

type hpkeVector struct {
	Info    hexBytes `json:"info"`
	SkRm    hexBytes `json:"skRm"`
	PkRm    hexBytes `json:"pkRm"`
	Enc     hexBytes `json:"enc"`
	Exports []struct {
		Context hexBytes `json:"exporter_context"`
		L       int      `json:"L"`
		Value   hexBytes `json:"exported_value"`
	} `json:"exports"`
	Accumulated hexBytes `json:"exports_accumulated"`
}

// TestHPKEVectors runs public vectors over crypto/hpke as this package uses it: RFC 9180
// in export-only mode, and X-Wing as a KEM of HPKE.
func TestHPKEVectors(t *testing.T) {
	b, err := os.ReadFile("testdata/hpke.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct{ RFC9180, XWing hpkeVector }
	if err := json.Unmarshal(b, &vectors); err != nil {
		t.Fatal(err)
	}

	v := vectors.RFC9180
	key := must[*ecdh.PrivateKey](t)(ecdh.X25519().NewPrivateKey(v.SkRm))
	private := must[hpke.PrivateKey](t)(hpke.NewDHKEMPrivateKey(key))
	ctx := must[*hpke.Recipient](t)(hpke.NewRecipient(v.Enc, private, hpke.HKDFSHA256(), hpke.ExportOnly(), v.Info))
	source, sink := sha3.NewSHAKE128(), sha3.NewSHAKE128()
	for length := range 1000 {
		n := make([]byte, 1)
		source.Read(n)
		context := make([]byte, n[0])
		source.Read(context)
		value, err := ctx.Export(string(context), length)
		if err != nil {
			t.Fatal(err)
		}
		sink.Write(value)
	}
	got := make([]byte, 16)
	sink.Read(got)
	if !bytes.Equal(got, v.Accumulated) {
		t.Errorf("RFC 9180 exports: %x, want %x", got, v.Accumulated)
	}

	v = vectors.XWing
	k := &KEMPrivate{seed: [keySize]byte(v.SkRm)}
	public := must[*KEMPublic](t)(k.public())
	if !bytes.Equal(public[:], v.PkRm) {
		t.Error("X-Wing: another public key from the seed")
	}
	private = must[hpke.PrivateKey](t)(hpke.MLKEM768X25519().NewPrivateKey(v.SkRm))
	ctx = must[*hpke.Recipient](t)(hpke.NewRecipient(v.Enc, private, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), v.Info))
	for _, e := range v.Exports {
		if got := must[[]byte](t)(ctx.Export(string(e.Context), e.L)); !bytes.Equal(got, e.Value) {
			t.Errorf("X-Wing export: %x, want %x", got, e.Value)
		}
	}
}

func TestKEM(t *testing.T) {
	private, public, err := newKEMPrivate(nil)
	if err != nil {
		t.Fatal(err)
	}
	enc, ss, err := public.encapsulate([]byte("info"))
	if err != nil || len(enc) != EncapsulationSize || len(ss) != keySize {
		t.Fatal(err)
	}
	if got := must[[]byte](t)(private.decapsulate(enc, []byte("info"))); !bytes.Equal(got, ss) {
		t.Fatal("other secret")
	}
	if got := must[[]byte](t)(private.decapsulate(enc, []byte("other"))); bytes.Equal(got, ss) {
		t.Fatal("info does not separate")
	}
	for _, point := range lowOrderPoints(t) {
		low := *public
		copy(low[1184:], point[:])
		if _, _, err := low.encapsulate(nil); err == nil {
			t.Fatal("encapsulated to a point of low order")
		}
		bad := append(bytes.Clone(enc[:1088]), point[:]...)
		if _, err := private.decapsulate(bad, nil); err == nil {
			t.Fatal("decapsulated a point of low order")
		}
	}
	if _, err := private.decapsulate(enc[1:], nil); err == nil {
		t.Fatal("decapsulated a short encapsulation")
	}
}
