package client

import (
	"errors"
	"fmt"

	"communicator/client/invite"
	"communicator/client/store"
	"communicator/client/transport"
	"communicator/particle"
	"communicator/wire"
)

// Errors that a caller can tell apart with errors.Is and errors.As. None of them
// carries an address, a key or a message's text. A request that an agent refused is a
// [*wire.StatusError].
var (
	// ErrNoSuchContact: nobody is known under that name.
	ErrNoSuchContact = errors.New("client: no such contact")
	// ErrContactExists: the name is taken.
	ErrContactExists = errors.New("client: a contact has that name already")
	// ErrBadName: a name is 1 to 128 bytes of printable UTF-8.
	ErrBadName = errors.New("client: not a usable name")
	// ErrBadText: a text is valid UTF-8 and not empty.
	ErrBadText = errors.New("client: the text is empty, or not UTF-8")
	// ErrNoSuchAgent: no agent with that URI was added.
	ErrNoSuchAgent = errors.New("client: no such agent")
	// ErrAgentExists: that agent was added before.
	ErrAgentExists = errors.New("client: agent was added already")
	// ErrAgentInUse: mailboxes or messages under way still need the agent; it is left
	// draining, and a later pass removes it.
	ErrAgentInUse = errors.New("client: agent is still needed; it is being left")
	// ErrNoAgents: no usable agent of the needed role; add one with AddAgent.
	ErrNoAgents = errors.New("client: no agent for this; add one first")
	// ErrBadLink: not an invitation.
	ErrBadLink = invite.ErrBadLink
	// ErrInvitationUsed: the invitation was accepted before, taken back, or has expired.
	ErrInvitationUsed = errors.New("client: invitation was used, taken back or has expired")
	// ErrOwnInvitation: the invitation was made by this profile.
	ErrOwnInvitation = errors.New("client: invitation is your own")
	// ErrStillClosing: the contact is revoked, but not all of its mailboxes could be
	// closed at their agents yet; a later pass of Receive goes on with it.
	ErrStillClosing = errors.New("client: contact's mailboxes are still being closed")
	// ErrRevoked: this side has taken its addresses back; the contact is over.
	ErrRevoked = errors.New("client: contact was revoked")
	// ErrNeedsReset: the session must be re-established before sending; a pass of
	// Receive does so as soon as the other side can be reached.
	ErrNeedsReset = errors.New("client: conversation has to be re-established first")
	// ErrUnanswered: too many messages without an answer; the next message of the other
	// side lifts it.
	ErrUnanswered = particle.ErrUnanswered
	// ErrDeliveryFailed: the wait of a Send ended because the message cannot be delivered.
	ErrDeliveryFailed = errors.New("client: message cannot be delivered")
	// ErrNoRoute: for good, our sending agents decline to deliver to the other side's
	// receiving agents, such as an agent to itself, or those refuse. The message stays
	// queued, and goes once there is another agent or the other side sends new addresses.
	ErrNoRoute = errors.New("client: refused wherever it could go: add another sending agent, or wait for new addresses of the other side; it is kept and then goes by itself")
	// ErrNoSuchRequest: nothing of that id waits, or ever did.
	ErrNoSuchRequest = errors.New("client: no such request")
	// ErrNotWaiting: the request was answered before, or has ended.
	ErrNotWaiting = errors.New("client: the request no longer waits for an answer")
	// ErrNotEstablished: the contact has not answered for the first time yet, or its
	// conversation has to be re-established.
	ErrNotEstablished = errors.New("client: no conversation with that contact yet")
	// ErrSamePerson: an introduction takes two contacts.
	ErrSamePerson = errors.New("client: nobody can be introduced to themselves")
	// ErrIntroductionOpen: these two are being introduced already.
	ErrIntroductionOpen = errors.New("client: these two are being introduced already")
	// ErrBadPackage: the other side's key package is not fit for use, or one's own.
	ErrBadPackage = errors.New("client: the other side's key package is not usable")
	// ErrNoClaim: the contact has not claimed that statement in the current session.
	ErrNoClaim = errors.New("client: no such claim in this conversation")
	// ErrClaim: the contact's claim does not hold: it is not the statement's key that it has.
	ErrClaim = particle.ErrClaim
	// ErrWrongPassphrase: the passphrase does not open the profile or the export.
	ErrWrongPassphrase = store.ErrWrongPassphrase
	// ErrNoProfile: there is no profile at the path.
	ErrNoProfile = errors.New("client: no profile there")
	// ErrProfileExists: there is something at the path already.
	ErrProfileExists = errors.New("client: something is there already")
	// ErrClosed: the client was closed.
	ErrClosed = store.ErrClosed
	// ErrDescriptor: an agent's service descriptor is not the one that its address pins.
	ErrDescriptor = errors.New("client: service descriptor does not match the address")
)

// ErrTooLong is returned by Send for a text over the limit; nothing was stored.
type ErrTooLong struct {
	Length int // of the text, in bytes
	Limit  int // in bytes: particle.MaxText
}

func (e *ErrTooLong) Error() string {
	return fmt.Sprintf("client: text of %d bytes is over the limit of %d", e.Length, e.Limit)
}

// retryable says whether the same request may succeed later: anything but an agent's
// definite refusal.
func retryable(err error) bool {
	var status *wire.StatusError
	return !errors.As(err, &status) || status.Status.Retryable()
}

// contactError turns the store's errors about a contact into this package's.
func contactError(err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return ErrNoSuchContact
	case errors.Is(err, store.ErrExists):
		return ErrContactExists
	case errors.Is(err, store.ErrInvalid):
		return ErrBadName
	}
	return err
}

// agentsFault says whether an error is an agent's or the network's, and not this
// process's or its profile's.
func agentsFault(err error) bool {
	var status *wire.StatusError
	var gone *transport.UnreachableError
	return errors.As(err, &status) || errors.As(err, &gone) || errors.Is(err, transport.ErrProtocol) ||
		errors.Is(err, transport.ErrWork) || errors.Is(err, ErrDescriptor)
}
