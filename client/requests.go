package client

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"communicator/client/store"
)

// RequestState is where a request or an introduction stands.
type RequestState = store.IntroductionState

// The states of a request.
const (
	RequestAsked    = store.IntroductionAsked    // waits for an answer
	RequestAccepted = store.IntroductionAccepted // waits for the other side
	RequestPassed   = store.IntroductionPassed   // both agreed; the conversation begins
	RequestDone     = store.IntroductionDone     // the contact was made
	RequestDeclined = store.IntroductionDeclined
	RequestEnded    = store.IntroductionEnded // taken back, or the other side declined
	RequestExpired  = store.IntroductionExpired
	RequestRefused  = store.IntroductionRefused // what came was not usable
)

// Request is something that waits, or waited, for consent: an introduction that somebody
// offers us, or one that we have begun.
type Request struct {
	ID      string // for Approve and Decline
	Waiting bool   // for our own answer
	State   RequestState
	From    string // who introduces us; empty for an introduction of our own
	Name    string // who we are introduced to, as From calls them
	Note    string // of who introduces
	Contact string // who came of it, by our name for them
	// Sides are the two whom we introduce, empty otherwise.
	Sides   []RequestSide
	Nearby  bool // a direct exchange, which nobody introduces
	Created time.Time
	Expires time.Time // for the answers
}

// RequestSide is one of two whom we introduce.
type RequestSide struct {
	Name  string
	State RequestState
}

// Words says where a request stands, as a person reads it.
func (r Request) Words() string {
	if len(r.Sides) == 2 {
		return r.sidesWords()
	}
	if r.Nearby && r.State == RequestAsked {
		return "a direct exchange that was not completed"
	}
	switch r.State {
	case RequestAsked:
		return "waits for your answer"
	case RequestAccepted:
		return "you agreed; waiting for the other side"
	case RequestPassed:
		return "both agreed; waiting for the conversation to begin"
	case RequestDone:
		return "you know each other now"
	case RequestDeclined:
		return "you declined"
	case RequestEnded:
		return "it will not happen"
	case RequestExpired:
		return "expired: it was not completed in time"
	}
	return "stopped: what came was not usable"
}

func (r Request) sidesWords() string {
	words := map[RequestState]string{
		RequestAsked: "has not answered yet", RequestAccepted: "agreed", RequestPassed: "has what it takes",
		RequestDeclined: "declined", RequestEnded: "was told that it will not happen",
		RequestExpired: "did not answer in time", RequestRefused: "sent something unusable",
	}
	var out []string
	for _, s := range r.Sides {
		out = append(out, s.Name+" "+words[s.State])
	}
	return strings.Join(out, "; ")
}

// Requests lists what waits for consent, oldest first, and with all also what has ended.
func (c *Client) Requests(ctx context.Context, all bool) ([]Request, error) {
	var out []Request
	err := c.st.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.Introductions()
		if err != nil {
			return err
		}
		seen := map[store.ID]bool{}
		for _, i := range rows {
			if i.Role == store.RoleIntroducer && seen[i.ID] {
				continue
			}
			seen[i.ID] = true
			r, err := requestOf(tx, i)
			if err != nil {
				return err
			}
			if all || r.open() {
				out = append(out, r)
			}
		}
		return nil
	})
	return out, err
}

// open says whether something can still happen, as far as we know.
func (r Request) open() bool {
	if len(r.Sides) == 0 {
		return r.State.Open()
	}
	for _, s := range r.Sides {
		if waitsForOne(s.State) {
			return true
		}
	}
	return false
}

// requestOf makes a request of a row, and of the other side's if we introduce.
func requestOf(tx *store.Tx, i store.Introduction) (Request, error) {
	r := Request{ID: fmt.Sprintf("%s%d", introductionPrefix, i.Seq), State: i.State, Note: i.Note,
		Created: i.Created, Expires: i.Expiry}
	if i.Role == store.RoleIntroducer {
		r.Sides = []RequestSide{{i.Via, i.State}}
		other, err := tx.OtherIntroduction(i)
		if err == nil {
			r.Sides = append(r.Sides, RequestSide{other.Via, other.State})
			r.ID = fmt.Sprintf("%s%d", introductionPrefix, min(i.Seq, other.Seq))
		} else if errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		return r, err
	}
	r.From, r.Name, r.Nearby = i.Via, i.Name, i.Role == store.RoleNearby
	r.Waiting = i.State == store.IntroductionAsked && !r.Nearby
	if i.Result != (store.ID{}) {
		row, err := tx.Contact(i.Result)
		if err != nil {
			return r, err
		}
		r.Contact = row.Name
	}
	return r, nil
}

// introductionPrefix begins the ids of introductions among requests.
const introductionPrefix = "i"

// parseRequest reads a request's id.
func parseRequest(id string) (int64, error) {
	number, ok := strings.CutPrefix(id, introductionPrefix)
	seq, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil || seq <= 0 || strconv.FormatInt(seq, 10) != number {
		return 0, ErrNoSuchRequest
	}
	return seq, nil
}
