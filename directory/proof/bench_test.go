package proof

import (
	"syscall"
	"testing"
	"time"
)

// cpu is the processor time that the process has used: on a shared machine it says more
// than the clock.
func cpu(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkVerifyStaple is what a person's device does for one name, but for deriving
// the name's secret.
func BenchmarkVerifyStaple(b *testing.B) {
	w := newWorld(b)
	_, s := w.bound(b)
	staple, err := w.million(b, s, idDocNamed("alice")).Marshal()
	if err != nil {
		b.Fatal(err)
	}
	now, secret := t0.Add(time.Hour), secretNamed("alice")
	used := cpu(b)
	for b.Loop() {
		st, err := ParseStaple(staple)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := VerifyStaple(st, w.chain, "alice", secret, now); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(staple)), "bytes")
	b.ReportMetric(float64((cpu(b)-used).Microseconds())/float64(b.N), "cpu-µs/op")
}

// BenchmarkVerifyStatements is what a directory does with what an authority hands in:
// parsing and verifying, on all processors.
func BenchmarkVerifyStatements(b *testing.B) {
	w := newWorld(b)
	state, first := w.bound(b)
	rotation := signed(b, state.Rotate(idDocNamed("alice 2"), Hash{}, at(0)), "alice", "alice 2", "attesting")
	for name, s := range map[string]Statement{"two signatures": first, "three signatures": rotation} {
		b.Run(name, func(b *testing.B) {
			const batch = 512
			encoded, err := s.Marshal()
			if err != nil {
				b.Fatal(err)
			}
			statements := make([]Statement, batch)
			used := cpu(b)
			for b.Loop() {
				for i := range statements {
					if statements[i], err = ParseStatement(encoded); err != nil {
						b.Fatal(err)
					}
				}
				for _, err := range VerifyStatements(w.m, 0, statements...) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			n := float64(batch) * float64(b.N)
			b.ReportMetric(n/b.Elapsed().Seconds(), "statements/s")
			b.ReportMetric(float64((cpu(b)-used).Microseconds())/n, "cpu-µs/statement")
		})
	}
}

// BenchmarkFold is a rebuild: statements that were verified before they were stored.
func BenchmarkFold(b *testing.B) {
	w := newWorld(b)
	state, _ := w.bound(b)
	rotation := signed(b, state.Rotate(idDocNamed("alice 2"), Hash{}, at(0)), "alice", "alice 2", "attesting")
	for b.Loop() {
		if _, err := Fold(state, rotation, DefaultHold, t0); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseName(b *testing.B) {
	for name, typed := range map[string]string{"ascii": "alice", "greek": "Ἀθηνᾶ"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := ParseName(typed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
