package proof

import (
	"errors"
	"strings"
	"testing"

	"communicator/wire"

	"pgregory.net/rapid"
)

func TestNames(t *testing.T) {
	for typed, want := range map[string]Name{
		"alice": "alice", "Alice": "alice", "ALICE.B-2_c": "alice.b-2_c", "ａｌｉｃｅ": "alice",
		"josé": "josé", "jose\u0301": "josé", "жанна": "жанна", "Ἀθηνᾶ": "ἀθηνᾶ", "山田はなこ": "山田はなこ", "김철수": "김철수",
		"42": "42", strings.Repeat("a", MaxName): Name(strings.Repeat("a", MaxName)),
	} {
		if got, err := ParseName(typed); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", typed, got, err, want)
		}
	}
	for what, typed := range map[string]string{
		"empty": "", "space": "alice b", "at sign": "alice@b", "slash": "a/b", "colon": "a:b", "percent": "a%b",
		"leading hyphen": "-alice", "trailing dot": "alice.", "two dots": "a..b", "only a hyphen": "-",
		"latin with cyrillic": "аlice", "greek with latin": "αlice", "han with latin": "山a", "hangul with kana": "김は",
		"too long": strings.Repeat("a", MaxName+1), "far too long": strings.Repeat("a", 5*MaxName),
		"too long in bytes": strings.Repeat("ж", MaxName/2+1), "not UTF-8": "a\xff", "control": "a\x00b",
		"right-to-left override": "a\u202eb", "zero-width joiner": "a\u200db", "emoji": "a😀", "symbol": "a+b",
		"mixed directions": "aא", "line break": "a\nb",
	} {
		if got, err := ParseName(typed); !errors.Is(err, ErrName) {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
}

func TestNamesHaveOneSpelling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name, err := ParseName(rapid.String().Draw(t, "typed"))
		if err != nil {
			return
		}
		if !name.canonical() {
			t.Errorf("%q is not its own spelling", name)
		}
		if strings.ContainsAny(string(name), "@/ \n") || len(name) > MaxName {
			t.Errorf("%q is a name", name)
		}
	})
}

// TestCanonicalIsWhatParsingGives compares the short way for ASCII with the mapping.
func TestCanonicalIsWhatParsingGives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		typed := rapid.StringOfN(rapid.RuneFrom([]rune("ab9.-_ @AZ~\x00\x7fé")), 0, MaxName+1, -1).Draw(t, "typed")
		parsed, err := ParseName(typed)
		if want := err == nil && string(parsed) == typed; Name(typed).canonical() != want {
			t.Fatalf("%q: canonical is %v", typed, !want)
		}
	})
}

func TestNSID(t *testing.T) {
	ns := NSID{1, 2, 3, 31: 255}
	s := ns.String()
	if !strings.HasPrefix(s, "ns1") || len(s) != nsidLength {
		t.Errorf("%q", s)
	}
	if back, err := ParseNSID(s); err != nil || back != ns {
		t.Errorf("%v, %v", back, err)
	}
	last := "abcdefghijklmnopqrstuvwxyz234567"[strings.IndexByte("abcdefghijklmnopqrstuvwxyz234567", s[len(s)-1])+1]
	for what, bad := range map[string]string{
		"empty": "", "no prefix": s[3:], "upper case": strings.ToUpper(s), "short": s[:len(s)-1], "long": s + "a",
		"another version": "ns2" + s[3:], "bits to spare": s[:len(s)-1] + string(last), "padding": s[:len(s)-1] + "=",
		"line break": s[:len(s)-1] + "\n",
	} {
		if _, err := ParseNSID(bad); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestFullNames(t *testing.T) {
	ns := NSID{7}
	full, err := ParseFullName("Alice@Sales@" + ns.String())
	if err != nil || full.NS != ns.String() || len(full.Labels) != 2 || full.Labels[0] != "alice" || full.Labels[1] != "sales" {
		t.Fatalf("%+v, %v", full, err)
	}
	if again, err := ParseFullName(full.String()); err != nil || again.String() != full.String() {
		t.Errorf("%v, %v", again, err)
	}
	if _, err := ParseFullName("a@b@c@d@e@example"); err != nil {
		t.Errorf("four delegations: %v", err)
	}
	for what, bad := range map[string]string{
		"no namespace": "alice", "empty": "", "empty namespace": "alice@", "empty name": "@example",
		"empty label": "alice@@example", "five delegations": "a@b@c@d@e@f@example", "bad petname": "alice@exa mple",
	} {
		if got, err := ParseFullName(bad); !errors.Is(err, ErrName) {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
}

func TestResolve(t *testing.T) {
	example, sales, north := NSID{1}, NSID{2}, NSID{3}
	lookup := func(ns NSID, name Name) (NSID, error) {
		switch {
		case ns == example && name == "sales":
			return sales, nil
		case ns == sales && name == "north":
			return north, nil
		case ns == sales && name == "back":
			return example, nil
		}
		return NSID{}, ErrUnbound
	}
	full, err := ParseFullName("alice@north@sales@example")
	if err != nil {
		t.Fatal(err)
	}
	if ns, name, err := full.Resolve(example, lookup); err != nil || ns != north || name != "alice" {
		t.Errorf("%v %q %v", ns, name, err)
	}
	for what, test := range map[string]struct {
		typed string
		want  error
	}{
		"a circle":          {"alice@back@sales@example", ErrName},
		"nowhere delegated": {"alice@south@sales@example", ErrUnbound},
	} {
		full, err := ParseFullName(test.typed)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := full.Resolve(example, lookup); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	tooDeep := FullName{Labels: make([]Name, MaxDelegations+2), NS: "example"}
	if _, _, err := tooDeep.Resolve(example, lookup); !errors.Is(err, ErrName) {
		t.Errorf("too deep: %v", err)
	}
}
