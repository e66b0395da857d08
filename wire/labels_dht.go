package wire

// Labels of the records that the overlay stores; docs/dht.md says how each is used.
const (
	LabelDHTBlind    Label = "comm/1/dht-blind"    // SHA-512: blinding factor of a zone key
	LabelDHTPrefix   Label = "comm/1/dht-prefix"   // H: nonce prefix under a blinded key
	LabelDHTLocation Label = "comm/1/dht-location" // H: where a blinded key's records lie
	LabelDHTSeal     Label = "comm/1/dht-seal"     // HMAC: key of a record's box
	LabelDHTNonce    Label = "comm/1/dht-nonce"    // HMAC: nonce of a record's box
	LabelDHTContent  Label = "comm/1/dht-content"  // H: what a record's stamp is bound to
	LabelDHTStamp    Label = "comm/1/dht-stamp"    // H: proof of work of a record
	LabelDHTRecord   Label = "comm/1/dht-record"   // Ed25519: a record under its blinded key
)
