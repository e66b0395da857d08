package address

import (
	"crypto/hmac"
	"crypto/hpke"
	"encoding/binary"
	"time"

	"communicator/wire"

	"golang.org/x/crypto/cryptobyte"
)

// Put is one attempt to deliver a payload to an address.
type Put struct {
	Address  wire.Address
	Counter  uint64    // chosen by the sender, fresh for every seal of this address
	NotAfter time.Time // whole hours; nobody delivers it after that
	Payload  wire.PayloadHash
}

// Seal encrypts the put's address to the receiving agent's sealing key. The result is
// always wire.SealedSize bytes. The secret opens the outcome; the sender keeps it
// beside the sealed bytes until it has one. A retry sends the same bytes, a new
// attempt makes a new seal.
//
// It fails with [ErrLife] where notAfter is not a whole hour or is past the address's
// expiry, [ErrKey] on the zero SealPublic.
func Seal(pub SealPublic, put Put) (sealed []byte, outcome OutcomeSecret, err error) {
	if pub.key == nil {
		return nil, OutcomeSecret{}, ErrKey
	}
	a := put.Address
	if err := checkNotAfter(put.NotAfter, a.Expires); err != nil {
		return nil, OutcomeSecret{}, err
	}
	enc, sender, err := hpke.NewSender(pub.key, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), sealInfo(a.Agent, pub.id))
	if err != nil {
		return nil, OutcomeSecret{}, err
	}
	exported, err := sender.Export(string(wire.LabelOutcome), exportedSize)
	if err != nil {
		return nil, OutcomeSecret{}, err
	}
	tag := Tag(a.Key, a.Agent, put.Counter, put.NotAfter, put.Payload)
	box, err := sender.Seal(binding(put.Payload, put.NotAfter), appendPlain(nil, put, tag))
	if err != nil {
		return nil, OutcomeSecret{}, err
	}
	outcome.enc, outcome.exported = [encSize]byte(enc), [exportedSize]byte(exported)
	return append(enc, box...), outcome, nil
}

// Opened is a put as the receiving agent reads it. Nothing in it is to be believed
// before [Opened.Verify].
type Opened struct {
	Mailbox wire.MailboxID
	Epoch   wire.Epoch
	Expires time.Time
	Caps    wire.Caps
	Counter uint64
	Tag     [32]byte
	// Reply seals the outcome. It works for a put whose tag is wrong, too.
	Reply OutcomeSealer
}

// Open decrypts a sealed address with the key that the put names (139 µs of CPU, so
// the caller checks size, expiry and budgets first). Errors: [ErrOpen] if it was not
// sealed to this key and agent for this payload and time, [ErrMalformed] if its
// plaintext is not the layout (unknown capabilities, padding that is not zero).
func Open(priv *SealPrivate, agent wire.AgentID, sealed []byte, payload wire.PayloadHash, notAfter time.Time) (Opened, error) {
	if len(sealed) != wire.SealedSize {
		return Opened{}, ErrMalformed
	}
	enc, box := sealed[:encSize], sealed[encSize:]
	info := sealInfo(agent, priv.id)
	recipient, err := hpke.NewRecipient(enc, priv.key, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), info)
	if err != nil {
		return Opened{}, ErrOpen
	}
	plain, err := recipient.Open(binding(payload, notAfter), box)
	if err != nil {
		return Opened{}, ErrOpen
	}
	opened, err := parsePlain(plain)
	if err != nil {
		return Opened{}, err
	}
	exported, err := recipient.Export(string(wire.LabelOutcome), exportedSize)
	if err != nil {
		return Opened{}, ErrOpen
	}
	opened.Reply = OutcomeSealer{enc: enc, exported: [exportedSize]byte(exported)}
	return opened, nil
}

// Verify recomputes the address key from the epoch's secret and compares the put's
// tag in constant time: two HMACs, no look-up. It returns [ErrTag] on a mismatch.
func (o Opened) Verify(s Secret, agent wire.AgentID, payload wire.PayloadHash, notAfter time.Time) error {
	key := Mint(s, o.Mailbox, o.Epoch, o.Expires, o.Caps)
	want := Tag(key, agent, o.Counter, notAfter, payload)
	if !hmac.Equal(want[:], o.Tag[:]) {
		return ErrTag
	}
	return nil
}

func sealInfo(agent wire.AgentID, id wire.KeyID) []byte {
	b := make([]byte, 0, len(wire.LabelSeal)+len(agent)+len(id))
	b = append(b, wire.LabelSeal...)
	b = append(b, agent[:]...)
	return append(b, id[:]...)
}

// binding is the associated data of seals and outcomes.
func binding(payload wire.PayloadHash, notAfter time.Time) []byte {
	b := make([]byte, 0, len(payload)+8)
	b = append(b, payload[:]...)
	return binary.BigEndian.AppendUint64(b, uint64(notAfter.Unix()))
}

func appendPlain(b []byte, put Put, tag [32]byte) []byte {
	a := put.Address
	start := len(b)
	b = append(b, a.Mailbox[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(a.Epoch))
	b = binary.BigEndian.AppendUint64(b, uint64(a.Expires.Unix()))
	b = binary.BigEndian.AppendUint32(b, uint32(a.Caps))
	b = binary.BigEndian.AppendUint64(b, put.Counter)
	b = append(b, tag[:]...)
	return append(b, make([]byte, wire.SealedPlainSize-(len(b)-start))...)
}

func parsePlain(b []byte) (Opened, error) {
	if len(b) != wire.SealedPlainSize || !allZero(b[plainUsed:]) {
		return Opened{}, ErrMalformed
	}
	var o Opened
	var epoch, caps uint32
	var exp uint64
	s := cryptobyte.String(b[:plainUsed])
	if !s.CopyBytes(o.Mailbox[:]) || !s.ReadUint32(&epoch) || !s.ReadUint64(&exp) ||
		!s.ReadUint32(&caps) || !s.ReadUint64(&o.Counter) || !s.CopyBytes(o.Tag[:]) || !s.Empty() {
		return Opened{}, ErrMalformed
	}
	if exp > maxUnix || wire.Caps(caps)&^knownCaps != 0 {
		return Opened{}, ErrMalformed
	}
	o.Epoch, o.Caps = wire.Epoch(epoch), wire.Caps(caps)
	o.Expires = time.Unix(int64(exp), 0).UTC()
	return o, nil
}

const knownCaps = wire.CapLifeline | wire.CapContact

func allZero(b []byte) bool {
	var or byte
	for _, v := range b {
		or |= v
	}
	return or == 0
}
