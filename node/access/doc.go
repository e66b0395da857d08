// Package access decides whom an agent serves. A client's first request on a
// stream, its Hello, names an account by a secret of its own, and this package says
// whether that account may submit messages and create mailboxes.
//
// # Policies
//
// Under [Token] an account is opened by an invitation token, which the operator
// makes for a number of accounts; afterwards its credential suffices. Presenting
// token and credential again, because the first answer was lost, is harmless: the
// account is there already and the token is not charged. Under [Peers] a list of
// peer ids is served. Under [Open] everybody is, against a proof of work bound to
// agent, account and hour and within rates for each network. An account that a
// token opened stays good under every policy but [Peers].
//
// Failed attempts have a budget for each peer and each network (an IPv4 address, an
// IPv6 /56 and /48), kept in memory: beyond it the answer is "try again later"
// before anything is looked up.
//
// # Facts and rows
//
//	TokenIssued    hash 32 ‖ u32 uses          a token for so many accounts
//	AccountOpened  hash 32 ‖ account 16        one use of the token
//	DrainChanged   u8 draining (0 or 1)        the agent is leaving, or stays
//	TokenRevoked   hash 32                     the uses left are taken
//	AccountRemoved account 16
//
// are the headers of this package's events; they have neither stream nor body. The
// log holds hashes of tokens and credentials alone. From them follow the rows of
// [wire.TableAccess]:
//
//	't' ‖ hash 32     u32 uses left            gone when there are none
//	'a' ‖ account 16  u8 1
//	'd'               u64 Unix seconds         since when it is draining
package access
