package access

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"communicator/eventlog"
	"communicator/internal/budget"
	"communicator/wire"
	"communicator/wire/pb"
)

// Config is what an [Access] needs.
type Config struct {
	Log      eventlog.Log // with [Projections] in it
	Agent    wire.AgentID
	Policy   Policy
	WorkBits int       // leading zero bits that [Open] asks for
	Peers    []peer.ID // whom [Peers] serves
	// AddrsOf returns the IP addresses that a peer is connected from, without
	// those exempt from rates. It may be nil.
	AddrsOf func(peer.ID) []netip.Addr
	Now     func() time.Time
	Rand    io.Reader // for tokens
}

// Access answers Hellos. It is safe for concurrent use.
type Access struct {
	config Config
	listed map[peer.ID]bool
	rates  rates
}

// rates are the budgets of everybody seen lately: of attempts that failed, by peer and
// network, and of accounts that networks opened.
type rates struct {
	peers         *budget.Table[peer.ID]
	failed, opens *budget.Networks
}

// New returns an Access over the log's rows.
func New(c Config) *Access {
	a := &Access{config: c, listed: make(map[peer.ID]bool, len(c.Peers)), rates: rates{
		budget.New[peer.ID](failuresOfPeer, maxTracked),
		budget.NewNetworks(failuresOfHost, failuresOfSite, maxTracked),
		budget.NewNetworks(opensOfHost, opensOfSite, maxTracked),
	}}
	for _, id := range c.Peers {
		a.listed[id] = true
	}
	return a
}

// ErrUses is a number of uses that no token can have.
var ErrUses = fmt.Errorf("access: a token is for 1 to %d accounts", MaxTokenUses)

// WorkBits is what a Hello's proof of work must have under the open policy, else 0.
func (a *Access) WorkBits() uint32 {
	if a.config.Policy != Open {
		return 0
	}
	return uint32(a.config.WorkBits)
}

// Admit says which account the peer's Hello speaks for. Its errors are
// [*wire.StatusError]s for the peer, with StatusMalformed, StatusPermission or
// StatusTryAgain, or the log's.
func (a *Access) Admit(ctx context.Context, remote peer.ID, hello *pb.Hello) (wire.AccountID, error) {
	now := a.config.Now()
	var addrs []netip.Addr
	if a.config.AddrsOf != nil {
		addrs = a.config.AddrsOf(remote)
	}
	wait := max(a.rates.peers.Wait(remote, now), a.rates.failed.Wait(addrs, now))
	if a.config.Policy == Open {
		wait = max(wait, a.rates.opens.Wait(addrs, now))
	}
	if wait > 0 {
		return wire.AccountID{}, &wire.StatusError{Status: wire.StatusTryAgain, RetryAfter: wait.Round(time.Second) + time.Second}
	}
	claim, err := a.claim(remote, hello, now)
	if err == nil {
		err = a.settle(ctx, claim)
	}
	var refused *wire.StatusError
	switch {
	case errors.As(err, &refused):
		if !a.asksForWork(hello) {
			a.rates.peers.Spend(remote, now)
			a.rates.failed.Spend(addrs, now)
		}
	case err == nil && a.config.Policy == Open:
		a.rates.opens.Spend(addrs, now)
	}
	if err != nil {
		return wire.AccountID{}, err
	}
	return claim.Account, nil
}

// asksForWork says whether a refused Hello is how an honest client learns what work an
// open agent asks for: well formed, and with nothing in it that could be wrong.
func (a *Access) asksForWork(hello *pb.Hello) bool {
	return a.config.Policy == Open && len(hello.GetCredential()) == len(wire.Credential{}) &&
		hello.GetWork() == nil && len(hello.GetToken()) == 0
}

// claim reads a Hello.
func (a *Access) claim(remote peer.ID, hello *pb.Hello, now time.Time) (Claim, error) {
	malformed := &wire.StatusError{Status: wire.StatusMalformed}
	if len(hello.GetCredential()) != len(wire.Credential{}) {
		return Claim{}, malformed
	}
	c := Claim{
		Account: wire.Credential(hello.GetCredential()).Account(),
		Listed:  a.listed[remote],
	}
	if token := hello.GetToken(); len(token) > 0 {
		if len(token) != wire.TokenSize {
			return Claim{}, malformed
		}
		hash := wire.Token(token).Hash()
		c.Token = &hash
	}
	if w := hello.GetWork(); w != nil && a.config.Policy == Open {
		c.Work = Work{w.GetHour(), w.GetNonce()}.Good(a.config.Agent, c.Account, now, a.config.WorkBits)
	}
	return c, nil
}

