package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"communicator/node/access"
	"communicator/node/config"
)

// SocketName is the socket's name in a node's directory.
const SocketName = "admin.sock"

// Limits of the servers.
const (
	headerTimeout   = 5 * time.Second
	shutdownTimeout = 5 * time.Second
	maxHeaderBytes  = 16 << 10
	// maxSocketPath is what a socket's name may have in Linux, its final zero aside.
	maxSocketPath = 107
)

// Server answers on the socket and the loopback port.
type Server struct {
	socket, port net.Listener // port may be nil
	path         string
	service      Service
	metrics      prometheus.Gatherer
	health       func() Health
	logger       *slog.Logger
}

// Config is what a server needs.
type Config struct {
	Dir     string // where the socket goes
	Listen  string // loopback address of /metrics and /healthz, or empty
	Service Service
	Metrics prometheus.Gatherer
	Health  func() Health
	Logger  *slog.Logger
}

// Listen opens the socket and the port; [Server.Serve] answers on them. The caller
// holds the directory's lock: a socket that is there is a dead process's.
func Listen(c Config) (*Server, error) {
	s := &Server{
		path: filepath.Join(c.Dir, SocketName), service: c.Service, metrics: c.Metrics, health: c.Health, logger: c.Logger,
	}
	if c.Listen != "" {
		at, err := netip.ParseAddrPort(c.Listen)
		if err != nil || !at.Addr().IsLoopback() {
			return nil, &config.Error{Key: "admin.listen", Err: config.ErrNotLoopback}
		}
		if s.port, err = net.Listen("tcp", c.Listen); err != nil {
			return nil, fmt.Errorf("admin.listen: %w; set another port, or none, in config.toml or with --admin", err)
		}
	}
	if err := os.Remove(s.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, errors.Join(err, s.Close())
	}
	err := withShortPath(s.path, func(path string) (err error) {
		s.socket, err = net.Listen("unix", path)
		return err
	})
	if err == nil {
		s.socket.(*net.UnixListener).SetUnlinkOnClose(false) // its name may be a short one
		err = os.Chmod(s.path, 0o600)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("administration socket: %w", err), s.Close())
	}
	return s, nil
}

// withShortPath calls use with a name of the file that a socket can have: through
// its directory's descriptor if its own is too long.
func withShortPath(path string, use func(string) error) error {
	if len(path) <= maxSocketPath {
		return use(path)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return use(fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)))
}

// Port is the address of /metrics and /healthz, nil if there is none.
func (s *Server) Port() net.Addr {
	if s.port == nil {
		return nil
	}
	return s.port.Addr()
}

// Close closes the listeners and removes the socket.
func (s *Server) Close() error {
	var errs []error
	for _, l := range []net.Listener{s.socket, s.port} {
		if l != nil {
			if err := l.Close(); !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
	}
	if s.socket != nil {
		if err := os.Remove(s.path); !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Serve answers until ctx ends, then gives what is under way a moment and joins it.
func (s *Server) Serve(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	s.serve(ctx, group, s.socket, s.handler())
	if s.port != nil {
		s.serve(ctx, group, s.port, s.public())
	}
	return errors.Join(group.Wait(), s.Close())
}

func (s *Server) serve(ctx context.Context, group *errgroup.Group, l net.Listener, h http.Handler) {
	requests, cancel := context.WithCancel(context.WithoutCancel(ctx))
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog:    slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return requests },
	}
	group.Go(func() error {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		cancel() // long ones, such as a backup, end now
		limit, done := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer done()
		if err := server.Shutdown(limit); err != nil {
			return server.Close()
		}
		return nil
	})
}

// public is what every process on the machine may ask.
func (s *Server) public() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		h := s.health()
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if !h.OK {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = fmt.Fprintln(w, h.Reason)
	})
	return mux
}

// handler is what the directory's owner may ask.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	answer := func(pattern string, ask func(*http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			v, err := ask(r)
			reply(w, v, err)
		})
	}
	answer("GET /status", func(r *http.Request) (any, error) { return s.service.Status(r.Context()) })
	answer("GET /log/stat", func(r *http.Request) (any, error) { return s.service.LogStat(r.Context()) })
	answer("POST /log/verify", func(r *http.Request) (any, error) { return s.service.LogVerify(r.Context()) })
	answer("POST /log/reclaim", func(r *http.Request) (any, error) { return struct{}{}, s.service.LogReclaim(r.Context()) })
	answer("GET /tokens", func(r *http.Request) (any, error) { return s.service.Tokens(r.Context()) })
	answer("POST /token/revoke", func(r *http.Request) (any, error) {
		return struct{}{}, s.service.RevokeToken(r.Context(), r.FormValue("id"))
	})
	answer("GET /accounts", func(r *http.Request) (any, error) { return s.service.Accounts(r.Context()) })
	answer("POST /account/remove", func(r *http.Request) (any, error) {
		return struct{}{}, s.service.RemoveAccount(r.Context(), r.FormValue("id"))
	})
	answer("POST /token", func(r *http.Request) (any, error) {
		uses, err := strconv.Atoi(r.FormValue("uses"))
		if err != nil {
			return nil, &badRequest{"uses is not a number"}
		}
		uri, err := s.service.NewToken(r.Context(), uses)
		return tokenReply{uri}, err
	})
	answer("POST /drain", func(r *http.Request) (any, error) {
		on, err := strconv.ParseBool(r.FormValue("on"))
		if err != nil {
			return nil, &badRequest{"on is neither true nor false"}
		}
		return s.service.Drain(r.Context(), on)
	})
	answer("POST /clock/confirm", func(r *http.Request) (any, error) {
		var seen time.Time
		if text := r.FormValue("seen"); text != "" {
			var err error
			if seen, err = time.Parse(time.RFC3339, text); err != nil {
				return nil, &badRequest{"seen is not a time"}
			}
		}
		return struct{}{}, s.service.ConfirmClock(r.Context(), seen)
	})
	mux.HandleFunc("GET /backup", s.backup)
	return mux
}

func (s *Server) backup(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/octet-stream")
	if err := s.service.Backup(r.Context(), w); err != nil {
		s.logger.Error("backup failed", "err", err)
		panic(http.ErrAbortHandler) // the client must not take it for whole
	}
}

type tokenReply struct {
	URI string `json:"uri"`
}

type errorReply struct {
	Error string `json:"error"`
}

// codes of the errors that a client tells apart.
var codes = map[error]int{
	access.ErrNotFound:  http.StatusNotFound,
	access.ErrAmbiguous: http.StatusConflict,
}

type badRequest struct{ why string }

func (e *badRequest) Error() string { return e.why }

func reply(w http.ResponseWriter, v any, err error) {
	w.Header().Set("Content-Type", "application/json")
	code := http.StatusOK
	if err != nil {
		var bad *badRequest
		code, v = http.StatusInternalServerError, errorReply{err.Error()}
		if errors.As(err, &bad) {
			code = http.StatusBadRequest
		}
		for known, its := range codes {
			if errors.Is(err, known) {
				code = its
			}
		}
	}
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // a client that has gone has gone
}
