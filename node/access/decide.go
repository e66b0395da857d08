package access

import (
	"encoding/binary"
	"math/bits"
	"time"

	"communicator/wire"
)

// Policy is a way to give permission.
type Policy uint8

// Policies.
const (
	Open  Policy = 1
	Token Policy = 2
	Peers Policy = 3
)

// Claim is what a Hello says, looked at without state.
type Claim struct {
	Account wire.AccountID
	Token   *[32]byte // hash of the token, nil if none was presented
	Work    bool      // the proof of work is good
	Listed  bool      // the peer is in the operator's list
}

// Facts are what the rows say about a claim.
type Facts struct {
	Known bool   // the account is open
	Uses  uint32 // accounts that the claim's token can still open
}

// Verdict is the answer to a claim.
type Verdict uint8

// Verdicts.
const (
	Refused     Verdict = iota
	Granted             // nothing to remember
	OpenAccount         // granted, at the price of one use of the token
)

// Decide answers a claim under a policy.
func Decide(p Policy, c Claim, f Facts) Verdict {
	switch {
	case p == Peers:
		if c.Listed {
			return Granted
		}
		return Refused
	case f.Known, p == Open && c.Work:
		return Granted
	case c.Token != nil && f.Uses > 0:
		return OpenAccount
	}
	return Refused
}

// Work is a proof of work: a nonce for which
//
//	H("comm/1/pow" ‖ agent id 32 ‖ account 16 ‖ u64 hour ‖ u64 nonce)
//
// has enough leading zero bits.
type Work struct {
	Hour  uint64 // Unix time / 3600
	Nonce uint64
}

// HourOf is the hour that a proof of work made at t names.
func HourOf(t time.Time) uint64 { return uint64(max(0, t.Unix())) / 3600 }

// Zeros counts the leading zero bits of the proof.
func (w Work) Zeros(agent wire.AgentID, account wire.AccountID) int {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], w.Hour)
	binary.BigEndian.PutUint64(b[8:], w.Nonce)
	h := wire.Hash(wire.LabelPoW, agent[:], account[:], b[:])
	zeros := 0
	for _, v := range h {
		zeros += bits.LeadingZeros8(v)
		if v != 0 {
			break
		}
	}
	return zeros
}

// Good says whether the proof is of this hour or a neighbour and hard enough.
func (w Work) Good(agent wire.AgentID, account wire.AccountID, now time.Time, difficulty int) bool {
	hour := HourOf(now)
	return w.Hour+workHours >= hour && w.Hour <= hour+workHours && w.Zeros(agent, account) >= difficulty
}
