// Package admin is how a node is administered while it runs: HTTP with JSON on the
// unix socket DIR/admin.sock, which only the directory's owner can reach, and
// /metrics and /healthz on a loopback TCP port.
//
//	GET  /status          [Status]
//	POST /token?uses=N    {"uri": …}: the agent's URI with a new token
//	POST /drain?on=true   stops or resumes the making of mailboxes: [Drain]
//	GET  /backup          a backup, as a stream; a failure breaks the connection
//	GET  /log/stat        eventlog.Stat
//	POST /log/verify      eventlog.Report, once everything has been read
//	POST /log/reclaim     takes erased bodies off the files
//	POST /clock/confirm?seen=T   trusts the machine's clock, which showed T
//
// A failure is answered with a status code and {"error": …}. There is no request to
// stop the node: signals do that. Nothing here names a peer, an address other than
// the node's own, a mailbox or an account.
package admin
