// Package receipt makes, reads and verifies receipts, and fixes the layout of the body
// that a submission's receipt speaks about.
//
// A message meets two of them. The sending agent's receipt (Accepted) comes back from
// a submission and shows that the agent logged it durably. The receiving agent's
// (Stored) travels only inside the sealed outcome and shows that the mailbox logged the
// delivery. Either is an inclusion proof under the signed head of the batch that holds
// the event, so that one signature serves a whole batch; it verifies offline, without
// the agent's help.
//
//	receipt = u8 version ‖ u8 kind ‖ root key 32 ‖ u16 length ‖ proof
//
// The proof is communicator/wire/logproof's, and the event that it shows is of kind
// [EventAccepted] or [EventStored], as the receipt's own kind says. It is at most
// wire.MaxReceipt bytes, so that it fits an outcome. A receipt proves acceptance, not
// that the body is still there.
//
// # What was accepted
//
// The proof holds the event's header with a salted hash of its body, and the salt. Who
// has the body can show what was accepted: for Stored the body is the payload alone,
// for Accepted it is what the client submitted, which it can build again:
//
//	submission = u8 version ‖ account id 16 ‖ u8 length ‖ URI ‖ key id 8 ‖
//	             sealed address 1232 ‖ u64 notAfter ‖ u32 jitter ms ‖ u32 length ‖ payload
//
// # File form
//
// `receipt verify FILE` reads one JSON object, base64 as in RFC 4648 section 4:
//
//	{"communicator_receipt": 1, "receipt": "…", "body": "…"}
//
// body may be left out: then only the agent, the kind, the number and the time can be
// shown. Unknown fields and trailing data are refused.
package receipt
