package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"
)

var updateVectors = flag.Bool("update", false, "write testdata/slots.json again")

// slotVector is one key slot and what opening it gives.
type slotVector struct {
	Name       string `json:"name"`
	Slot       string `json:"slot"`
	Passphrase string `json:"passphrase"`
	Key        string `json:"fileKey,omitempty"`
	Database   string `json:"databaseKey,omitempty"`
	Export     string `json:"exportKey,omitempty"`
	Error      string `json:"error,omitempty"`
}

// vectorErrors names the failures in the vectors.
var vectorErrors = map[string]error{
	"not-a-profile": ErrNotProfile, "newer": ErrNewerFormat, "damaged": ErrDamaged, "wrong-passphrase": ErrWrongPassphrase,
}

// counting is a source of "random" bytes 0, 1, 2, …
type counting byte

func (c *counting) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(*c)
		*c++
	}
	return len(p), nil
}

func makeVectors(t *testing.T) []slotVector {
	r := new(counting)
	key, err := newFileKey(r)
	ok(t, err)
	good, err := sealSlot(r, kindProfile, 1, cheap, secret, key)
	ok(t, err)
	export, err := sealSlot(r, kindExport, 7, KDF{Time: 2, Memory: 128, Threads: 2}, []byte("pässword"), key)
	ok(t, err)
	// resum changes a byte and makes the checksum right again.
	resum := func(i int, v byte) []byte {
		b := bytes.Clone(good)
		b[i] = v
		sum := sha256.Sum256(b[:offSum])
		return append(b[:offSum], sum[:]...)
	}
	flip := bytes.Clone(good)
	flip[offNonce] ^= 1
	vector := func(name string, slot, pass []byte, failure string) slotVector {
		v := slotVector{Name: name, Slot: hex.EncodeToString(slot), Passphrase: string(pass), Error: failure}
		if failure == "" {
			v.Key = hex.EncodeToString(key[:])
			v.Database = hex.EncodeToString(key.expand(labelDatabase))
			v.Export = hex.EncodeToString(key.expand(labelExport))
		}
		return v
	}
	return []slotVector{
		vector("profile", good, secret, ""),
		vector("export, other cost", export, []byte("pässword"), ""),
		vector("wrong passphrase", good, []byte("correct Horse"), "wrong-passphrase"),
		vector("changed salt, checksum repaired", resum(offSalt, 0xff), secret, "wrong-passphrase"),
		vector("changed kind, checksum repaired", resum(10, kindExport), secret, "wrong-passphrase"),
		vector("torn: checksum does not match", flip, secret, "damaged"),
		vector("unknown kind", resum(10, 3), secret, "damaged"),
		vector("no threads", resum(11, 0), secret, "damaged"),
		vector("memory of 4 TiB", resum(16, 0xff), secret, "damaged"),
		vector("version 0", resum(9, 0), secret, "damaged"),
		vector("version 2", resum(9, 2), secret, "newer"),
		vector("unused slot", make([]byte, slotSize), secret, "not-a-profile"),
		vector("cut", good[:slotSize-1], secret, "not-a-profile"),
	}
}

func TestSlotVectors(t *testing.T) {
	const file = "testdata/slots.json"
	if *updateVectors {
		b, err := json.MarshalIndent(makeVectors(t), "", "\t")
		ok(t, err)
		ok(t, os.MkdirAll("testdata", 0o755))
		ok(t, os.WriteFile(file, append(b, '\n'), 0o644))
	}
	b, err := os.ReadFile(file)
	ok(t, err)
	var vectors []slotVector
	ok(t, json.Unmarshal(b, &vectors))
	same(t, makeVectors(t), vectors) // what is written today is what was written then
	for _, v := range vectors {
		raw, err := hex.DecodeString(v.Slot)
		ok(t, err)
		s, err := parseSlot(raw)
		var key fileKey
		if err == nil {
			key, err = s.open([]byte(v.Passphrase))
		}
		if !errors.Is(err, vectorErrors[v.Error]) || err == nil && hex.EncodeToString(key[:]) != v.Key {
			t.Errorf("%s: key %x, error %v", v.Name, key, err)
		}
	}
}

func FuzzParseSlot(f *testing.F) {
	var vectors []slotVector
	b, err := os.ReadFile("testdata/slots.json")
	if err != nil {
		f.Fatal(err)
	}
	if err := json.Unmarshal(b, &vectors); err != nil {
		f.Fatal(err)
	}
	for _, v := range vectors {
		raw, _ := hex.DecodeString(v.Slot)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseSlot(b)
		if err != nil {
			return
		}
		again := append(slotHead(s.kind, s.seq, s.kdf), s.raw[offSalt:offSum]...)
		sum := sha256.Sum256(again)
		if again = append(again, sum[:]...); !bytes.Equal(again, b[:slotSize]) {
			t.Errorf("parsed\n%x encodes to\n%x", b[:slotSize], again)
		}
	})
}

func TestDefaultCostIsWhatTheRFCSays(t *testing.T) {
	same(t, DefaultKDF, KDF{Time: 3, Memory: 1 << 16, Threads: 4})
	if !DefaultKDF.valid() || !(KDF{maxKDFTime, maxKDFMemory, maxKDFThreads}).valid() {
		t.Error("a cost within the bounds is refused")
	}
	for _, k := range []KDF{{}, {1, 7, 1}, {maxKDFTime + 1, 64, 1}, {1, maxKDFMemory + 1, 1}, {1, 1024, maxKDFThreads + 1}} {
		if _, err := sealSlot(new(counting), kindProfile, 1, k, secret, fileKey{}); !errors.Is(err, ErrInvalid) {
			t.Errorf("%+v: %v", k, err)
		}
	}
	if offSealed+len(fileKey{})+chacha20poly1305.Overhead != offSum || offSum+sha256.Size != slotSize {
		t.Error("the drawn layout does not add up")
	}
}
