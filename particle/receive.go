package particle

import (
	"errors"
	"slices"
	"time"

	"communicator/wire"
)

// Opened is what a ciphertext brought. The next Particle that comes with it is saved,
// whatever it is, together with what is to be kept of the message.
type Opened struct {
	Message  Message
	Place    ForkPoint
	Delivery DeliveryID
	// NewAddresses: the peer's set was replaced.
	NewAddresses bool
	// Fork: no message was read. A second ciphertext, made with the peer's keys, claims a
	// place that is taken. The peer is told with the next message.
	Fork *ForkPoint
	// Alarm: the peer says that it saw this of us. If we use one device, somebody else
	// uses our keys.
	Alarm *ForkPoint
	// Reestablished: the peer has begun a new session with its recovery package. Trust is
	// [TrustReset].
	Reestablished bool
	// OldSession: it came in a session that has been re-established since, whose keys an
	// exported profile may hold.
	OldSession bool
	// Invalid: it opened, but is no content that this version can read, or carries a
	// recovery package that is none; Raw has it, to be kept. The session has moved on.
	Invalid error
	Raw     []byte

	previous *SessionID // what a re-establishment says it replaces
}

// Receive opens a ciphertext. The caller has looked up [DeliveryIDOf] the ciphertext
// before and does not know it. After an error the Particle is unchanged, and the caller
// quarantines the ciphertext, shows it as unreadable and acknowledges it
// ([ErrDuplicate] is merely acknowledged).
func (p Particle) Receive(ciphertext []byte, now time.Time) (Particle, Opened, error) {
	next := p.expireFormer(now)
	session, plain, err := p.session.Decrypt(ciphertext, now)
	if err == nil {
		next.session = session
		return next.read(plain, ciphertext, now)
	}
	var fork *ForkError
	if errors.As(err, &fork) {
		return next.fork(fork.Point, ciphertext)
	}
	if !errors.Is(err, ErrUndecryptable) {
		return p, Opened{}, err
	}
	after, opened, err := next.receiveFormer(ciphertext, now)
	if errors.Is(err, ErrUndecryptable) {
		after, opened, err = next.receiveRecovery(ciphertext, now)
	}
	if err != nil {
		return p, Opened{}, err
	}
	return after, opened, nil
}

// read takes a decrypted content in, whether or not it can be parsed.
func (p Particle) read(plain Plain, ciphertext []byte, now time.Time) (Particle, Opened, error) {
	c, err := parseContent(plain.Content)
	if err != nil {
		return p, Opened{
			Place: plain.Place, Delivery: DeliveryIDOf(ciphertext),
			Invalid: err, Raw: plain.Content,
		}, nil
	}
	return p.apply(c, plain, ciphertext, now)
}

// apply takes a content of the current session in.
func (p Particle) apply(c content, plain Plain, ciphertext []byte, now time.Time) (Particle, Opened, error) {
	o := Opened{
		Message: c.message(), Place: plain.Place, Delivery: DeliveryIDOf(ciphertext),
		Alarm: c.alarm,
	}
	p.newest = max(p.newest, c.sent)
	if !p.session.Unreplied() {
		p.previous = nil
	}
	p.alarmed = p.alarmed || c.alarm != nil
	p.exchange = p.exchange.acknowledge(c.setAck, now).countPut()
	if c.addresses != nil {
		set, err := wire.ParseAddressSet(c.addresses)
		if err != nil {
			return p, o, err // parseContent has parsed it before
		}
		p.exchange, o.NewAddresses = p.exchange.apply(set)
	}
	var err error
	if p.recovery, err = p.recovery.take(c, p.peer); err != nil {
		o.Invalid, o.Raw = err, plain.Content
	}
	return p, o, nil
}

// fork records a second ciphertext in a place that is taken.
func (p Particle) fork(at ForkPoint, ciphertext []byte) (Particle, Opened, error) {
	p.alarm, p.alarmed = &at, true
	return p, Opened{Place: at, Fork: &at, Delivery: DeliveryIDOf(ciphertext)}, nil
}

// receiveFormer reads what was under way when a session was re-established. Its
// acknowledgements and addresses are out of date and not applied.
func (p Particle) receiveFormer(ciphertext []byte, now time.Time) (Particle, Opened, error) {
	for i, f := range p.former {
		session, plain, err := f.session.Decrypt(ciphertext, now)
		if errors.Is(err, ErrUndecryptable) {
			continue
		}
		var fork *ForkError
		if errors.As(err, &fork) {
			next, o, err := p.fork(fork.Point, ciphertext)
			o.OldSession = true
			return next, o, err
		}
		if err != nil {
			return p, Opened{}, err
		}
		p.former = slices.Clone(p.former)
		p.former[i].session = session
		o := Opened{Place: plain.Place, Delivery: DeliveryIDOf(ciphertext), OldSession: true}
		c, err := parseContent(plain.Content)
		if err != nil {
			o.Invalid, o.Raw = err, plain.Content
			return p, o, nil
		}
		o.Message, o.Alarm = c.message(), c.alarm
		p.alarmed = p.alarmed || c.alarm != nil
		return p, o, nil
	}
	return p, Opened{}, ErrUndecryptable
}

// expireFormer drops former sessions after [FormerSessionLife].
func (p Particle) expireFormer(now time.Time) Particle {
	oldest := now.Add(-FormerSessionLife).Unix()
	expired := func(f formerSession) bool { return f.since < oldest }
	if slices.ContainsFunc(p.former, expired) {
		p.former = slices.DeleteFunc(slices.Clone(p.former), expired)
	}
	return p
}

// retire adds a session to the former ones.
func (p Particle) retire(s Session, now time.Time) Particle {
	p.former = slices.Insert(slices.Clone(p.former), 0, formerSession{s, now.Unix()})
	if len(p.former) > maxFormerSessions {
		p.former = p.former[:maxFormerSessions]
	}
	return p
}
