package directory

import (
	"context"
	"crypto/ed25519"
	"sync"
	"time"

	"communicator/dht/record"
	"communicator/directory/proof"
	"communicator/wire"
	"communicator/wire/pb"
)

// Records of a name for the overlay are made here and handed to the name's holder, who
// has them published week after week: so the authority need not be there.
const (
	// recordEpochs is for how many weeks records are handed over, the current included.
	recordEpochs = 4
	// recordsAge is for how long the same records are given out again.
	recordsAge = time.Hour
	// maxKeptRecords bounds the names for which they are remembered.
	maxKeptRecords = 1024
)

// recordMaker makes records with a namespace's zone key. A sequence is used for one
// payload only: its refresh counts seconds, and within one the same bytes are given out.
// So of the directories of a namespace one alone may hold the zone key.
type recordMaker struct {
	mu   sync.Mutex // guards kept; not held while records are made
	kept map[recordOf]keptRecords
	turn chan struct{} // holds a value while nobody makes records
}

type recordOf struct {
	ns   proof.NSID
	name proof.Name
	zone proof.Key // another one makes records for other places
}

type keptRecords struct {
	version uint32
	at      time.Time
	records [][]byte
}

func newRecordMaker() *recordMaker {
	m := &recordMaker{kept: map[recordOf]keptRecords{}, turn: make(chan struct{}, 1)}
	m.turn <- struct{}{}
	return m
}

func (m *recordMaker) get(of recordOf, version uint32, now time.Time) [][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.kept[of]
	if !ok || k.version != version || now.Sub(k.at).Abs() >= recordsAge {
		return nil
	}
	return k.records
}

func (m *recordMaker) put(of recordOf, k keptRecords) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.kept) >= maxKeptRecords {
		clear(m.kept)
	}
	m.kept[of] = k
}

// records answers a holder who asks for the records of a name.
func (c *session) records(ctx context.Context, op operation) (*pb.DirectoryResponse, error) {
	var req pb.OwnName
	if err := op.parse(&req); err != nil {
		return nil, err
	}
	s, name, _, err := c.own(req.Namespace, req.Name, op.key)
	if err != nil {
		return nil, err
	}
	var zone ed25519.PrivateKey
	ok := false
	if c.cfg.Zone != nil {
		zone, ok = c.cfg.Zone(s.ns)
	}
	if !ok || proof.KeyOf(zone.Public().(ed25519.PublicKey)) != s.current().Current().Zone {
		return nil, refuse(wire.StatusUnsupported, 0)
	}
	if !c.registrations.Spend(c.remote, c.cfg.Now()) {
		return nil, refuse(wire.StatusTryAgain, retryQuota)
	}
	select { // one at a time: each takes some tenths of a second
	case <-c.maker.turn:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { c.maker.turn <- struct{}{} }()
	list, err := c.makeRecords(s, name, zone)
	return &pb.DirectoryResponse{Records: list}, err
}

func (d *Directory) makeRecords(s *space, name proof.Name, zone ed25519.PrivateKey) ([][]byte, error) {
	resp, err := d.getAttestation(&pb.GetAttestation{Namespace: s.ns[:], Name: string(name)})
	if err != nil {
		return nil, err
	}
	staple, err := proof.ParseStaple(resp.Staple)
	if err != nil {
		return nil, err
	}
	statement, err := proof.ParseStatement(staple.Statement)
	if err != nil {
		return nil, err
	}
	of, now := recordOf{s.ns, name, proof.KeyOf(zone.Public().(ed25519.PublicKey))}, d.seconds()
	if list := d.maker.get(of, statement.Version, now); list != nil {
		return list, nil
	}
	secret := record.Secret(string(name), s.ns)
	epoch := record.EpochAt(now)
	var list [][]byte
	for e := epoch; e < epoch+recordEpochs; e++ {
		b, err := record.Sign(zone, secret, record.Draft{
			Epoch: e, Version: statement.Version, Refresh: uint32(now.Unix()), Payload: resp.Staple,
		}, d.cfg.WorkBits)
		if err != nil {
			return nil, err
		}
		list = append(list, b)
	}
	d.maker.put(of, keptRecords{statement.Version, now, list})
	return list, nil
}
