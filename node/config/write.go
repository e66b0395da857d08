package config

import (
	"io"
	"strconv"
	"strings"
	"text/template"
)

// Write writes the configuration as a commented file that [Parse] reads back.
func Write(w io.Writer, c Config) error { return file.Execute(w, c) }

var file = template.Must(template.New("config").Funcs(template.FuncMap{
	"q": func(v any) string {
		switch v := v.(type) {
		case string:
			return quote(v)
		case Policy:
			return quote(string(v))
		case interface{ String() string }:
			return quote(v.String())
		}
		panic("config: no such value")
	},
	"list": func(items []string) string {
		quoted := make([]string, len(items))
		for i, s := range items {
			quoted[i] = quote(s)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	},
}).Parse(`# Configuration of a Communicator node. It is read when the node starts; what is
# left out keeps the value that is shown here. Sizes: "64MiB", "10GiB". Durations:
# "90s", "1h30m", "14d".

# Where to listen: multiaddrs with a TCP port. Open this port in the firewall.
listen = {{list .Listen}}

# Where others reach this node, if that is not where it listens: behind address
# translation, or under a name, such as "/dns4/relay.example.org/tcp/4001". The
# first is printed when the node is ready and given to clients.
announce = {{list .Announce}}

# "sending" takes messages from its users and forwards them; "receiving" keeps its
# users' mailboxes. People do best with the two at different operators. "directory"
# serves the namespaces that "communicator namespace serve" has put here.
roles = {{list .Roles}}

# Allow dialling and announcing private and loopback addresses. For tests and
# private networks only: on a public node it lets strangers reach your network.
allow_private = {{.AllowPrivate}}

[access]
# Who may submit messages and create mailboxes. "token": whoever holds a token from
# "communicator node token new". "peers": the peer ids below. "open": everybody,
# against a proof of work and within rates.
policy = {{q .Access.Policy}}

# For "open": the leading zero bits of the proof of work. Each bit doubles the work;
# 20 cost a laptop a fraction of a second, once a connection.
work_bits = {{.Access.WorkBits}}

# For "peers": the peer ids to serve.
peers = {{list .Access.Peers}}

[limits]
# Mailboxes that one account may have open.
mailboxes_per_account = {{.Limits.MailboxesPerAccount}}

# What one mailbox may hold before its owner collects. A sender hears "full".
deliveries_per_mailbox = {{.Limits.DeliveriesPerMailbox}}
bytes_per_mailbox = {{q .Limits.BytesPerMailbox}}

# What one account may have waiting to be forwarded. A sender hears "try again later".
submissions_per_account = {{.Limits.SubmissionsPerAccount}}
submission_bytes_per_account = {{q .Limits.SubmissionBytesPerAccount}}

# Connections: from others, to others, and from one IPv4 address or IPv6 /56.
# A connection costs about 60 KB of memory.
connections_in = {{.Limits.ConnectionsIn}}
connections_out = {{.Limits.ConnectionsOut}}
connections_per_address = {{.Limits.ConnectionsPerAddress}}

[storage]
# What the log may take on disk; "0": until the disk is nearly full. When it is
# reached, senders hear "storage full" and collecting goes on.
max = {{q .Storage.Max}}

# How long a delivery waits for its owner. Longer-lived addresses than this are of
# no use to senders.
retention = {{q .Storage.Retention}}

# How often erased messages are taken off the files, too. It stops the node for
# some tens of milliseconds; at most a day.
reclaim = {{q .Storage.Reclaim}}

[dht]
# The overlay in which agents are found by their id when their address has changed,
# and names of namespaces by whoever looks them up. Records are signed, those of
# names sealed too: this node learns neither names nor who they belong to.
enabled = {{.DHT.Enabled}}

# Store records of others and answer. Off for a node that others cannot reach.
server = {{.DHT.Server}}

# URIs of nodes to join through, best of several operators. Without any the node
# waits for others to join through it.
bootstrap = {{list .DHT.Bootstrap}}

# A name keeps a network apart from others; empty for the public one.
network = {{q .DHT.Network}}

# Leading zero bits of the proof of work on names' records, the same in a whole network.
work_bits = {{.DHT.WorkBits}}

# What to store of others, in memory; the records furthest from this node go first.
records = {{.DHT.Records}}
bytes = {{q .DHT.Bytes}}

[log]
# "text" or "json", to standard error. No addresses, peers or mailboxes are logged
# at any level.
format = {{q .Log.Format}}
# "debug", "info", "warn" or "error".
level = {{q .Log.Level}}

[admin]
# Loopback address of /metrics and /healthz; empty for none. Everything else is
# administered through the socket admin.sock in the node's directory.
listen = {{q .Admin.Listen}}
`))

// quote writes a TOML basic string; its escapes are a superset of what is needed
// for multiaddrs, peer ids and names.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			b.WriteString(`\u00`)
			if r < 0x10 {
				b.WriteByte('0')
			}
			b.WriteString(strconv.FormatInt(int64(r), 16))
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
