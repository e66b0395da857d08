package client_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"communicator/client"
	"communicator/client/invite"
	"communicator/client/store"
	"communicator/node"
	"communicator/node/config"
)

// startAgent runs a sending and receiving agent in this process; in real life its
// operator hands out a URI with a token.
func startAgent(ctx context.Context) (uri string, stop func()) {
	settings := config.Default()
	settings.Listen, settings.AllowPrivate = []string{"/ip4/127.0.0.1/tcp/0"}, true
	settings.Admin.Listen = ""
	n, err := node.Open(ctx, node.Config{Settings: settings})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	if uri, err = n.NewToken(ctx, 2); err != nil {
		log.Fatal(err)
	}
	return uri, func() {
		cancel()
		<-done
		n.Close()
	}
}

// Two people meet through an invitation and exchange a message.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	// Each has an agent of their own: no agent delivers to itself, where it would see
	// both ends.
	first, stop := startAgent(ctx)
	defer stop()
	second, stop := startAgent(ctx)
	defer stop()

	open := func(name, uri string) *client.Client {
		c, err := client.Create(ctx, filepath.Join(dir, name), []byte("a passphrase"), client.Options{
			KDF: store.KDF{Time: 1, Memory: 64, Threads: 1}, // too cheap for more than an example
		})
		if err != nil {
			log.Fatal(err)
		}
		if _, err := c.AddAgent(ctx, uri); err != nil {
			log.Fatal(err)
		}
		return c
	}
	alex, blair := open("alex", first), open("blair", second)
	defer alex.Close()
	defer blair.Close()

	invitation, err := alex.Invite(ctx, "Blair")
	if err != nil {
		log.Fatal(err)
	}
	// The link travels outside, such as on paper or as a QR code.
	if _, err := blair.Accept(ctx, invitation.Link, "Alex"); err != nil {
		log.Fatal(err)
	}
	if _, err := blair.Send(ctx, "Alex", "hello", client.SendOptions{Wait: client.UntilStored}); err != nil {
		log.Fatal(err)
	}
	events, err := alex.Receive(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range events {
		switch e := e.(type) {
		case client.ContactAdded:
			fmt.Println(e.Contact.Name, "accepted")
		case client.MessageReceived:
			fmt.Printf("%s: %s\n", e.Message.Contact, e.Message.Text)
		}
	}
	// Output:
	// Blair accepted
	// Blair: hello
}

// A program that shows messages as they arrive.
func ExampleClient_Follow() {
	ctx := context.Background()
	c, err := client.Open(ctx, "profile", []byte("a passphrase"), client.Options{Proxy: "127.0.0.1:9050"})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	err = c.Follow(ctx, func(e client.Event) {
		switch e := e.(type) {
		case client.MessageReceived:
			fmt.Printf("%s: %s\n", e.Message.Contact, e.Message.Text)
		case client.DeliveryChanged:
			fmt.Printf("message %v to %s: %v\n", e.ID, e.Contact, e.State)
		case client.Alarm:
			fmt.Printf("look at %s: %v\n", e.Contact, e.Kind)
		}
	})
	if err != nil {
		log.Fatal(err)
	}
}

// An invitation shown as a QR code in a terminal with a dark background.
func ExampleClient_Invite() {
	ctx := context.Background()
	c, err := client.Open(ctx, "profile", []byte("a passphrase"), client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	invitation, err := c.Invite(ctx, "Blair")
	if err != nil {
		log.Fatal(err)
	}
	code, err := invite.QR(invitation.Link, false)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(code)
	fmt.Println(invitation.Link)
}
