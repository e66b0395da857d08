package vend

import (
	"encoding/binary"

	"communicator/wire"
)

// OperationBytes is what a name's owner, or the namespace's authority, signs (Ed25519)
// to authorise one operation at a directory:
//
//	"comm/1/directory-op" ‖ agent id 32 ‖ u16 length ‖ client's peer id ‖ nonce 32 ‖
//	u8 operation ‖ H("comm/1/directory-request" ‖ body) 32
//
// The peer id (its binary form) and the directory's nonce of this stream keep a
// signature from being used on any other connection; body is the operation as sent.
func OperationBytes(agent wire.AgentID, clientPeer []byte, nonce [32]byte, op uint8, body []byte) []byte {
	digest := wire.Hash(wire.LabelDirectoryRequest, body)
	b := make([]byte, 0, len(wire.LabelDirectoryOp)+len(agent)+2+len(clientPeer)+len(nonce)+1+len(digest))
	b = append(b, wire.LabelDirectoryOp...)
	b = append(b, agent[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(clientPeer)))
	b = append(b, clientPeer...)
	b = append(b, nonce[:]...)
	b = append(b, op)
	return append(b, digest[:]...)
}
