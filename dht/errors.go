package dht

import "errors"

// Errors, beside those of dht/record for what is published.
var (
	// ErrConfig: a configuration that cannot work.
	ErrConfig = errors.New("dht: bad configuration")
	// ErrClosed: the overlay was closed.
	ErrClosed = errors.New("dht: closed")
	// ErrNoPeers: no peer of the overlay is known or reachable.
	ErrNoPeers = errors.New("dht: no peers")
	// ErrNotFound: the search ended without a valid record.
	ErrNotFound = errors.New("dht: no record found")
	// ErrNotStored: for one record at least, no peer acknowledged a copy.
	ErrNotStored = errors.New("dht: stored nowhere")
	// ErrTooMany: over a limit on keys or records.
	ErrTooMany = errors.New("dht: too many at once")
	// ErrFull: the node's quota is used up by records nearer to it.
	ErrFull = errors.New("dht: store is full")

	errReply   = errors.New("dht: reply does not fit the request")
	errRequest = errors.New("dht: request too large, or too many")
)
