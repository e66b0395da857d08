package receipt

import "communicator/wire"

// Version is the version byte of a receipt and of a submission's body.
const Version = 1

// Sizes in bytes.
const (
	receiptFixed = 1 + 1 + 32 + 2
	bodyFixed    = 1 + 16 + 1 + 8 + wire.SealedSize + 8 + 4 + 4
	// MaxBody is the largest submission body.
	MaxBody = bodyFixed + wire.MaxURI + wire.MaxPayload
	// MaxFile is the largest file form: both parts in base64, and room for the
	// names and whatever white space was added.
	MaxFile = (MaxBody+wire.MaxReceipt)*4/3 + 4096

	maxJitterMS = 1<<32 - 1
	maxUnix     = 253402300799 // the last second of the year 9999
)
