package store

import (
	"bufio"
	"context"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

// An export:
//
//	0      144
//	┌──────┬─────────────────┬─────────────────┬──   ──┬──────────────────┐
//	│ key  │ chunk 0         │ chunk 1         │       │ last chunk       │
//	│ slot │ 64 KiB + 16 tag │ 64 KiB + 16 tag │       │ 1 B…64 KiB + tag │
//	└──────┴─────────────────┴─────────────────┴──   ──┴──────────────────┘
//
// The chunks are a SQLite database (encrypted once more with Adiantum, so that
// its temporary file is too), each sealed with ChaCha20-Poly1305 under
// Expand(file key, "comm/1/store-export"), nonce = u88 number ‖ u8 last, with
// the slot as associated data. Cutting, reordering and changing are found.

// Export writes a consistent snapshot of the profile to w, under a new key that
// passphrase opens. Deleted content is not in it.
func (s *Store) Export(ctx context.Context, w io.Writer, passphrase []byte) error {
	key, err := newFileKey(s.opts.Rand)
	if err != nil {
		return err
	}
	head, err := sealSlot(s.opts.Rand, kindExport, 1, s.opts.KDF, passphrase, key)
	if err != nil {
		return err
	}
	tmp, err := newFile(s.path, make([]byte, headerSize), s.opts.Rand)
	if err != nil {
		return err
	}
	defer removeDatabase(tmp)
	// View's connection serves as the permission to use the store: Close waits.
	c, err := take(ctx, s, s.readers)
	if err != nil {
		return err
	}
	defer func() { s.readers <- c }()
	if s.opts.Alone {
		err = vacuum(ctx, c, tmp, key)
	} else {
		err = vacuumInto(ctx, s.path, s.key, tmp, key, s.opts)
	}
	if err != nil {
		return err
	}
	return sealFile(ctx, w, tmp, head, key)
}

// vacuumInto copies what a profile file holds into a file that has only a header.
func vacuumInto(ctx context.Context, from string, fromKey fileKey, to string, toKey fileKey, o Options) error {
	src, err := openConn(from, fromKey, o)
	if err != nil {
		return err
	}
	return errors.Join(vacuum(ctx, src, to, toKey), src.close())
}

func vacuum(ctx context.Context, src *conn, to string, toKey fileKey) error {
	src.db.SetInterrupt(ctx)
	defer src.db.SetInterrupt(context.Background())
	uri, err := fileURI(to, toKey, true)
	if err == nil {
		st, perr := src.prepare("VACUUM INTO ?1")
		if err = perr; err == nil {
			if err = st.BindText(1, uri); err == nil {
				for st.Step() {
				}
				err = st.Err()
			}
			st.Reset()
			st.ClearBindings()
		}
	}
	return mapError(ctx, err)
}

// chunkNonce numbers the chunks; the last one is marked.
func chunkNonce(n uint64, last bool) []byte {
	nonce := make([]byte, chacha20poly1305.NonceSize)
	binary.BigEndian.PutUint64(nonce[3:], n)
	if last {
		nonce[11] = 1
	}
	return nonce
}

func sealFile(ctx context.Context, w io.Writer, path string, head []byte, key fileKey) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer f.Close()
	if _, err := f.Seek(headerSize, io.SeekStart); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	aead, err := chacha20poly1305.New(key.expand(labelExport))
	if err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	return eachChunk(ctx, f, exportChunk, func(n uint64, chunk []byte, last bool) error {
		_, err := w.Write(aead.Seal(nil, chunkNonce(n, last), chunk, head))
		return err
	})
}

// eachChunk reads r in pieces of size, the last one shorter or full, and says
// which one is the last. An empty r has none.
func eachChunk(ctx context.Context, r io.Reader, size int, fn func(n uint64, chunk []byte, last bool) error) error {
	br := bufio.NewReaderSize(r, size)
	chunk := make([]byte, size)
	for n := uint64(0); ; n++ {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		got, err := io.ReadFull(br, chunk)
		if err == io.EOF {
			return nil
		}
		if err != nil && err != io.ErrUnexpectedEOF {
			return err
		}
		_, err = br.Peek(1)
		last := err == io.EOF
		if err != nil && !last {
			return err
		}
		if err := fn(n, chunk[:got], last); err != nil || last {
			return err
		}
	}
}

