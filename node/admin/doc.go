// Package admin is how a node is administered while it runs: HTTP with JSON on the
// unix socket DIR/admin.sock, which only the directory's owner can reach, and
// /metrics and /healthz on a loopback TCP port.
//
//	GET  /status          [Status]
//	POST /token?uses=N    {"uri": …}: the agent's URI with a new token
//	GET  /tokens          a list of [Token]
//	POST /token/revoke?id=ID
//	GET  /accounts        a list of [Account]
//	POST /account/remove?id=ID
//	POST /drain?on=true   stops or resumes the making of mailboxes: [Drain]
//	GET  /backup          a backup, as a stream; a failure breaks the connection
//	GET  /log/stat        eventlog.Stat
//	POST /log/verify      eventlog.Report, once everything has been read
//	POST /log/reclaim     takes erased bodies off the files
//	POST /clock/confirm?seen=T   trusts the machine's clock, which showed T
//
// A failure is answered with a status code and {"error": …}; 404 is an id that nothing
// has, 409 one that begins several. There is no request to stop the node: signals do
// that. Nothing here names a peer, an address other than the node's own, or a mailbox.
// An account's id is a number that its profile has drawn; what belongs to it is counted,
// never listed.
package admin
