package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options of a run.
type options struct {
	clients  []int
	rounds   int
	duration time.Duration // that messages are counted for, in each round, on each side
	size     int           // of a message, bytes
	binary   string        // the built program
	dir      string        // temporary, on the disk that is measured
}

// warmUp precedes what is counted, as it does in `communicator bench deliver`.
const warmUp = 2 * time.Second

// Bounds of what is asked for.
const (
	maxClients  = 1024
	maxRounds   = 100
	maxSize     = 48 << 10
	maxDuration = 10 * time.Minute
)

// counts collects a flag that may be repeated.
type counts []int

func (c *counts) String() string { return fmt.Sprint(*c) }

func (c *counts) Set(s string) error {
	for part := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 || n > maxClients {
			return fmt.Errorf("takes 1 to %d", maxClients)
		}
		*c = append(*c, n)
	}
	return nil
}

func main() {
	if dir := os.Getenv(natsVar); dir != "" {
		exit(serveNATS(dir))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	flag.Var((*counts)(&o.clients), "clients", "`N` clients; repeat, or separate with commas, for more (default 64,256)")
	flag.IntVar(&o.rounds, "rounds", 5, "how many `ROUNDS`, each measuring every side once")
	flag.DurationVar(&o.duration, "duration", 5*time.Second, "how long each side is measured in a round, after a warm-up")
	flag.IntVar(&o.size, "size", 1024, "`BYTES` of a message")
	flag.StringVar(&o.binary, "binary", "", "measure this `FILE` (default: build the program that this module lies in)")
	asJSON := flag.Bool("json", false, "print JSON")
	flag.Parse()
	if err := check(&o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	exit(run(ctx, o, *asJSON))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func check(o *options) error {
	switch {
	case flag.NArg() > 0:
		return errors.New("takes no arguments")
	case o.rounds < 1 || o.rounds > maxRounds:
		return fmt.Errorf("--rounds takes 1 to %d", maxRounds)
	case o.size < 1 || o.size > maxSize:
		return fmt.Errorf("--size takes 1 to %d", maxSize)
	case o.duration < time.Second || o.duration > maxDuration:
		return fmt.Errorf("--duration takes 1s to %v", maxDuration)
	}
	if len(o.clients) == 0 {
		o.clients = []int{64, 256}
	}
	return nil
}

func run(ctx context.Context, o options, asJSON bool) (err error) {
	if o.dir, err = os.MkdirTemp("", "rivals-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.dir)) }()
	if err := os.Chmod(o.dir, 0o755); err != nil { // Postfix's daemons are another user
		return err
	}
	if o.binary == "" {
		fmt.Fprintln(os.Stderr, "building the program")
		if o.binary, err = buildProgram(ctx, o.dir); err != nil {
			return err
		}
	}
	r, err := compare(ctx, o, os.Stderr)
	if err != nil {
		return err
	}
	if asJSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	return r.print(os.Stdout)
}

// buildProgram builds the module above this one, as its README says.
func buildProgram(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "communicator")
	root := filepath.Join("..", "..", "..")
	if _, err := os.Stat(filepath.Join(root, "cmd", "communicator")); err != nil {
		return "", errors.New("the program's source is not here: use go run -C internal/bench/rivals, or --binary FILE")
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "./cmd/communicator")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "PWD=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return path, nil
}

// say tells how far a run is.
func say(w io.Writer, format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
