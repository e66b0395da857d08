package main

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"communicator/client"
	"communicator/particle"
)

// TestTextsCannotDriveTheTerminal sends what a terminal acts on through both forms.
func TestTextsCannotDriveTheTerminal(t *testing.T) {
	const hostile = "a\x1b[2J\u009b2J\u202e\x7f\rb"
	var out strings.Builder
	if err := printJSON(&out, map[string]string{"text": hostile}); err != nil {
		t.Fatal(err)
	}
	var back map[string]string
	if err := json.Unmarshal([]byte(out.String()), &back); err != nil || back["text"] != hostile {
		t.Fatalf("%q does not decode to what went in: %v", out.String(), err)
	}
	for _, shown := range []string{out.String(), printable(hostile)} {
		for _, r := range strings.TrimSuffix(shown, "\n") {
			if drives(r) {
				t.Errorf("%q holds %U", shown, r)
			}
		}
	}
}

// TestTextsCannotPassForMessages checks that a second line is indented.
func TestTextsCannotPassForMessages(t *testing.T) {
	var out strings.Builder
	m := client.Message{Contact: "mallory", Incoming: true, Sent: time.Unix(0, 0), Text: "hi\n2026-01-01 10:00:00  blair: forged"}
	if err := printMessage(&out, m); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(out.String(), "\n"); !strings.HasPrefix(lines[1], "    ") {
		t.Errorf("%q", out.String())
	}
}

// TestWaitingIsExplained once, and only to who has waited for a while.
func TestWaitingIsExplained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var quick, slow strings.Builder
		stop := noteWaiting(&quick)
		time.Sleep(waitQuiet / 2)
		stop()
		stop = noteWaiting(&slow)
		time.Sleep(10 * waitQuiet)
		stop()
		if quick.Len() > 0 || strings.Count(slow.String(), "\n") != 1 || !strings.Contains(slow.String(), "communicator status") {
			t.Errorf("%q after half the time, %q after ten times", quick.String(), slow.String())
		}
	})
}

// TestALineThatIsTooLongEndsNoChat: it comes cut, but too long still, for Send to refuse.
func TestALineThatIsTooLongEndsNoChat(t *testing.T) {
	in := strings.NewReader("a\n\n" + strings.Repeat("x", 3*particle.MaxText) + "\nb")
	lines, ended := make(chan string), make(chan error, 1)
	go readLines(t.Context(), in, lines, ended)
	if got := <-lines; got != "a" {
		t.Errorf("%q", got)
	}
	if got := <-lines; len(got) != particle.MaxText+1 {
		t.Errorf("%d bytes", len(got))
	}
	if got := <-lines; got != "b" {
		t.Errorf("%q", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
