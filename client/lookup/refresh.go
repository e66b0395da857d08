package lookup

import (
	"context"

	"communicator/directory/proof"
)

// Refresh asks a remembered namespace's directories for newer manifests and remembers
// them. Errors: [ErrUnknownNamespace]; [ErrUnreachable] if nobody could be asked.
func (r *Resolver) Refresh(ctx context.Context, id proof.NSID) (Namespace, error) {
	n, err := r.Namespace(ctx, id.String())
	if err != nil {
		return n, err
	}
	return r.refresh(ctx, n, n.Peers)
}
