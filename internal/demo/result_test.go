package demo

import (
	"encoding/json"
	"strings"
	"testing"
)

// allHeld is a result of which nothing is wrong.
func allHeld() Result {
	return Result{Sent: 4, Delivered: 4, Agents: 10, Killed: 1,
		Names:        Names{Registered: 1, OverlayNodes: 9, LookupBeforeLoss: true, Killed: 3, LookupAfterLoss: true, Hops: 2, ProofBytes: 1},
		Broker:       Broker{Contacts: 1, Attested: true, Messages: 2},
		Introduction: Introduction{Made: true, Consents: 2, Messages: 2},
		Fork:         Fork{Lied: true, Caught: true, ProofBytes: 1},
	}
}

func TestOK(t *testing.T) {
	if !allHeld().OK() {
		t.Fatal("nothing is wrong, and it is not OK")
	}
	if (Result{}).OK() {
		t.Error("nothing happened, and it is OK")
	}
	for what, spoil := range map[string]func(*Result){
		"nothing sent":          func(r *Result) { r.Sent, r.Delivered = 0, 0 },
		"one lost":              func(r *Result) { r.Lost, r.Delivered = 1, 3 },
		"one doubled":           func(r *Result) { r.Duplicated = 1 },
		"a leak":                func(r *Result) { r.Leaks = 1 },
		"an alarm":              func(r *Result) { r.Alarms = 1 },
		"no name":               func(r *Result) { r.Names.Registered = 0 },
		"not found before":      func(r *Result) { r.Names.LookupBeforeLoss = false },
		"not found after":       func(r *Result) { r.Names.LookupAfterLoss = false },
		"less than a third":     func(r *Result) { r.Names.Killed = 2 },
		"no proof of the name":  func(r *Result) { r.Names.ProofBytes = 0 },
		"nobody vended":         func(r *Result) { r.Broker.Contacts = 0 },
		"not attested":          func(r *Result) { r.Broker.Attested = false },
		"nothing written":       func(r *Result) { r.Broker.Messages = 0 },
		"not introduced":        func(r *Result) { r.Introduction.Made = false },
		"one agreed":            func(r *Result) { r.Introduction.Consents = 1 },
		"a fork not caught":     func(r *Result) { r.Fork.Caught = false },
		"a fork without a lie":  func(r *Result) { r.Fork.Lied = false },
		"no proof of the fork":  func(r *Result) { r.Fork.ProofBytes = 0 },
		"introduced and silent": func(r *Result) { r.Introduction.Messages = 0 },
	} {
		r := allHeld()
		spoil(&r)
		if r.OK() {
			t.Errorf("%s, and it is OK", what)
		}
	}
}

func TestCount(t *testing.T) {
	var r Result
	for _, times := range []int{1, 0, 3, 1} {
		r.count(times)
	}
	if r.Delivered != 3 || r.Lost != 1 || r.Duplicated != 2 {
		t.Errorf("%d delivered, %d lost, %d doubled", r.Delivered, r.Lost, r.Duplicated)
	}
}

// TestJSON: scripts read these.
func TestJSON(t *testing.T) {
	b, err := json.Marshal(allHeld())
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"sent", "delivered", "lost", "duplicated", "rotations", "agents", "killed", "leaks", "alarms",
		"seconds", "who_saw_what", "names.registered", "names.overlay_nodes", "names.killed", "names.lookup_after_loss",
		"names.proof_bytes", "broker.contacts", "broker.messages", "introduction.made", "fork.caught", "fork.proof_bytes"} {
		var v any = got
		for part := range strings.SplitSeq(path, ".") {
			v = v.(map[string]any)[part]
		}
		if v == nil && path != "who_saw_what" {
			t.Errorf("no %s in %s", path, b)
		}
	}
}

func TestPrintNamesWhatIsWrong(t *testing.T) {
	r := allHeld()
	r.Seen, r.Found, r.Alarms = seen(), []string{"receiving agent 1: a text in 000001.vlog"}, 2
	var b strings.Builder
	if err := r.Print(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"WHO", "LEAK: receiving agent 1: a text", "ALARMS: 2", "4 messages sent, 4 delivered"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}
