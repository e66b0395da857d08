package nearby

import (
	"crypto/subtle"
	"fmt"
	"io"

	"communicator/particle"
)

// greet exchanges hellos, the dialling side first, and returns the other's name.
func greet(c channel, dials bool, name string) (string, error) {
	if dials {
		if err := c.send(helloFrame(name)); err != nil {
			return "", err
		}
	}
	body, err := expect(c, kindHello)
	if err != nil {
		return "", err
	}
	theirs, err := parseHello(body)
	if err != nil || dials {
		return theirs, err
	}
	return theirs, c.send(helloFrame(name))
}

// exchange runs commit, reveal and open. The peer has an id and a name; it gets its
// random bytes and its package here.
func exchange(c channel, random io.Reader, own, peer *side) (Words, error) {
	if _, err := io.ReadFull(random, own.random[:]); err != nil {
		return Words{}, fmt.Errorf("nearby: reading randomness: %w", err)
	}
	if own.id < peer.id {
		return exchangeA(c, own, peer)
	}
	return exchangeB(c, own, peer)
}

func exchangeA(c channel, own, peer *side) (Words, error) {
	bound := commitment(*own)
	if err := c.send(frame{kindCommit, bound[:]}); err != nil {
		return Words{}, err
	}
	body, err := expect(c, kindReveal)
	if err != nil {
		return Words{}, err
	}
	if err := peer.take(body, own.pkg); err != nil {
		return Words{}, err
	}
	if err := c.send(frame{kindOpen, append(own.random[:], own.pkg...)}); err != nil {
		return Words{}, err
	}
	return wordsOf(transcript(*own, *peer)), nil
}

func exchangeB(c channel, own, peer *side) (Words, error) {
	bound, err := expect(c, kindCommit)
	if err != nil {
		return Words{}, err
	}
	if len(bound) != 32 {
		return Words{}, ErrProtocol
	}
	if err := c.send(frame{kindReveal, append(own.random[:], own.pkg...)}); err != nil {
		return Words{}, err
	}
	body, err := expect(c, kindOpen)
	if err != nil {
		return Words{}, err
	}
	if err := peer.take(body, own.pkg); err != nil {
		return Words{}, err
	}
	if opened := commitment(*peer); subtle.ConstantTimeCompare(opened[:], bound) != 1 {
		return Words{}, ErrCommitment
	}
	return wordsOf(transcript(*peer, *own)), nil
}

// take reads what the other side reveals or opens.
func (s *side) take(body, own []byte) (err error) {
	if s.random, s.pkg, err = parseOpened(body); err != nil {
		return err
	}
	pkg, err := particle.ParsePackage(s.pkg)
	if err != nil || pkg.Contact() == nil || !pkg.OneTime() {
		return ErrPackage
	}
	ours, err := particle.ParsePackage(own)
	if err != nil {
		return err
	}
	if _, err := particle.Begins(ours.Identity(), pkg.Identity()); err != nil {
		return ErrMirror
	}
	return nil
}

// agree tells our person's verdict and returns the other's.
func agree(c channel, same bool) (bool, error) {
	verdict := byte(0)
	if same {
		verdict = 1
	}
	if err := c.send(frame{kindVerdict, []byte{verdict}}); err != nil {
		return false, err
	}
	body, err := expect(c, kindVerdict)
	if err != nil {
		return false, err
	}
	return parseVerdict(body)
}
