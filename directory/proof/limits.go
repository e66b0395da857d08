package proof

import "time"

// Limits of what is parsed. Counts are capped as well as bytes.
const (
	MaxManifest    = 16 << 10 // bytes of a signed manifest
	MaxManifests   = 1024     // manifests of one chain
	MaxRoots       = 5        // root keys of a manifest
	MaxAttesting   = 16       // attesting keys, retired ones included
	MaxWitnesses   = 5        // witnesses of a manifest
	MaxWitnessName = 40       // bytes of a witness's name
	MaxPeers       = 8        // fallback peers
	MaxPeerURI     = 160      // bytes of a peer's URI

	MaxName        = 63 // bytes of a name
	MaxDelegations = 4  // delegations in a full name: five labels at most
	MaxPetname     = 63 // bytes of the label that stands for a namespace

	MaxStatement     = 1024                                               // bytes of a signed statement
	MaxSaid          = 8                                                  // vetoes and revocations of one key
	MaxOpenSteps     = 4                                                  // changes of one name that are not settled yet
	MaxIdentity      = 129                                                // bytes of an identity document
	MaxCheckpoint    = 1152                                               // bytes of a checkpoint with its cosignatures
	MaxTreeSize      = 1 << 40                                            // entries of a log
	MaxProof         = 40                                                 // hashes of an inclusion proof: log2 of MaxTreeSize
	MaxTreeProof     = 2*40 + 1                                           // hashes of a consistency proof
	MaxStaple        = 2900                                               // bytes; a QR code holds 2,953
	MaxFork          = 256 << 10                                          // bytes of a fork proof
	MaxForkManifests = 32                                                 // manifests inside a fork proof
	MaxRelation      = 1 + 1 + 2*(hashSize+keySize) + 8 + 2*signatureSize // bytes
)

// Times that are the protocol's and not a namespace's.
const (
	DefaultHold = 72 * time.Hour
	MinHold     = time.Hour
	MaxHold     = 30 * 24 * time.Hour

	// VetoRest is how long after a veto the roots may decide about a name.
	VetoRest = 14 * 24 * time.Hour
	// VetoLife is how long after a veto they still may.
	VetoLife = 90 * 24 * time.Hour
	// MaxSkew is how far in the future a time may lie.
	MaxSkew = 5 * time.Minute
)

const (
	layoutVersion = 1
	hashSize      = 32
	keySize       = 32
	signatureSize = 64
	maxUnix       = 253402300799 // 9999-12-31T23:59:59Z
)
