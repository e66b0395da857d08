package real

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"communicator/client"
	"communicator/simulations/script"
	"communicator/simulations/trace"
)

// message is how far one came.
type message uint8

const (
	sent     message = 1 << iota
	accepted         // an agent gave a receipt to the sender
	stored
	shown
	told // the sender knows that it will not arrive
)

// messages follow every message by its number, which its text begins with.
type messages struct {
	tape *tape

	mu       sync.Mutex // guards what follows
	all      []message  // by number
	pairs    [][2]int32 // sender and recipient
	open     int        // sent, neither shown nor told
	repeated int
	strange  int // texts that nobody sent
}

// text is what is sent as a message of so many bytes, at least its number.
func text(m script.Send) string {
	t := strconv.FormatUint(uint64(m.Number), 10) + " "
	return t + strings.Repeat("x", max(0, int(m.Size)-len(t)))
}

func numberOf(text string) (uint32, bool) {
	number, _, _ := strings.Cut(text, " ")
	n, err := strconv.ParseUint(number, 10, 32)
	return uint32(n), err == nil
}

func (t *messages) sent(m script.Send) {
	t.mu.Lock()
	for int(m.Number) >= len(t.all) {
		t.all, t.pairs = append(t.all, 0), append(t.pairs, [2]int32{})
	}
	t.all[m.Number], t.pairs[m.Number] = sent, [2]int32{m.From, m.To}
	t.open++
	t.mu.Unlock()
	e := blank(trace.Sent)
	e.Message, e.User, e.Peer, e.Size = m.Number, m.From, m.To, m.Size
	t.tape.event(e)
}

// mark notes that a message came further, and says whether it was not so before.
func (t *messages) mark(number uint32, what message) (pair [2]int32, fresh bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if int(number) >= len(t.all) || t.all[number] == 0 {
		t.strange++
		return pair, false
	}
	was := t.all[number]
	t.all[number] |= what
	if was&(shown|told) == 0 && t.all[number]&(shown|told) != 0 {
		t.open--
	}
	if was&what != 0 && what == shown {
		t.repeated++
	}
	return t.pairs[number], was&what == 0
}

// showed notes a message that reader's client has shown.
func (t *messages) showed(reader int32, text string) {
	number, ok := numberOf(text)
	if !ok {
		return
	}
	pair, fresh := t.mark(number, shown)
	e := blank(trace.Received)
	if !fresh {
		e.Kind = trace.Repeated
	}
	e.Message, e.User, e.Peer = number, pair[0], reader
	t.tape.event(e)
}

var kinds = map[client.MessageState]struct {
	mark message
	kind trace.Kind
}{
	client.Submitted: {accepted, trace.Accepted},
	client.Stored:    {stored, trace.Stored},
	client.Expired:   {told, trace.Expired},
	client.Failed:    {told, trace.Failed},
}

// went notes what a sender's client was told of a message. By is the agent that said so.
func (t *messages) went(number uint32, state client.MessageState, by int32, mailbox uint64) {
	k, ok := kinds[state]
	if !ok {
		return
	}
	pair, fresh := t.mark(number, k.mark)
	if !fresh {
		return
	}
	e := blank(k.kind)
	e.Message, e.User, e.Peer, e.Mailbox = number, pair[0], pair[1], mailbox
	if state == client.Stored {
		e.Other = by
	} else {
		e.Agent = by
	}
	t.tape.event(e)
}

// underWay is how many have neither been shown nor given up.
func (t *messages) underWay() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open
}

// tally is what there is to say at the end.
type tally struct {
	sent, accepted, shown, told, repeated, strange int
	missing                                        []uint32 // accepted, neither shown nor told
}

func (t *messages) tally() (out tally) {
	t.mu.Lock()
	defer t.mu.Unlock()
	out.repeated, out.strange = t.repeated, t.strange
	for i, m := range t.all {
		for _, c := range []struct {
			flag  message
			count *int
		}{{sent, &out.sent}, {accepted, &out.accepted}, {shown, &out.shown}, {told, &out.told}} {
			if m&c.flag != 0 {
				*c.count++
			}
		}
		if m&accepted != 0 && m&(shown|told) == 0 {
			out.missing = append(out.missing, uint32(i))
		}
	}
	return out
}

// describe names a message for a broken invariant.
func (t *messages) describe(number uint32) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprintf("message %d from user %d to user %d", number, t.pairs[number][0], t.pairs[number][1])
}
