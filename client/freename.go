package client

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"communicator/client/store"
)

const (
	// nameRoom is what a name that we give leaves for a number, or for random digits.
	nameRoom = 10
	// maxNameTries is how many numbers are tried before random digits.
	maxNameTries = 64
	// unnamed is who has no name that can be shown.
	unnamed = "someone"
)

// shortName cuts a name at the border of a letter, so that a number fits behind it.
func shortName(name string) string {
	name = strings.Join(strings.Fields(name), " ")
	end := min(len(name), store.MaxName-nameRoom)
	for end > 0 && end < len(name) && !utf8.RuneStart(name[end]) {
		end--
	}
	return strings.TrimSpace(name[:end])
}

// freeName returns the wanted name, with a number if somebody has it. Who comes to us
// is let in under some name always: a delivery that cannot be taken in for its name
// would be handed out again for ever.
func (c *Client) freeName(tx *store.Tx, wanted string) (string, error) {
	wanted = shortName(wanted)
	name := wanted
	for i := 2; ; i++ {
		_, err := tx.ContactByName(name)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return name, nil
		case errors.Is(err, store.ErrInvalid):
			wanted, name = unnamed, unnamed
			continue
		case err != nil:
			return "", err
		}
		name = fmt.Sprintf("%s %d", wanted, i)
		if i > maxNameTries {
			var b [nameRoom/2 - 1]byte
			if _, err := io.ReadFull(c.opts.Rand, b[:]); err != nil {
				return "", err
			}
			name = fmt.Sprintf("%s %x", wanted, b)
		}
	}
}
