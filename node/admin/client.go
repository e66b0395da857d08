package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"communicator/eventlog"
)

// Client asks a running node.
type Client struct {
	http *http.Client
}

var _ Service = (*Client)(nil)

// RemoteError is a request that the node refused or failed at.
type RemoteError struct {
	Code int // HTTP status
	Text string
}

func (e *RemoteError) Error() string { return e.Text }

// Is lets a caller tell the errors of [Service] apart.
func (e *RemoteError) Is(target error) bool { return e.Code == codes[target] }

// Dial connects to the node that runs on a directory, or fails with
// [ErrNotRunning].
func Dial(dir string) (*Client, error) {
	path := filepath.Join(dir, SocketName)
	dial := func(ctx context.Context, _, _ string) (conn net.Conn, err error) {
		err = withShortPath(path, func(short string) (err error) {
			conn, err = (&net.Dialer{}).DialContext(ctx, "unix", short)
			return err
		})
		return conn, err
	}
	probe, err := dial(context.Background(), "", "")
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, ErrNotRunning
	case err != nil:
		return nil, err
	}
	if err := probe.Close(); err != nil {
		return nil, err
	}
	return &Client{&http.Client{Transport: &http.Transport{DialContext: dial}}}, nil
}

// Close closes idle connections.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

func (c *Client) ask(ctx context.Context, method, path string, query url.Values, into any) error {
	body, err := c.open(ctx, method, path, query)
	if err != nil {
		return err
	}
	defer body.Close()
	return json.NewDecoder(body).Decode(into)
}

func (c *Client) open(ctx context.Context, method, path string, query url.Values) (io.ReadCloser, error) {
	u := url.URL{Scheme: "http", Host: "node", Path: path, RawQuery: query.Encode()}
	request, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode == http.StatusOK {
		return response.Body, nil
	}
	defer response.Body.Close()
	var refused errorReply
	if err := json.NewDecoder(io.LimitReader(response.Body, maxHeaderBytes)).Decode(&refused); err != nil {
		refused.Error = fmt.Sprintf("the node answered %s", response.Status)
	}
	return nil, &RemoteError{response.StatusCode, refused.Error}
}

// Status implements [Service].
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	return s, c.ask(ctx, http.MethodGet, "/status", nil, &s)
}

// NewToken implements [Service].
func (c *Client) NewToken(ctx context.Context, uses int) (string, error) {
	var r tokenReply
	err := c.ask(ctx, http.MethodPost, "/token", url.Values{"uses": {strconv.Itoa(uses)}}, &r)
	return r.URI, err
}

// Tokens implements [Service].
func (c *Client) Tokens(ctx context.Context) (list []Token, err error) {
	return list, c.ask(ctx, http.MethodGet, "/tokens", nil, &list)
}

// RevokeToken implements [Service].
func (c *Client) RevokeToken(ctx context.Context, id string) error {
	return c.ask(ctx, http.MethodPost, "/token/revoke", url.Values{"id": {id}}, &struct{}{})
}

// Accounts implements [Service].
func (c *Client) Accounts(ctx context.Context) (list []Account, err error) {
	return list, c.ask(ctx, http.MethodGet, "/accounts", nil, &list)
}

// RemoveAccount implements [Service].
func (c *Client) RemoveAccount(ctx context.Context, id string) error {
	return c.ask(ctx, http.MethodPost, "/account/remove", url.Values{"id": {id}}, &struct{}{})
}

// Drain implements [Service].
func (c *Client) Drain(ctx context.Context, on bool) (d Drain, err error) {
	return d, c.ask(ctx, http.MethodPost, "/drain", url.Values{"on": {strconv.FormatBool(on)}}, &d)
}

// Backup implements [Service].
func (c *Client) Backup(ctx context.Context, w io.Writer) error {
	body, err := c.open(ctx, http.MethodGet, "/backup", nil)
	if err != nil {
		return err
	}
	defer body.Close()
	if _, err := io.Copy(w, body); err != nil {
		return fmt.Errorf("backup is not whole: %w", err)
	}
	return nil
}

// LogStat implements [Service].
func (c *Client) LogStat(ctx context.Context) (s eventlog.Stat, err error) {
	return s, c.ask(ctx, http.MethodGet, "/log/stat", nil, &s)
}

// LogVerify implements [Service].
func (c *Client) LogVerify(ctx context.Context) (r eventlog.Report, err error) {
	return r, c.ask(ctx, http.MethodPost, "/log/verify", nil, &r)
}

// LogReclaim implements [Service].
func (c *Client) LogReclaim(ctx context.Context) error {
	return c.ask(ctx, http.MethodPost, "/log/reclaim", nil, &struct{}{})
}

// ConfirmClock implements [Service].
func (c *Client) ConfirmClock(ctx context.Context, seen time.Time) error {
	query := url.Values{}
	if !seen.IsZero() {
		query.Set("seen", seen.Format(time.RFC3339))
	}
	return c.ask(ctx, http.MethodPost, "/clock/confirm", query, &struct{}{})
}
