package particle

import (
	"bytes"
	"crypto/hmac"
	"crypto/mlkem"
	"crypto/mlkem/mlkemtest"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"testing"

	"github.com/c2sp/wycheproof"
)

// hexBytes is a hexadecimal string in JSON.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	*h = b
	return err
}

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

// wycheproofTest has the fields of every kind of vector that is used here.
type wycheproofTest struct {
	ID                              int `json:"tcId"`
	Comment, Result                 string
	Flags                           []string
	Public, Private, Shared         hexBytes
	IKM, Salt, Info, OKM            hexBytes
	Size                            int
	Key, Msg, Tag, IV, AAD, CT, Sig hexBytes
	Seed, EK, DK, C, M              hexBytes
	K                               hexBytes
}

type wycheproofGroup struct {
	PublicKey struct{ PK hexBytes }
	TagSize   int
	IVSize    int
	Tests     []wycheproofTest
}

// eachVector runs check on every vector of a Wycheproof file; it returns whether the
// primitive accepted the input and gave the expected output.
func eachVector(t *testing.T, file string, check func(*testing.T, wycheproofGroup, wycheproofTest) bool) {
	t.Helper()
	b, err := fs.ReadFile(wycheproof.TestVectors, file)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ TestGroups []wycheproofGroup }
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, g := range doc.TestGroups {
		for _, v := range g.Tests {
			n++
			got := check(t, g, v)
			if want := v.Result != "invalid"; got != want {
				t.Errorf("%s %d (%s %v): %v, want %s", file, v.ID, v.Comment, v.Flags, got, v.Result)
			}
		}
	}
	if n == 0 {
		t.Fatalf("%s: no vectors", file)
	}
}

func TestWycheproofX25519(t *testing.T) {
	eachVector(t, "x25519_test.json", func(t *testing.T, _ wycheproofGroup, v wycheproofTest) bool {
		private, err := dhFromSeed(v.Private)
		if err != nil {
			return false
		}
		shared, err := private.shared(DHPublic(v.Public))
		if allZero(v.Shared) { // "acceptable" there; refused here
			if err == nil {
				t.Errorf("%d: a shared secret of zeros was accepted", v.ID)
			}
			return true
		}
		return err == nil && bytes.Equal(shared, v.Shared)
	})
}

func TestWycheproofEd25519(t *testing.T) {
	eachVector(t, "ed25519_test.json", func(_ *testing.T, g wycheproofGroup, v wycheproofTest) bool {
		return SigningPublic(g.PublicKey.PK).verify(v.Msg, v.Sig) == nil
	})
}

func TestWycheproofHKDF(t *testing.T) {
	eachVector(t, "hkdf_sha256_test.json", func(_ *testing.T, _ wycheproofGroup, v wycheproofTest) bool {
		if v.Size > 255*sha256.Size {
			return false // expand panics: no caller asks for so much
		}
		return bytes.Equal(expand(extract(v.Salt, v.IKM), "", v.Info, v.Size), v.OKM)
	})
}

func TestWycheproofHMAC(t *testing.T) {
	eachVector(t, "hmac_sha256_test.json", func(_ *testing.T, g wycheproofGroup, v wycheproofTest) bool {
		m := hmac.New(sha256.New, v.Key)
		m.Write(v.Msg)
		return hmac.Equal(m.Sum(nil)[:g.TagSize/8], v.Tag)
	})
}

func TestWycheproofChaCha20Poly1305(t *testing.T) {
	eachVector(t, "chacha20_poly1305_test.json", func(_ *testing.T, g wycheproofGroup, v wycheproofTest) bool {
		if g.IVSize != 96 {
			return false // the nonce is always 12 bytes here
		}
		plain, err := chacha(v.Key).Open(nil, v.IV, append(bytes.Clone(v.CT), v.Tag...), v.AAD)
		return err == nil && bytes.Equal(plain, v.Msg) &&
			bytes.Equal(chacha(v.Key).Seal(nil, v.IV, v.Msg, v.AAD), append(v.CT, v.Tag...))
	})
}

func TestWycheproofXChaCha20Poly1305(t *testing.T) {
	eachVector(t, "xchacha20_poly1305_test.json", func(_ *testing.T, g wycheproofGroup, v wycheproofTest) bool {
		if g.IVSize != 192 {
			return false
		}
		plain, err := xchacha(v.Key).Open(nil, v.IV, append(bytes.Clone(v.CT), v.Tag...), v.AAD)
		return err == nil && bytes.Equal(plain, v.Msg) &&
			bytes.Equal(xchacha(v.Key).Seal(nil, v.IV, v.Msg, v.AAD), append(v.CT, v.Tag...))
	})
}

func TestWycheproofMLKEM768(t *testing.T) {
	eachVector(t, "mlkem_768_test.json", func(_ *testing.T, _ wycheproofGroup, v wycheproofTest) bool {
		dk, err := mlkem.NewDecapsulationKey768(v.Seed)
		if err != nil || len(v.EK) > 0 && !bytes.Equal(dk.EncapsulationKey().Bytes(), v.EK) {
			return false
		}
		k, err := dk.Decapsulate(v.C)
		return err == nil && bytes.Equal(k, v.K)
	})
	eachVector(t, "mlkem_768_keygen_seed_test.json", func(_ *testing.T, _ wycheproofGroup, v wycheproofTest) bool {
		dk, err := mlkem.NewDecapsulationKey768(v.Seed)
		return err == nil && bytes.Equal(dk.EncapsulationKey().Bytes(), v.EK)
	})
	eachVector(t, "mlkem_768_encaps_test.json", func(_ *testing.T, _ wycheproofGroup, v wycheproofTest) bool {
		ek, err := mlkem.NewEncapsulationKey768(v.EK)
		if err != nil {
			return false
		}
		k, c, err := mlkemtest.Encapsulate768(ek, v.M)
		return err == nil && bytes.Equal(k, v.K) && (len(v.C) == 0 || bytes.Equal(c, v.C))
	})
}