// Import makes a profile at path out of an export, under a passphrase and a key
// of its own, marks it as imported and opens it. A wrong exportPassphrase is
// [ErrWrongPassphrase]; an export that was cut or changed is [ErrDamaged], and
// nothing appears at path.
//
// Because the original may have gone on, every relationship is set to
// needs-reset with its trust marks cleared, and every message that no sending
// agent has yet loses its attempts and is set to resend.
func Import(ctx context.Context, path string, r io.Reader, exportPassphrase, passphrase []byte, o Options) (*Store, error) {
	o = o.withDefaults()
	if err := absent(path); err != nil {
		return nil, err
	}
	key, err := newFileKey(o.Rand)
	if err != nil {
		return nil, err
	}
	tmp, err := newProfileFile(path, passphrase, key, o)
	if err != nil {
		return nil, err
	}
	defer removeDatabase(tmp)
	if err := unpack(ctx, tmp, key, r, exportPassphrase, o); err != nil {
		return nil, err
	}
	if err := fill(tmp, key, o, o.Now()); err != nil {
		return nil, err
	}
	if err := publish(tmp, path); err != nil {
		return nil, err
	}
	return open(path, key, o)
}

// unpack writes the export's database into the file at to, under key.
func unpack(ctx context.Context, to string, key fileKey, r io.Reader, passphrase []byte, o Options) error {
	head := make([]byte, slotSize)
	if _, err := io.ReadFull(r, head); err == io.EOF || err == io.ErrUnexpectedEOF {
		return ErrNotProfile
	} else if err != nil {
		return err
	}
	s, err := parseSlot(head)
	if err != nil {
		return err
	}
	if s.kind != kindExport {
		return ErrNotProfile
	}
	exportKey, err := s.open(passphrase)
	if err != nil {
		return err
	}
	image, err := newFile(to, make([]byte, headerSize), o.Rand)
	if err != nil {
		return err
	}
	defer removeDatabase(image)
	if err := openFile(ctx, image, r, head, exportKey); err != nil {
		return err
	}
	c, err := openConn(image, exportKey, o)
	if err != nil {
		return err
	}
	v, err := c.format()
	if err == nil && v == 0 {
		err = ErrNotProfile
	}
	if err := errors.Join(err, c.close()); err != nil {
		return err
	}
	return vacuumInto(ctx, image, exportKey, to, key, o)
}

// openFile appends the export's chunks to the file at path.
func openFile(ctx context.Context, path string, r io.Reader, head []byte, key fileKey) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer f.Close()
	var aead cipher.AEAD
	if aead, err = chacha20poly1305.New(key.expand(labelExport)); err != nil {
		return err
	}
	complete := false
	err = eachChunk(ctx, r, exportChunk+aead.Overhead(), func(n uint64, chunk []byte, last bool) error {
		plain, err := aead.Open(nil, chunkNonce(n, last), chunk, head)
		if err != nil {
			return ErrDamaged
		}
		complete = last
		_, err = f.Write(plain)
		return err
	})
	if err == nil && !complete {
		err = ErrDamaged
	}
	return err
}

// markImported is what Import says about the original that may still be in use.
func markImported(tx *Tx, at time.Time) error {
	steps := []struct {
		sql  string
		args []any
	}{
		{`UPDATE profile SET imported = ?1`, []any{at}},
		{`UPDATE contacts SET trust = 0, evidence = x''`, nil},
		{`UPDATE contacts SET state = ?1 WHERE state <> ?2`, []any{int(ContactNeedsReset), int(ContactRevoked)}},
		{`DELETE FROM attempts WHERE state = 0`, nil},
		{`UPDATE outbox SET state = ?1 WHERE state = ?2`, []any{int(OutgoingResend), int(OutgoingQueued)}},
	}
	for _, s := range steps {
		if _, err := tx.exec(s.sql, s.args...); err != nil {
			return err
		}
	}
	return nil
}
