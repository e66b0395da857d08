// Package demo is what `communicator demo` runs: three people, ten nodes and two
// onlookers on loopback, in temporary directories, with the real network stack. The
// nodes are processes of their own, started from the same binary, so that they can be
// killed; the people are client libraries in this process.
//
//	start      nine nodes form an overlay, one of them the club's directory
//	meet       Alex and Blair, from an invitation
//	register   Carol takes a name in the club; Dana, without an account, looks it up
//	contact    Alex writes to Carol's name: the directory vends, nobody invited anybody
//	introduce  Alex introduces Blair and Carol to each other
//	talk       a hundred messages each way; an agent is killed half-way
//	loss       a third of the overlay is killed, the directory with it; the name is found
//	fork       the club shows Erin another log than Dana, and is caught
//	inspect    what the nodes have in their files
//
// It proves what it prints: messages are compared one by one, every node's files are
// searched for texts and for what that node must not know, and what somebody else would
// have to believe is verified from its bytes alone.
package demo
