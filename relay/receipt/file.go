package receipt

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"

	"communicator/wire"
)

// fileVersion is the value of communicator_receipt.
const fileVersion = 1

// file is the file form. Pointers tell an absent field from an empty one.
type file struct {
	Version int     `json:"communicator_receipt"`
	Receipt *string `json:"receipt"`
	Body    *string `json:"body,omitempty"`
}

// MarshalFile returns the file form of a receipt, and of the body that it was given
// for if that is not nil. The file holds the body in the clear (a ciphertext) and, for
// Accepted, the account at the sending agent.
func MarshalFile(receipt, body []byte) ([]byte, error) {
	encoded := base64.StdEncoding.EncodeToString(receipt)
	f := file{Version: fileVersion, Receipt: &encoded}
	if body != nil {
		text := base64.StdEncoding.EncodeToString(body)
		f.Body = &text
	}
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(b, '\n'), nil
}

// ParseFile reads the file form; body is nil where there is none. It refuses unknown
// and repeated fields, trailing data, and base64 with line breaks or stray bits.
// Errors: wire.ErrTooLarge, wire.ErrVersion, wire.ErrMalformed.
func ParseFile(b []byte) (receipt, body []byte, err error) {
	if len(b) > MaxFile {
		return nil, nil, wire.ErrTooLarge
	}
	if err := checkNames(b); err != nil {
		return nil, nil, err
	}
	var f file
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, nil, malformed("not the JSON object of a receipt")
	}
	if f.Version != fileVersion {
		return nil, nil, fmt.Errorf("%w: communicator_receipt %d", wire.ErrVersion, f.Version)
	}
	if f.Receipt == nil {
		return nil, nil, malformed("receipt is missing")
	}
	if receipt, err = decode64(*f.Receipt); err != nil {
		return nil, nil, err
	}
	if f.Body == nil {
		return receipt, nil, nil
	}
	body, err = decode64(*f.Body)
	return receipt, body, err
}

// checkNames walks the tokens of the one flat object: encoding/json alone would take
// the last of two fields with one name, and names in any case.
func checkNames(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return malformed("not a JSON object")
	}
	seen := make(map[string]bool, 3)
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return malformed("not JSON")
		}
		switch name {
		case "communicator_receipt", "receipt", "body":
		default:
			return malformed("unknown field")
		}
		if seen[name] {
			return malformed("field given twice")
		}
		seen[name] = true
		value, err := d.Token()
		if _, nested := value.(json.Delim); err != nil || nested || value == nil {
			return malformed("field is not a number or a string")
		}
	}
	if _, err := d.Token(); err != nil {
		return malformed("not JSON")
	}
	if _, err := d.Token(); err != io.EOF {
		return malformed("trailing data")
	}
	return nil
}

func decode64(s string) ([]byte, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	// The decoder passes over line breaks; only one spelling is ours.
	if err != nil || base64.StdEncoding.EncodeToString(b) != s {
		return nil, malformed("base64")
	}
	return b, nil
}

func malformed(what string) error { return fmt.Errorf("%w: %s", wire.ErrMalformed, what) }
