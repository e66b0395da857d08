package invite

const (
	// MaxLink is the length of the longest link in characters.
	MaxLink = 134
	// SecretSize is the length of the secret in bytes.
	SecretSize = 16
	// MaxHost is the longest binary multiaddr of a host.
	MaxHost = (MaxLink-len(scheme))*6/8 - 1 - SecretSize - rootSize
	// QRWidth and QRHeight are the most cells of a terminal that a link's code takes.
	QRWidth, QRHeight = 43, 22

	scheme   = "communicator:"
	version  = 1
	rootSize = 32
	quiet    = 1 // modules around the code
)
