package client

import (
	"errors"
	"fmt"

	"communicator/client/store"
	"communicator/relay/receipt"
)

// A receipt verifies only with the bytes that it was given for, which the profile does
// not keep once a message is on its way. A Send that was asked for a file leaves a note,
// so that whichever process gets the receipt meanwhile makes the file, and takes it away
// again at its end.

func receiptSetting(id store.ID) string { return fmt.Sprintf("receipt-file/%x", id[:]) }

// wantReceiptFile leaves the note.
func wantReceiptFile(tx *store.Tx, id store.ID) error {
	return tx.SetSetting(receiptSetting(id), []byte{})
}

// keepReceiptFile makes the file if somebody waits for it.
func keepReceiptFile(tx *store.Tx, id store.ID, proof, body []byte) error {
	_, err := tx.Setting(receiptSetting(id))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	file, err := receipt.MarshalFile(proof, body)
	if err != nil {
		return err
	}
	return tx.SetSetting(receiptSetting(id), file)
}

// takeReceiptFile returns the file, nil if there was no receipt, and takes the note away.
func takeReceiptFile(tx *store.Tx, id store.ID) ([]byte, error) {
	file, err := tx.Setting(receiptSetting(id))
	if err != nil {
		return nil, err
	}
	return nonEmpty(file), deleteSettings(tx, receiptSetting(id))
}
