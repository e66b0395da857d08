package wire

// Labels of namespaces, names and what is said about them (docs/namespace.md).
const (
	LabelNamespace     Label = "comm/1/namespace"      // H(label ‖ genesis manifest's body) = namespace id
	LabelManifest      Label = "comm/1/manifest"       // Ed25519: a root key's signature over a manifest
	LabelManifestHash  Label = "comm/1/manifest-hash"  // H of a manifest's body, as its successor cites it
	LabelStatement     Label = "comm/1/statement"      // Ed25519: every signature over a statement
	LabelStatementHash Label = "comm/1/statement-hash" // H of a statement's body, as its successor cites it
	LabelIdentity      Label = "comm/1/identity"       // H of an identity document, as statements cite it
	LabelLeaf          Label = "comm/1/leaf"           // H(label ‖ name secret ‖ version): tag of a log entry
	LabelCommitment    Label = "comm/1/commitment"     // H(label ‖ opening ‖ statement), in a log entry
	LabelRevoke        Label = "comm/1/revoke"         // H(label ‖ key): where what a key says outside of a log lies
	LabelRevokeCode    Label = "comm/1/revoke-code"    // H of a revocation code, committed to when a key is bound
	LabelRelation      Label = "comm/1/relation"       // Ed25519: a succession or an equivalence
	LabelStaple        Label = "comm/1/staple"         // magic of a staple
	LabelFork          Label = "comm/1/fork"           // magic of a fork proof
	LabelNameState     Label = "comm/1/name-state"     // magic of a stored name state

	// LabelIdDoc is the self-signature of an identity document (docs/session.md).
	LabelIdDoc Label = "comm/1/id-doc"
)
