package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"communicator/eventlog"
	"communicator/node/access"
	"communicator/node/config"
)

// fake is a node of which every answer is known.
type fake struct {
	uses    int
	removed string
	seen    time.Time
	broken  error
	health  Health
}

func (f *fake) Status(context.Context) (Status, error) {
	return Status{URI: "here", Running: true}, f.broken
}
func (f *fake) NewToken(_ context.Context, uses int) (string, error) {
	f.uses = uses
	return "token", f.broken
}
func (f *fake) Tokens(context.Context) ([]Token, error)     { return []Token{{"0a", 3}}, f.broken }
func (f *fake) Accounts(context.Context) ([]Account, error) { return []Account{{"0b", 1, 9}}, f.broken }
func (f *fake) RevokeToken(_ context.Context, id string) error {
	f.removed = "token " + id
	return f.broken
}
func (f *fake) RemoveAccount(_ context.Context, id string) error {
	f.removed = "account " + id
	return f.broken
}
func (f *fake) Drain(_ context.Context, on bool) (Drain, error) { return Drain{Draining: on}, f.broken }
func (f *fake) Backup(_ context.Context, w io.Writer) error {
	if _, err := io.WriteString(w, strings.Repeat("backup", 10_000)); err != nil {
		return err
	}
	return f.broken
}
func (f *fake) LogStat(context.Context) (eventlog.Stat, error) {
	return eventlog.Stat{Bodies: 7}, f.broken
}
func (f *fake) LogVerify(context.Context) (eventlog.Report, error) {
	return eventlog.Report{}, f.broken
}
func (f *fake) LogReclaim(context.Context) error { return f.broken }
func (f *fake) ConfirmClock(_ context.Context, seen time.Time) error {
	f.seen = seen
	return f.broken
}
func (f *fake) Close() error { return nil }

// serve starts a server and returns a client of it.
func serve(t *testing.T, dir string, f *fake) (*Server, *Client) {
	t.Helper()
	s, err := Listen(Config{
		Dir: dir, Listen: "127.0.0.1:0", Service: f, Metrics: prometheus.NewRegistry(),
		Health: func() Health { return f.health }, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, err := Dial(dir); !errors.Is(err, ErrNotRunning) {
			t.Errorf("after its end: %v", err)
		}
	})
	c, err := Dial(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return s, c
}

func TestRequestsAndAnswers(t *testing.T) {
	// A name longer than a socket's may be.
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f := &fake{}
	_, c := serve(t, dir, f)
	ctx := t.Context()
	if s, err := c.Status(ctx); err != nil || s.URI != "here" || !s.Running {
		t.Errorf("status %+v, %v", s, err)
	}
	if uri, err := c.NewToken(ctx, 12); err != nil || uri != "token" || f.uses != 12 {
		t.Errorf("token %q of %d uses, %v", uri, f.uses, err)
	}
	if list, err := c.Tokens(ctx); err != nil || !slices.Equal(list, []Token{{"0a", 3}}) {
		t.Errorf("tokens %v, %v", list, err)
	}
	if list, err := c.Accounts(ctx); err != nil || !slices.Equal(list, []Account{{"0b", 1, 9}}) {
		t.Errorf("accounts %v, %v", list, err)
	}
	if err := c.RevokeToken(ctx, "0a"); err != nil || f.removed != "token 0a" {
		t.Errorf("revoked %q, %v", f.removed, err)
	}
	if err := c.RemoveAccount(ctx, "0b"); err != nil || f.removed != "account 0b" {
		t.Errorf("removed %q, %v", f.removed, err)
	}
	if d, err := c.Drain(ctx, true); err != nil || !d.Draining {
		t.Errorf("drain %+v, %v", d, err)
	}
	if s, err := c.LogStat(ctx); err != nil || s.Bodies != 7 {
		t.Errorf("stat %+v, %v", s, err)
	}
	if _, err := c.LogVerify(ctx); err != nil {
		t.Error(err)
	}
	if err := c.LogReclaim(ctx); err != nil {
		t.Error(err)
	}
	seen := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := c.ConfirmClock(ctx, seen); err != nil || !f.seen.Equal(seen) {
		t.Errorf("confirmed %v, %v", f.seen, err)
	}
	if err := c.ConfirmClock(ctx, time.Time{}); err != nil || !f.seen.IsZero() {
		t.Errorf("confirmed %v, %v", f.seen, err)
	}
	var copied strings.Builder
	if err := c.Backup(ctx, &copied); err != nil || copied.Len() != 60_000 {
		t.Errorf("backup of %d bytes, %v", copied.Len(), err)
	}
	if st, err := os.Stat(filepath.Join(dir, SocketName)); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the socket's mode is %v, %v", st.Mode(), err)
	}
}

func TestFailuresAreTold(t *testing.T) {
	f := &fake{broken: errors.New("it is Tuesday")}
	_, c := serve(t, t.TempDir(), f)
	ctx := t.Context()
	var remote *RemoteError
	if _, err := c.Status(ctx); !errors.As(err, &remote) || remote.Text != "it is Tuesday" {
		t.Errorf("status: %v", err)
	}
	for _, want := range []error{access.ErrNotFound, access.ErrAmbiguous} {
		f.broken = fmt.Errorf("wrapped: %w", want)
		for _, err := range []error{c.RevokeToken(ctx, "0a"), c.RemoveAccount(ctx, "0b")} {
			if !errors.Is(err, want) || !errors.As(err, &remote) || remote.Text != f.broken.Error() {
				t.Errorf("%v arrives as %v", want, err)
			}
		}
	}
	if err := c.Backup(ctx, io.Discard); err == nil {
		t.Error("a backup that failed on the way passed for whole")
	}
	for _, path := range []string{"/token?uses=many", "/drain?on=perhaps", "/clock/confirm?seen=noon"} {
		path, query, _ := strings.Cut(path, "?")
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://node"+path+"?"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := c.http.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", path, response.Status)
		}
		_ = response.Body.Close()
	}
}

func TestHealth(t *testing.T) {
	f := &fake{health: Health{OK: true, Reason: "healthy"}}
	s, _ := serve(t, t.TempDir(), f)
	for _, h := range []Health{{true, "healthy"}, {false, "read-only"}} {
		f.health = h
		response, err := http.Get("http://" + s.Port().String() + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || (response.StatusCode == http.StatusOK) != h.OK || strings.TrimSpace(string(text)) != h.Reason {
			t.Errorf("%+v: %s %q, %v", h, response.Status, text, err)
		}
	}
	response, err := http.Get("http://" + s.Port().String() + "/status")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusNotFound {
		t.Errorf("the loopback port administers: %s", response.Status)
	}
}

func TestOnlyLoopback(t *testing.T) {
	for _, at := range []string{"0.0.0.0:0", "[::]:0", "192.0.2.1:9464", "localhost:1"} {
		_, err := Listen(Config{Dir: t.TempDir(), Listen: at, Logger: slog.New(slog.DiscardHandler)})
		if !errors.Is(err, config.ErrNotLoopback) {
			t.Errorf("%s: %v", at, err)
		}
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	dir := t.TempDir()
	if _, err := Dial(dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("nothing there: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, SocketName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Dial(dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("a dead process's: %v", err)
	}
	_, c := serve(t, dir, &fake{})
	if _, err := c.Status(t.Context()); err != nil {
		t.Error(err)
	}
}
