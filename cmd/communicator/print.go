package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// printJSON writes one value as one line. What a terminal would act on, which in JSON
// can stand only inside strings, is escaped.
func printJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	var safe strings.Builder
	for _, r := range b.String() {
		if r != '\n' && drives(r) {
			fmt.Fprintf(&safe, "\\u%04x", r)
		} else {
			safe.WriteRune(r)
		}
	}
	_, err := io.WriteString(w, safe.String())
	return err
}

// drives says whether a terminal may act on a character rather than show it.
func drives(r rune) bool {
	return r < 0x20 || r >= 0x7f && r < 0xa0 || // C0, DEL, C1
		r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 // bidirectional overrides
}

// jsonFlag adds --json and returns where its value will be.
func jsonFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("json", false, "print JSON, one value a line")
}

// terminal says whether f is a person's terminal.
func terminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// progress returns where to report progress: a terminal's standard error, or nowhere.
func progress() io.Writer {
	if terminal(os.Stderr) {
		return os.Stderr
	}
	return io.Discard
}

// printable replaces control characters, so that a message cannot drive the terminal
// it is shown on. Line feeds and tabs stay.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if drives(r) && r != '\n' && r != '\t' {
			return '\uFFFD'
		}
		return r
	}, s)
}
