package address

import (
	"encoding/binary"

	"communicator/wire"
)

// labelRequest separates the hash of an operation's body.
const labelRequest wire.Label = "comm/1/mailbox-request"

// OperationBytes is what a mailbox's owner signs (Ed25519) to authorise one operation:
//
//	"comm/1/mailbox-op" ‖ agent id 32 ‖ u16 length ‖ client's peer id ‖ nonce 32 ‖
//	u8 operation ‖ H("comm/1/mailbox-request" ‖ request) 32
//
// The peer id (its binary form) and the server's nonce of this stream keep a signature
// from being used on any other connection; request is the operation's body as sent.
func OperationBytes(agent wire.AgentID, clientPeer []byte, nonce [32]byte, op uint8, request []byte) []byte {
	digest := wire.Hash(labelRequest, request)
	b := make([]byte, 0, len(wire.LabelMailboxOp)+len(agent)+2+len(clientPeer)+len(nonce)+1+len(digest))
	b = append(b, wire.LabelMailboxOp...)
	b = append(b, agent[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(clientPeer)))
	b = append(b, clientPeer...)
	b = append(b, nonce[:]...)
	b = append(b, op)
	return append(b, digest[:]...)
}
