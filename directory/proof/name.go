package proof

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
)

// Name is a name in one namespace, in its one canonical spelling: lower case, as
// PRECIS UsernameCaseMapped (RFC 8265) has it, 1 to 63 bytes, in one script. Of ASCII
// it has letters, digits, and - . _ inside; so no name holds an "@".
type Name string

// ParseName maps what a person typed to the canonical spelling, or returns [ErrName].
func ParseName(s string) (Name, error) {
	if len(s) > 4*MaxName {
		return "", ErrName
	}
	mapped, err := precis.UsernameCaseMapped.String(s)
	if err != nil || len(mapped) == 0 || len(mapped) > MaxName {
		return "", ErrName
	}
	if again, err := precis.UsernameCaseMapped.String(mapped); err != nil || again != mapped {
		return "", ErrName
	}
	if !plain(mapped) || !oneScript(mapped) {
		return "", ErrName
	}
	return Name(mapped), nil
}

// canonical is whether a name read from a signed layout is spelt as it must be.
func (n Name) canonical() bool {
	if lowerASCII(string(n)) {
		return len(n) > 0 && len(n) <= MaxName && plain(string(n)) // what the mapping leaves as it is
	}
	parsed, err := ParseName(string(n))
	return err == nil && parsed == n
}

func lowerASCII(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || c >= 'A' && c <= 'Z' {
			return false
		}
	}
	return true
}

// plain refuses ASCII punctuation, which full names, links and shells use, except
// single - . _ between other characters.
func plain(s string) bool {
	joined := true // nothing before: a joiner may not stand here
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r >= unicode.MaxASCII+1:
			joined = false
		case (r == '-' || r == '.' || r == '_') && !joined:
			joined = true
		default:
			return false
		}
	}
	return !joined
}

// Scripts that are written together and count as one (UTS #39, 5.1).
var writtenTogether = [][]string{
	{"Han", "Hiragana", "Katakana"},
	{"Han", "Bopomofo"},
	{"Han", "Hangul"},
}

// oneScript is whether all characters with a script of their own share one.
func oneScript(s string) bool {
	used, script := map[string]bool{}, ""
	for _, r := range s {
		if unicode.In(r, unicode.Common, unicode.Inherited) {
			continue
		}
		if script = scriptOf(r, script); script == "" {
			return false
		}
		used[script] = true
	}
	if len(used) <= 1 {
		return true
	}
	for _, together := range writtenTogether {
		n := 0
		for _, script := range together {
			if used[script] {
				n++
			}
		}
		if n == len(used) {
			return true
		}
	}
	return false
}

// scriptOf looks first at the script of the character before: there are 170.
func scriptOf(r rune, before string) string {
	if r <= unicode.MaxASCII {
		return "Latin" // the only script of ASCII; its other characters are Common
	}
	if table := unicode.Scripts[before]; table != nil && unicode.Is(table, r) {
		return before
	}
	for name, table := range unicode.Scripts {
		if unicode.Is(table, r) {
			return name
		}
	}
	return ""
}
