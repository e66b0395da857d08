// Command rivals measures durable messaging of others beside this project's, on one
// machine, in one run, by turns, and prints the ratios:
//
//	go run -C internal/bench/rivals . --clients 64 --clients 256 --json
//
// It is a module of its own, so that the rivals are no dependencies of the program.
//
// # What is compared
//
// Each client of each side has one message of the same size under way and sends the
// next when that one is done. All of it runs over loopback on the same disk, clients
// included; a round measures every side once, in turn, and medians are taken over the
// rounds. The rivals are set up in their favour and do less:
//
//	ours     `communicator bench deliver`: client → sending agent → receiving agent →
//	         outcome back at the client. Encrypted connections, a fresh X-Wing seal for
//	         each message; synced to disk at both agents; done when the client has
//	         opened the sealed outcome.
//	nats     client → NATS JetStream, R1, file storage, sync_interval: always, one
//	         stream. Plain TCP, no encryption, one server; synced to disk once; done
//	         when the publisher has its acknowledgement.
//	postfix  client → Postfix over SMTP → Maildir by virtual(8). Plain TCP, connections
//	         are kept, no filters, no limits on concurrency; queue file and Maildir file
//	         synced; done when the file is in the client's Maildir.
package main
