package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	natsVersion = server.VERSION
	// natsVar makes this program the server, with its store in the folder named.
	natsVar = "RIVALS_NATS_STORE"
	// natsReady is how long the server may take to start.
	natsReady = 10 * time.Second
)

// serveNATS runs the server until standard input ends: as a process of its own, so that
// it shares no garbage collector with its clients.
func serveNATS(dir string) error {
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: dir, SyncAlways: true,
	})
	if err != nil {
		return err
	}
	s.Start()
	defer s.WaitForShutdown()
	defer s.Shutdown()
	if !s.ReadyForConnections(natsReady) {
		return errors.New("the NATS server did not start")
	}
	fmt.Println(s.ClientURL())
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// measureNATS publishes with acknowledgement from clients with a connection each.
func measureNATS(ctx context.Context, o options, clients int) (rate float64, err error) {
	url, stop, err := startNATS(filepath.Join(o.dir, "store"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	var streams []jetstream.JetStream
	for range clients {
		c, err := nats.Connect(url)
		if err != nil {
			return 0, err
		}
		defer c.Close()
		js, err := jetstream.New(c)
		if err != nil {
			return 0, err
		}
		streams = append(streams, js)
	}
	_, err = streams[0].CreateStream(ctx, jetstream.StreamConfig{
		Name: "MAIL", Subjects: []string{"mail.>"}, Storage: jetstream.FileStorage, Replicas: 1})
	if err != nil {
		return 0, err
	}
	sends := make([]sendFunc, clients)
	for i, js := range streams {
		subject, message := fmt.Sprintf("mail.%d", i), make([]byte, o.size)
		if _, err := rand.Read(message); err != nil {
			return 0, err
		}
		sends[i] = func(ctx context.Context) error {
			_, err := js.Publish(ctx, subject, message)
			return err
		}
	}
	return loop(ctx, o.duration, sends)
}

// startNATS runs this program as the server.
func startNATS(dir string) (url string, stop func() error, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), natsVar+"="+dir)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() error { return errors.Join(in.Close(), cmd.Wait()) }
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return "", nil, errors.Join(err, stop())
	}
	return strings.TrimSpace(line), stop, nil
}
