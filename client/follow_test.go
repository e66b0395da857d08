package client

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"communicator/client/store"
)

// Upkeep is done at once when something changes, and what changes in the second after
// that is looked at together.
func TestUpkeepWaitsForWhatFollows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "profile")
	synctest.Test(t, func(t *testing.T) {
		st, err := store.Create(path, []byte("pass"), store.Options{Alone: true, KDF: store.KDF{Time: 1, Memory: 8, Threads: 1}})
		check(t, err)
		defer st.Close()
		c := &Client{st: st, opts: Options{Now: time.Now}}
		ctx, cancel := context.WithCancel(t.Context())
		began, ended := time.Now(), make(chan error)
		var passes []time.Duration
		go func() {
			ended <- c.followUpkeep(ctx, func(context.Context) (time.Time, error) {
				passes = append(passes, time.Since(began))
				return c.now().Add(upkeepEvery), nil
			})
		}()
		time.Sleep(10 * time.Second)
		for i := range 5 {
			check(t, st.Update(ctx, func(tx *store.Tx) error { return tx.SetSetting("a", []byte{byte(i)}) }))
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(time.Minute + 5*time.Second)
		cancel()
		if err := <-ended; err == nil {
			t.Error("ended without an error")
		}
		want := []time.Duration{0, 10 * time.Second, 10*time.Second + upkeepApart, 10*time.Second + upkeepApart + upkeepEvery}
		if !slices.Equal(passes, want) {
			t.Errorf("passes at %v, want %v", passes, want)
		}
	})
}
