// Package mux carries many requests at once over one io.ReadWriteCloser: every
// Communicator protocol runs on it, over one long-lived stream per pair of peers,
// because a stream for each request costs many times the CPU.
//
// A stream is a sequence of frames in each direction:
//
//	frame  = uvarint length ‖ pb.Frame{id, type, body}
//	length = bytes of the message, 1 to MaxFrame, in the fewest bytes
//
// One side asks (it opened the stream and owns a [Client]), the other answers
// ([Serve]). The asker gives each request a number, 1 or higher, that none of its
// requests in flight has; answers come in any order:
//
//	asker     REQUEST id body          one request
//	          CANCEL  id               no more answers are wanted
//	answerer  ITEM     id body         one of several answers, more follow
//	          RESPONSE id body         the last, or only, answer
//
// A body is the protocol's own protobuf message. What breaks these rules resets the
// stream. docs/streams.md has them all, with the limits of limits.go.
//
// # Buffers, goroutines, back-pressure
//
// Frames are encoded into and read into pooled buffers. Each side has one goroutine
// that reads and, while there is something to write, one that writes; the writer takes
// everything that is queued at once and so flushes exactly when its queue is empty. The
// answering side runs each request on its own goroutine. Close, and the return of Serve,
// join them all. A side that is idle holds one goroutine and half a kilobyte.
//
// Everything that can pile up is bounded: requests in flight by count and bytes
// (reading pauses), frames waiting to be written (whoever adds one waits), items
// waiting for a slow consumer (reading pauses while nothing else is asked on the
// stream, else that consumer's request ends with [ErrSlow]).
package mux
