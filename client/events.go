package client

import "time"

// Event is something that happened; Receive returns events and Follow hands them over
// one by one. The kinds are the structs below, passed by value.
type Event interface{ isEvent() }

// MessageReceived is a message from a contact, new in the history.
type MessageReceived struct{ Message Message }

// DeliveryChanged says that a message of ours came further, or ended.
type DeliveryChanged struct {
	Contact string
	ID      MessageID
	State   MessageState
	Receipt []byte // with Submitted and Stored
}

// ContactAdded says that somebody accepted an invitation of ours, or answered the first
// message of one that we accepted: both sides have a session now.
type ContactAdded struct{ Contact Contact }

// AddressesRotated says that addresses were replaced.
type AddressesRotated struct {
	Contact string
	Ours    bool   // we offered new addresses; otherwise the peer did
	Number  uint64 // of the address set
}

// AlarmKind says what an [Alarm] is about.
type AlarmKind uint8

const (
	// AlarmFork: two different ciphertexts claim one place in a conversation: the
	// peer's state is used on two devices, or was stolen.
	AlarmFork AlarmKind = iota + 1
	// AlarmInvitationReused: a second handshake came for an invitation that was used.
	AlarmInvitationReused
	// AlarmAgentDescriptor: an agent showed a descriptor that contradicts its address.
	AlarmAgentDescriptor
	// AlarmReset: the conversation was re-established, by either side; verify again.
	AlarmReset
	// AlarmVerification: something contradicts who the contact was taken for.
	AlarmVerification
	// AlarmIntroduction: somebody else than who was introduced used our key package.
	AlarmIntroduction
	// AlarmNamespace: a namespace showed two logs, to a contact and us or to us alone, or
	// contradicts itself about a name.
	AlarmNamespace
	// AlarmOwnName: a name of ours is given to somebody else, or to nobody, now or after a
	// hold. Contact is the name.
	AlarmOwnName
	// AlarmName: a name under which we asked for contact is somebody else's, or nobody's,
	// since: the request was given up.
	AlarmName
	// AlarmRelation: what identities have signed about each other contradicts itself.
	AlarmRelation
)

var alarmText = [...]string{
	AlarmFork:             "two devices use the other side's conversation, or it was stolen",
	AlarmInvitationReused: "an invitation was used a second time",
	AlarmAgentDescriptor:  "an agent's descriptor contradicts its address",
	AlarmReset:            "the conversation was re-established: compare safety numbers again",
	AlarmVerification:     "what was known of who this is no longer holds: compare safety numbers again",
	AlarmNamespace:        "a namespace contradicts what it has shown before, to you or to them: it is not believed any more, 'communicator namespace show' has the proof",
	AlarmOwnName:          "the namespace gives this name of yours to somebody else, to nobody, or back to its former key: 'communicator watch' shows it, 'communicator object' takes it back while it is not settled, and 'communicator rekey' if it is a former key of yours",
	AlarmName:             "the name under which you asked for contact has another holder by now: the request was given up",
	AlarmRelation:         "two identities claim to follow the same one, or each other: not both are true, 'communicator contacts' shows which",
	AlarmIntroduction:     "somebody else than who was introduced has used your key package",
}

func (k AlarmKind) String() string {
	if int(k) < len(alarmText) {
		return alarmText[k]
	}
	return "unknown alarm"
}

// Alarm is something that a person should look at.
type Alarm struct {
	Contact string // empty if it concerns nobody known
	Kind    AlarmKind
}

// DegradedChanged says that a relationship lost, or regained, what keeps it alive when
// an agent dies.
type DegradedChanged struct {
	Contact  string
	Degraded bool
	Reason   string
}

// NeedsReset says that a conversation cannot go on with its old keys: the profile came
// out of an export. It is re-established as soon as possible.
type NeedsReset struct{ Contact string }

// Undecryptable says that a delivery could not be read. It was put into quarantine and
// acknowledged; the conversation goes on.
type Undecryptable struct {
	Contact string // empty if nobody can be named
	Reason  string
	Partly  bool // all was read but the package for beginning again after a loss
	At      time.Time
}

// AgentTrouble says that one of our own agents could not be used, once for each change.
type AgentTrouble struct {
	URI  string
	Err  error // nil: it works again
	Step string
}

// RequestChanged says that something came that waits for consent, or that a request or
// an introduction went on.
type RequestChanged struct{ Request Request }

// ClaimChecked says what became of a contact's claim to be who a namespace attests.
type ClaimChecked struct {
	Contact string
	Name    string
	Holds   bool
}

// IdentityRelated says that something new is known of how a contact is related to other
// identities: both keys have signed it.
type IdentityRelated struct {
	Contact string
	Kin     Kin
}

// NameVetoed is a warning: a contact brings the word of a name's key against what the
// namespace says of the name. Whoever the namespace gives it to is not believed.
type NameVetoed struct {
	Contact string // who brought it
	Name    string
	Version uint32 // of the statement that is objected to
}

// NameWarning is what the client found when it looked a contact's name up by itself, and
// what has changed nothing of what is known of the contact, so far.
type NameWarning struct {
	Contact string
	Name    string
	Warning string
}

// NameRekeyed says that the name by which a contact is known has passed to a new key, by
// a statement that the key which the contact has shown to hold, or one that it has passed
// the name to, has signed. The contact stays known by the name.
type NameRekeyed struct {
	Contact string
	Name    string
	Undo    time.Time // until when the former key may take that back
}

// OwnNameRekeyed says that a name of ours is under the new key that a Rekey has made: a
// pass has found it logged.
type OwnNameRekeyed struct {
	Name string
	Undo time.Time // until when the former key may take that back
}

func (NameRekeyed) isEvent()      {}
func (OwnNameRekeyed) isEvent()   {}
func (NameWarning) isEvent()      {}
func (NameVetoed) isEvent()       {}
func (IdentityRelated) isEvent()  {}
func (RequestChanged) isEvent()   {}
func (ClaimChecked) isEvent()     {}
func (MessageReceived) isEvent()  {}
func (DeliveryChanged) isEvent()  {}
func (ContactAdded) isEvent()     {}
func (AddressesRotated) isEvent() {}
func (Alarm) isEvent()            {}
func (DegradedChanged) isEvent()  {}
func (NeedsReset) isEvent()       {}
func (Undecryptable) isEvent()    {}
func (AgentTrouble) isEvent()     {}
