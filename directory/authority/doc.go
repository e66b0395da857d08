// Package authority is a namespace's own side: its keys and manifests as files, and what
// whoever runs it makes with them. It runs on the authority's machine; a directory node
// gets the online keys alone.
//
//	DIR/manifests/0001 …   signed manifests, as package directory/proof has them
//	DIR/keys/root-1.key …  root keys: move them to media of their own
//	DIR/keys/zone.key      blinds and signs records in the DHT
//	DIR/keys/attesting.key attests names
//	DIR/keys/log.key       signs the log's checkpoints
//
// Keys are PEM, PKCS #8 (RFC 8410), so that other tools read them. What a node is given
// ([Authority.Install]) has the same form without root keys, and without the attesting
// key unless the node is to attest by itself.
package authority
