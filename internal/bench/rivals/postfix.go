package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	// postfixDaemons is where Debian has Postfix's daemons.
	postfixDaemons = "/usr/lib/postfix/sbin"
	// mailDomain is where the mail goes; nobody looks it up.
	mailDomain = "rivals.invalid"
	// mailPatience is how long one mail may take from SMTP into its Maildir.
	mailPatience = 30 * time.Second
	// postfixReady is how long Postfix may take to listen.
	postfixReady = 10 * time.Second
)

func postfixMissing() string {
	if _, err := exec.LookPath("/usr/sbin/postfix"); err != nil {
		return "apt-get install --no-install-recommends postfix"
	}
	if os.Geteuid() != 0 {
		return "Postfix starts as root only: run this command as root"
	}
	return ""
}

// measurePostfix sends mail over SMTP from clients with a connection and a Maildir each.
func measurePostfix(ctx context.Context, o options, clients int) (rate float64, err error) {
	p := &postfix{config: filepath.Join(o.dir, "config"), queue: filepath.Join(o.dir, "queue"),
		data: filepath.Join(o.dir, "data"), mail: filepath.Join(o.dir, "mail"), log: filepath.Join(o.dir, "log")}
	if err := p.start(ctx, clients); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	watch, boxes, err := watchMaildirs(p.mail, clients)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, watch.close()) }()
	sends := make([]sendFunc, clients)
	for i := range sends {
		c, err := p.connect(i, o.size, boxes[i])
		if err != nil {
			return 0, err
		}
		defer c.smtp.Close()
		sends[i] = c.send
	}
	rate, err = loop(ctx, o.duration, sends)
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, p.said())
	}
	return rate, err
}

// postfix is an instance with everything of its own.
type postfix struct {
	config, queue, data, mail, log string
	address                        string // of its SMTP
}

// mainCF is a real and durable delivery with everything else out of the way: no
// look-ups of names, no rate limits, and as many deliveries at once as clients.
const mainCF = `compatibility_level = 3.6
queue_directory = %[1]s
data_directory = %[2]s
daemon_directory = ` + postfixDaemons + `
maillog_file = %[3]s
maillog_file_prefixes = %[4]s
myhostname = ` + mailDomain + `
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
smtpd_client_event_limit_exceptions = static:all
smtputf8_enable = no
disable_dns_lookups = yes
in_flow_delay = 0
default_process_limit = %[5]d
initial_destination_concurrency = %[5]d
virtual_destination_concurrency_limit = %[5]d
virtual_destination_recipient_limit = 1
virtual_mailbox_domains = ` + mailDomain + `
virtual_mailbox_base = %[6]s
alias_maps =
virtual_mailbox_maps = texthash:%[9]s
virtual_minimum_uid = 1
virtual_uid_maps = static:%[7]s
virtual_gid_maps = static:%[8]s
`

// masterCF are the services that take mail from SMTP into a Maildir.
const masterCF = `%s inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
virtual unix - n n - - virtual
error unix - - n - - error
retry unix - - n - - error
postlog unix-dgram n - n - 1 postlogd
`

// start makes the folders and the configuration, and starts the daemons.
func (p *postfix) start(ctx context.Context, clients int) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	p.address = listener.Addr().String()
	if err := listener.Close(); err != nil {
		return err
	}
	owner, err := user.Lookup("postfix")
	if err != nil {
		return err
	}
	uid, _ := strconv.Atoi(owner.Uid)
	gid, _ := strconv.Atoi(owner.Gid)
	for _, dir := range []string{p.config, p.queue, p.data, p.mail} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	if err := errors.Join(os.Chown(p.data, uid, gid), os.Chown(p.mail, uid, gid)); err != nil {
		return err
	}
	table := filepath.Join(p.config, "boxes")
	settings := fmt.Sprintf(mainCF, p.queue, p.data, p.log, filepath.Dir(p.log), 2*clients+50, p.mail, owner.Uid, owner.Gid, table)
	var boxes []byte // the Maildir of each address, below virtual_mailbox_base
	for i := range clients {
		boxes = fmt.Appendf(boxes, "%[1]s@%[2]s %[1]s/\n", maildir(i), mailDomain)
	}
	err = errors.Join(os.WriteFile(table, boxes, 0o644), os.WriteFile(filepath.Join(p.config, "main.cf"), []byte(settings), 0o644),
		os.WriteFile(filepath.Join(p.config, "master.cf"), fmt.Appendf(nil, masterCF, p.address), 0o644))
	if err != nil {
		return err
	}
	// Made here, so that they can be watched before the first mail.
	for i := range clients {
		for _, sub := range []string{"", "new", "cur", "tmp"} {
			dir := filepath.Join(p.mail, maildir(i), sub)
			if err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, uid, gid)); err != nil {
				return err
			}
		}
	}
	if err := p.command(ctx, "start"); err != nil {
		return err
	}
	return p.await(ctx)
}

func maildir(i int) string { return "client" + strconv.Itoa(i) }

// await waits until Postfix listens.
func (p *postfix) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, postfixReady)
	defer cancel()
	for {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.address)
		if err == nil {
			return c.Close()
		}
		if ctx.Err() != nil {
			return errors.Join(err, p.stop(), errors.New(p.said()))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (p *postfix) stop() error { return p.command(context.Background(), "stop") }

// command runs postfix(1). Its daemons hold on to standard error, so it gets none.
func (p *postfix) command(ctx context.Context, what string) error {
	cmd := exec.CommandContext(ctx, "/usr/sbin/postfix", "-c", p.config, what)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("postfix %s: %w\n%s", what, err, p.said())
	}
	return nil
}

func (p *postfix) said() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-2000):])
}

// mailer is one client: an SMTP connection, and the Maildir that its mail ends in.
type mailer struct {
	smtp *smtp.Client
	to   string
	text []byte
	box  <-chan struct{}
}

func (p *postfix) connect(i, size int, box <-chan struct{}) (*mailer, error) {
	c, err := smtp.Dial(p.address)
	return &mailer{smtp: c, to: maildir(i) + "@" + mailDomain, text: text(size), box: box}, err
}

// text is a mail's body in lines.
func text(size int) []byte {
	const line = "The quick brown fox jumps over the lazy dog, and then once more again.\r\n"
	return []byte(strings.Repeat(line, size/len(line)+1)[:max(size-2, 0)] + "\r\n")
}

// send hands one mail over and waits until it is in the Maildir.
func (m *mailer) send(context.Context) error {
	if err := errors.Join(m.smtp.Mail("sender@"+mailDomain), m.smtp.Rcpt(m.to)); err != nil {
		return err
	}
	w, err := m.smtp.Data()
	if err != nil {
		return err
	}
	_, err = w.Write(m.text)
	if err := errors.Join(err, w.Close()); err != nil {
		return err
	}
	return await(m.box)
}
