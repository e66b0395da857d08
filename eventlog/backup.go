package eventlog

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"communicator/wire"
)

// A backup is
//
//	"comm/1/log-backup"       17
//	layout                    u8     2
//	root key                  32     the Ed25519 public key of the node
//	row…                      u8 1 ‖ u16 key length ‖ key ‖ u32 value length ‖ value
//	end                       u8 0 ‖ u64 number of rows
//	signature                 64     over label ‖ H(all before)
//
// Bodies are in it as they are stored, as ciphertext; what was erased is not.
const labelBackup wire.Label = "comm/1/log-backup"

const (
	backupLayout = 2
	backupPiece  = 1 << 20 // bytes written before looking whether to go on

	// maxBackupKey and maxBackupValue bound a row while reading, in bytes.
	maxBackupKey   = 4 << 10
	maxBackupValue = batchBytes + 1<<20
)

// ErrBackup: what was to be restored is not a whole backup.
var ErrBackup = errors.New("eventlog: not a whole backup")

func (l *eventLog) Backup(ctx context.Context, w io.Writer) error {
	if l.dir == "" {
		return l.backup(ctx, w) // holds nobody up
	}
	spool, err := l.spool()
	if err != nil {
		return err
	}
	defer spool.Close()
	if err := l.backup(openContext{ctx, l.closing}, spool); err != nil {
		return err
	}
	if _, err := spool.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("eventlog: backup: %w", err)
	}
	for {
		if _, err := io.CopyN(w, spool, backupPiece); errors.Is(err, io.EOF) {
			return nil
		} else if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
	}
}

// spool is a file without a name, as large as it gets.
func (l *eventLog) spool() (*os.File, error) {
	free, total, err := l.opts.Statfs(l.dir)
	if err != nil {
		return nil, err
	}
	if need := uint64(l.eng.size()) + l.leastFree(total); free < need {
		return nil, fmt.Errorf("%w: a backup needs %d MiB beside the log, %d MiB are free", ErrStorageFull, need>>20, free>>20)
	}
	f, err := os.CreateTemp(l.dir, "backup-")
	if err != nil {
		return nil, fmt.Errorf("eventlog: backup: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, fmt.Errorf("eventlog: backup: %w", errors.Join(err, f.Close()))
	}
	return f, nil
}

func (l *eventLog) backup(ctx context.Context, w io.Writer) error {
	return l.view(func(snap snapshot) error {
		b := newBackupWriter(w, l.pub)
		var inner error
		err := snap.scan(nil, nil, func(key, value []byte) bool {
			inner = errors.Join(b.row(key, value), ctx.Err())
			return inner == nil
		})
		if err := errors.Join(inner, err); err != nil {
			return err
		}
		return b.finish(l.opts.Signer)
	})
}

type backupWriter struct {
	w    *bufio.Writer
	sum  hash.Hash
	rows uint64
	buf  []byte
}

func newBackupWriter(w io.Writer, pub ed25519.PublicKey) *backupWriter {
	b := &backupWriter{sum: sha256.New()}
	b.w = bufio.NewWriterSize(io.MultiWriter(w, b.sum), 1<<16)
	b.buf = append(append(append(b.buf, labelBackup...), backupLayout), pub...)
	return b
}

func (b *backupWriter) row(key, value []byte) error {
	b.rows++
	b.buf = binary.BigEndian.AppendUint16(append(b.buf, 1), uint16(len(key)))
	b.buf = append(b.buf, key...)
	b.buf = binary.BigEndian.AppendUint32(b.buf, uint32(len(value)))
	b.buf = append(b.buf, value...)
	_, err := b.w.Write(b.buf)
	b.buf = b.buf[:0]
	return err
}

func (b *backupWriter) finish(key ed25519.PrivateKey) error {
	b.buf = binary.BigEndian.AppendUint64(append(b.buf, 0), b.rows)
	if _, err := b.w.Write(b.buf); err != nil {
		return err
	}
	if err := b.w.Flush(); err != nil {
		return err
	}
	sum := b.sum.Sum(nil)
	if _, err := b.w.Write(ed25519.Sign(key, append([]byte(labelBackup), sum...))); err != nil {
		return err
	}
	return b.w.Flush()
}

// backupReader reads a backup without trusting it before its end.
type backupReader struct {
	r    *bufio.Reader
	sum  hash.Hash
	pub  ed25519.PublicKey
	rows uint64
}

func newBackupReader(r io.Reader) (*backupReader, error) {
	b := &backupReader{r: bufio.NewReaderSize(r, 1<<16), sum: sha256.New()}
	head, err := b.take(len(labelBackup) + 1 + ed25519.PublicKeySize)
	if err != nil {
		return nil, err
	}
	if string(head[:len(labelBackup)]) != string(labelBackup) {
		return nil, ErrBackup
	}
	if head[len(labelBackup)] != backupLayout {
		return nil, fmt.Errorf("%w: %w", ErrBackup, wire.ErrVersion)
	}
	b.pub = head[len(labelBackup)+1:]
	return b, nil
}

func (b *backupReader) take(n int) ([]byte, error) {
	buf := make([]byte, n)
	if _, err := io.ReadFull(b.r, buf); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, ErrBackup
		}
		return nil, fmt.Errorf("eventlog: backup: %w", err)
	}
	b.sum.Write(buf)
	return buf, nil
}

// next returns the next row, or a nil key at the end, once the signature holds.
func (b *backupReader) next() (key, value []byte, err error) {
	mark, err := b.take(1)
	if err != nil {
		return nil, nil, err
	}
	if mark[0] == 0 {
		return nil, nil, b.end()
	}
	if mark[0] != 1 {
		return nil, nil, ErrBackup
	}
	size, err := b.take(2)
	if err != nil {
		return nil, nil, err
	}
	n := binary.BigEndian.Uint16(size)
	if n == 0 || n > maxBackupKey {
		return nil, nil, ErrBackup
	}
	if key, err = b.take(int(n)); err != nil {
		return nil, nil, err
	}
	if size, err = b.take(4); err != nil {
		return nil, nil, err
	}
	m := binary.BigEndian.Uint32(size)
	if m > maxBackupValue {
		return nil, nil, ErrBackup
	}
	value, err = b.take(int(m))
	b.rows++
	return key, value, err
}

func (b *backupReader) end() error {
	count, err := b.take(8)
	if err != nil {
		return err
	}
	sum := b.sum.Sum(nil)
	signature, err := b.take(ed25519.SignatureSize)
	if err != nil {
		return err
	}
	if binary.BigEndian.Uint64(count) != b.rows || !ed25519.Verify(b.pub, append([]byte(labelBackup), sum...), signature) {
		return ErrBackup
	}
	return nil
}