// settle decides a claim, on the rows as they are if that grants it, else on the
// log's writer, where a token cannot be spent twice.
func (a *Access) settle(ctx context.Context, c Claim) error {
	refused := &wire.StatusError{Status: wire.StatusPermission}
	verdict := Refused
	err := a.config.Log.View(func(t eventlog.Tables) (err error) {
		verdict, err = a.decide(t, c)
		return err
	})
	if err != nil {
		return err
	}
	switch verdict {
	case Granted:
		return nil
	case Refused:
		return refused
	}
	_, err = a.config.Log.Decide(ctx, func(_ time.Time, t eventlog.Tables) ([]eventlog.Event, error) {
		verdict, err := a.decide(t, c)
		switch {
		case err != nil:
			return nil, err
		case verdict == Refused:
			return nil, refused
		case verdict == Granted:
			return nil, nil
		}
		return []eventlog.Event{accountOpened(*c.Token, c.Account)}, nil
	})
	if errors.Is(err, eventlog.ErrReadOnly) {
		return &wire.StatusError{Status: wire.StatusReadOnly}
	}
	return err
}

func (a *Access) decide(t eventlog.Tables, c Claim) (Verdict, error) {
	rows := t.Table(wire.TableAccess)
	var f Facts
	var err error
	if f.Known, err = known(rows, c.Account); err != nil {
		return Refused, err
	}
	if c.Token != nil {
		if f.Uses, err = usesLeft(rows, *c.Token); err != nil {
			return Refused, err
		}
	}
	return Decide(a.config.Policy, c, f), nil
}

// IssueToken makes a token that opens so many accounts, durably, before returning
// it. Only its hash is stored: nobody can be told it again.
func (a *Access) IssueToken(ctx context.Context, uses int) (wire.Token, error) {
	if uses < 1 || uses > MaxTokenUses {
		return wire.Token{}, ErrUses
	}
	var token wire.Token
	if _, err := io.ReadFull(a.config.Rand, token[:]); err != nil {
		return wire.Token{}, err
	}
	if _, err := a.config.Log.Append(ctx, tokenIssued(token.Hash(), uint32(uses))); err != nil {
		return wire.Token{}, err
	}
	return token, nil
}

// SetDraining notes durably that the agent is leaving, or that it stays after all.
func (a *Access) SetDraining(ctx context.Context, draining bool) error {
	_, err := a.config.Log.Decide(ctx, func(_ time.Time, t eventlog.Tables) ([]eventlog.Event, error) {
		row, err := t.Table(wire.TableAccess).Get([]byte{rowDrain})
		if err != nil || (row != nil) == draining {
			return nil, err
		}
		return []eventlog.Event{drainChanged(draining)}, nil
	})
	return err
}

// Draining reads what [Access.SetDraining] noted: the zero time if the agent stays.
func (a *Access) Draining() (since time.Time, err error) {
	err = a.config.Log.View(func(t eventlog.Tables) error {
		row, err := t.Table(wire.TableAccess).Get([]byte{rowDrain})
		if err != nil || row == nil {
			return err
		}
		if len(row) != 8 {
			return wire.ErrMalformed
		}
		since = time.Unix(int64(binary.BigEndian.Uint64(row)), 0).UTC()
		return nil
	})
	return since, err
}

// Counts are how many accounts are open and how many more the tokens can open.
type Counts struct {
	Accounts  int
	TokenUses int
}

// Counts reads every row: for people, not for a hot path.
func (a *Access) Counts() (Counts, error) {
	var c Counts
	var bad error
	err := a.config.Log.View(func(t eventlog.Tables) error {
		rows := t.Table(wire.TableAccess)
		err := rows.Scan([]byte{rowAccount}, nil, func(_, _ []byte) bool {
			c.Accounts++
			return true
		})
		if err != nil {
			return err
		}
		return rows.Scan([]byte{rowToken}, nil, func(key, _ []byte) bool {
			var uses uint32
			uses, bad = usesLeft(rows, [32]byte(key[1:]))
			c.TokenUses += int(uses)
			return bad == nil
		})
	})
	return c, errors.Join(err, bad)
}
