package nearby

import (
	"time"

	"communicator/particle"
)

const (
	// MaxName is the longest announced name in bytes of UTF-8.
	MaxName = 32
	// MaxPeers is how many others are listed; more are turned away.
	MaxPeers = 32
	// nonceSize is the length of r and of the nonce.
	nonceSize = 32
	// maxFrame is the longest frame without its length: a reveal or an open.
	maxFrame = 1 + nonceSize + particle.MaxPackage
	// maxPeerID is the longest binary peer id that a transcript takes.
	maxPeerID = 64
	// queued is how many frames of one peer are read ahead.
	queued = 2

	// greetTime is how long connecting and greeting may take.
	greetTime = 10 * time.Second
	// exchangeTime is how long commit, reveal and open may take together.
	exchangeTime = 20 * time.Second
	// verdictTime is how long the other person may take to compare, after ours has.
	verdictTime = 5 * time.Minute
	// partTime is how long the end of an exchange waits for the other side to have heard it.
	partTime = 3 * time.Second
	// dialTries is how often a peer that was found is dialled, with dialPause between.
	dialTries = 3
	dialPause = time.Second

	// Connections and streams of the host, beside what one peer may have.
	maxConns        = 2 * MaxPeers
	maxStreams      = 4 * MaxPeers
	maxConnsPeer    = 2
	maxStreamsPeer  = 8 // identify takes some
	maxMemory       = 64 << 20
	maxFileHandles  = 2 * maxConns
	serviceName     = "_comm-nearby._udp"
	protocolVersion = 1
)
