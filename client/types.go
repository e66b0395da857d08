package client

import (
	"encoding/hex"
	"errors"
	"time"

	"communicator/client/store"
	"communicator/wire"
)

// MessageID names a message within a contact and direction; both sides know it.
type MessageID [16]byte

func (id MessageID) String() string { return hex.EncodeToString(id[:]) }

// ParseMessageID reads what String printed.
func ParseMessageID(s string) (MessageID, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(MessageID{}) {
		return MessageID{}, errors.New("client: not a message id")
	}
	return MessageID(b), nil
}

// MessageState is what is known of a message's journey: pending, submitted, stored,
// refused, expired, failed and resent for ours, received and read for theirs.
type MessageState = store.MessageState

// The states of a message.
const (
	Pending   = store.MessagePending   // saved here; no agent has it
	Submitted = store.MessageSubmitted // a sending agent gave a receipt
	Stored    = store.MessageStored    // a receiving agent has it: its receipt came back
	Expired   = store.MessageExpired   // given up: its time passed
	Failed    = store.MessageFailed    // given up: every address was closed
	// Refused: kept, but every agent that it could go by has refused it for good. It goes
	// once there is another sending agent or the other side gives new addresses.
	Refused  = store.MessageRefused
	Resent   = store.MessageResent   // expired or failed, and sent anew as another message
	Received = store.MessageReceived // theirs, not yet handed to the caller
	Read     = store.MessageRead     // theirs, handed over
)

// Message is one entry of the history.
type Message struct {
	Seq      int64 // grows with every message of the profile
	ID       MessageID
	Contact  string // the contact's name
	Incoming bool
	Sent     time.Time // by the sender's clock
	Received time.Time // by ours; zero for an outgoing one
	Text     string
	State    MessageState
	// Receipt is the receiving agent's receipt once the message is stored, else the
	// sending agent's: package relay/receipt verifies it offline.
	Receipt []byte
}

// ContactState is where a relationship stands.
type ContactState = store.ContactState

// The states of a contact.
const (
	ContactPending     = store.ContactPending     // first contact under way
	ContactEstablished = store.ContactEstablished // both sides have a session
	ContactRevoked     = store.ContactRevoked     // we took our addresses back
	ContactNeedsReset  = store.ContactNeedsReset  // to be re-established before sending
)

// Contact is one relationship.
type Contact struct {
	Name     string
	State    ContactState
	Degraded bool // fewer services than a relationship should have: see Status
	Verified bool // safety numbers were compared, and nothing has changed since
	Alarmed  bool // two devices used one conversation: see AlarmFork
	Created  time.Time
	// Trust is what is known of who they are; TrustWords says it with the fields below.
	Trust Trust
	Via   string      // who introduced them, with TrustIntroduced
	Names []string    // that a namespace attests and that they have claimed
	How   VerifiedHow // with TrustVerified
	Why   ResetReason // with TrustReset
	// Since is the oldest time at which one of the Names was shown: logged, not checked for
	// revocation since then. Zero if it is not known of all of them.
	Since time.Time
	Kin   Kin // what successions and equivalences say
}

// Roles says what one of our agents does for us.
type Roles = store.Roles

// Roles of an agent; the bits may be combined.
const (
	RoleSending   = store.RoleSending
	RoleReceiving = store.RoleReceiving
)

// AgentState is where an agent of ours stands.
type AgentState = store.AgentState

// The states of an agent.
const (
	AgentActive   = store.AgentActive
	AgentDraining = store.AgentDraining // used for what runs, for nothing new
	AgentDead     = store.AgentDead     // not reached for days: nothing is tried there
)

// Agent is one of the person's own agents.
type Agent struct {
	URI   string // without the token
	ID    wire.AgentID
	Roles Roles
	State AgentState
	Added time.Time
}

// Invitation is what Invite made.
type Invitation struct {
	Link    string // communicator:…, at most 134 characters
	Name    string // of the contact to be
	Expires time.Time
}

// Sent is what became of a Send.
type Sent struct {
	ID    MessageID
	State MessageState
	// Receipt is the best receipt so far: the sending agent's, or once State is Stored
	// the receiving agent's. Nil while State is Pending.
	Receipt []byte
	// ReceiptFile is the receipt with what it was given for, in the file form of package
	// relay/receipt, if SendOptions asked for it: anyone can verify it offline.
	ReceiptFile []byte
}

// Status is an overview of the profile.
type Status struct {
	Agents      []Agent
	Contacts    []ContactStatus
	Invitations []Invitation // open ones; their links are shown again
	Queued      int          // messages that no sending agent has
	Submitted   int          // messages at a sending agent without an outcome
	Quarantined int          // deliveries that could not be decrypted
	// Degraded lists in words what a profile should have and does not.
	Degraded []string
	// Imported is when the profile came out of an export, zero if it never did.
	Imported time.Time
}

// ContactStatus is a contact with what its relationship rests on.
type ContactStatus struct {
	Contact
	Mailboxes int    // of ours, open for this contact
	Receiving int    // distinct receiving agents among them
	Lifeline  bool   // we gave a lifeline address
	Addresses int    // of the peer's, usable now
	Queued    int    // messages to them without an outcome
	Refused   int    // of these, those that no agent will take: see [Refused]
	Delivered int    // messages of ours that a receiving agent of theirs has taken
	Lost      int    // messages of ours that expired or failed: [Client.Resend] sends them anew
	Problem   string // empty, or in words what is missing
}

// Quarantined is a delivery that could not be read.
type Quarantined struct {
	Contact string // empty if nobody can be named
	Reason  string
	Size    int // bytes
	At      time.Time
}
