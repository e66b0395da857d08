// Package node puts the roles of an agent together: it opens a directory, starts a
// libp2p host, registers the stream handlers of [communicator/relay] (sending) and
// [communicator/mailbox] (receiving), keeps the service descriptor true, and does
// what has to be done in the background. It holds no protocol logic.
//
// # Directory
//
//	DIR/config.toml   what the operator decides (node/config)
//	DIR/lock          held by the process that runs the node
//	DIR/admin.sock    where node/admin answers while it runs
//	DIR/keys/         root.key: the agent's identity; the others come and go with
//	                  time (mailbox/keyring). Never in a backup.
//	DIR/log/          the event log (eventlog)
//	DIR/descriptor    the signed descriptor and the hashes that lead to it
//	DIR/clock         the last time that the node trusted
//
// Everything of DIR is readable by its owner alone.
//
// # Background work
//
// Every minute the clock is looked at ([clockGuard]) and its time noted. Hourly the
// keyring rotates, erased bodies are taken off the log's files, and the descriptor
// is signed again if anything in it has changed. Daily the log drops headers beyond
// the retention time. A log that has failed ends [Node.Run] with an error: the
// process must end, and a new one recovers.
package node
