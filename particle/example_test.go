package particle_test

import (
	"fmt"
	"time"

	"communicator/particle"
	"communicator/wire"
)

// Blair publishes a package; Alex writes first; both have a relationship.
func Example() {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	check := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	address := func(n byte) wire.Address {
		return wire.Address{Mailbox: wire.MailboxID{n}, Expires: now.Add(90 * 24 * time.Hour)}
	}

	blairID, err := particle.NewIdentity(nil)
	check(err)
	contact := address(1)
	pkg, secret, err := particle.NewPackage(nil, blairID, particle.PackageOptions{
		Contact: &contact, OneTime: true, Expires: now.Add(7 * 24 * time.Hour),
	})
	check(err)

	alexID, err := particle.NewIdentity(nil)
	check(err)
	alex, err := particle.Initiate(nil, alexID, pkg, []wire.Address{address(2), address(3)}, now)
	check(err)
	alex, sealed, err := alex.Send(nil, particle.Draft{Text: "hello"}, now) // save both, then release
	check(err)
	payload, err := alex.Wrap(nil, sealed.Ciphertext, alex.PeerAddresses(now)[0])
	check(err)

	ciphertext, err := pkg.ContactWrapKey().Unwrap(payload)
	check(err)
	accepted, err := particle.Accept(secret, ciphertext, now) // save both, then acknowledge
	check(err)
	fmt.Println(accepted.Opened.Message.Text)
	blair, err := accepted.Particle.Offer([]wire.Address{address(4), address(5)}, now)
	check(err)
	blair, sealed, err = blair.Send(nil, particle.Draft{Text: "hello back"}, now)
	check(err)

	alex, opened, err := alex.Receive(sealed.Ciphertext, now)
	check(err)
	fmt.Println(opened.Message.Text, opened.NewAddresses, alex.SafetyNumber() == blair.SafetyNumber())
	// Output:
	// hello
	// hello back true true
}
