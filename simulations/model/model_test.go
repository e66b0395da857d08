package model

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"communicator/internal/testenv"
	"communicator/simulations/trace"
)

const quiet = "tier: model\nseed: 1\nduration: 30m\nnodes: {agents: 20, users: 50}\nworkload: {messages_per_user_hour: 20}\n"

func TestEverythingArrives(t *testing.T) {
	rec, o := play(t, build(t, quiet))
	if rec.kinds[trace.Sent] < 400 || rec.kinds[trace.Received] != rec.kinds[trace.Sent] || rec.kinds[trace.Accepted] != rec.kinds[trace.Sent] {
		t.Fatalf("%v", rec.kinds)
	}
	t.Logf("p50 %v p99 %v max %v; %v", rec.quantile(0.5), rec.quantile(0.99), rec.quantile(1), o.Extra)
	t.Logf("%v %v", rec.kinds, rec.bytes)
	if p := rec.quantile(0.99); p > 30*time.Second {
		t.Errorf("p99 is %v", p)
	}
	if o.Extra["model_under_way"] != 0 {
		t.Errorf("%v messages are left over", o.Extra["model_under_way"])
	}
}

// eventful is a scenario in which everything happens that a run draws something for.
const eventful = `
tier: model
seed: 7
duration: 20m
nodes: {agents: 60, users: 300, operators: 20}
latency: {jitter: 0.3, loss: 0.01}
churn: {model: weibull, scale: 30m, down: 1m}
workload: {messages_per_user_hour: 30, lookups_per_user_hour: 10, names: 20, online: 0.7, session: 10m}
privacy: {jitter: 2s, rotate_every: 5}
adversary: {observer: global, hostile: {share: 0.1, do: mixed, delay: 20s}, sybil: {target: random, count: 45}}
events:
- {at: 2m, for: 3m, partition: [eu, asia]}
- {at: 6m, for: 2m, cut_off: 0.2}
- {at: 8m, for: 1m, kill: 0.2}
- {at: 9m, for: 1m, freeze: 0.2}
- {at: 10m, for: 1m, loss: 0.3}
- {at: 11m, for: 1m, slow: 3}
- {at: 12m, for: 1m, full: 0.3}
- {at: 13m, for: 1m, crowd: {factor: 10, to: 5}}
- {at: 14m, drain: 0.1}
`

// hashOf runs eventful in this process, frames and all.
func hashOf(t testing.TB, settings ...string) string {
	rec := newTape()
	rec.frames = true
	playOn(t, build(t, eventful, settings...), rec)
	return fmt.Sprintf("%x of %d received, %d frames", rec.hash.Sum(nil), rec.kinds[trace.Received], rec.frameN)
}

const onlyHash = "COMMUNICATOR_MODEL_HASH"

// TestHashOfChild is what TestBitIdentical runs in other processes.
func TestHashOfChild(t *testing.T) {
	if os.Getenv(onlyHash) != "" {
		fmt.Println(hashOf(t))
	}
}

// TestBitIdentical: one seed is one run, on one processor or two, with or without the
// instructions that newer ones have, in code that was compiled for them or not.
func TestBitIdentical(t *testing.T) {
	want := hashOf(t)
	if other := hashOf(t, "seed=8"); other == want {
		t.Fatal("two seeds, one run")
	}
	child := func(binary string, env ...string) {
		cmd := exec.Command(binary, "-test.run=^TestHashOfChild$", "-test.count=1")
		cmd.Env = append(append(os.Environ(), onlyHash+"=1"), env...)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%v: %v, %s, not %s", env, err, out, want)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child(self, "GOMAXPROCS=1")
	child(self, "GOMAXPROCS=2", "GOGC=10")
	child(self, "GODEBUG=cpu.all=off")
	if testenv.Soak() { // it compiles the package again
		one, three := compiled(t, "v1"), compiled(t, "v3")
		if one != three || len(one) < 64 {
			t.Errorf("compiled for the first level %q, for the third %q", one, three)
		}
	}
}

// TestHashOfAnotherMachine compares the run with what a machine wrote down once: every
// machine that tests this is another one. It holds of amd64; elsewhere compilers may join
// a multiplication and an addition. A change of the model, or of what it decides with,
// changes the hash: COMMUNICATOR_WRITE=1 writes it anew.
func TestHashOfAnotherMachine(t *testing.T) {
	const path = "testdata/eventful.hash"
	got := hashOf(t) + "\n"
	if os.Getenv("COMMUNICATOR_WRITE") == "1" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) && runtime.GOARCH == "amd64" {
		t.Errorf("%s, not %s: run this test with COMMUNICATOR_WRITE=1 if the model was changed", got, want)
	}
}

// compiled is the hash that a program prints which is compiled for a level of amd64.
func compiled(t *testing.T, level string) string {
	binary := filepath.Join(t.TempDir(), level)
	build := exec.Command("go", "build", "-o", binary, "./testdata/hash")
	build.Env = append(os.Environ(), "GOAMD64="+level)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	run := exec.Command(binary)
	run.Stdin = strings.NewReader(eventful)
	out, err := run.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestFrames: an observer of every wire sees a message pass from machine to machine.
func TestFrames(t *testing.T) {
	s := build(t, "tier: model\nduration: 10m\nnodes: {agents: 10, users: 2}\nworkload: {messages_per_pair: 1, contacts_per_user: 1}\nlatency: {model: fixed}\nadversary: {observer: global}")
	rec := newTape()
	rec.frames, rec.keep = true, true
	playOn(t, s, rec)
	var way []string
	for _, f := range rec.seen {
		if f.Size > 4<<10 { // of the size of a message
			way = append(way, fmt.Sprint(f.From < 0, "→", f.To < 0))
		}
	}
	if want := "[true→false false→false false→true]"; fmt.Sprint(way) != want {
		t.Errorf("the message went %v, not %v", way, want)
	}
	carried := int64(0)
	for _, f := range rec.seen {
		carried += int64(f.Size)
	}
	for _, n := range rec.bytes {
		carried -= n
	}
	if carried <= 0 || carried > 8<<10 {
		t.Errorf("around what streams carried there are %d bytes of frames", carried)
	}
}
