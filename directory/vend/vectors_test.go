package vend

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"testing"
	"time"

	"communicator/wire"
)

var update = flag.Bool("update", false, "write testdata anew")

// vectors are for another implementation: what follows from fixed inputs, every layout
// of a fact, and layouts that are refused.
type vectors struct {
	Namespace, NameText, Identity, Request, Token, Package, Agent, Peer, Nonce, Body string

	NameID, RequestDigest, PackageDigest, OwnerScope, SpaceScope string
	TokenDigests                                                 map[string]string // by kind
	Operation                                                    string            // what is signed, as operation 3
	Work                                                         struct {
		Hour, Nonce uint64
		Zeros       int
	}
	Facts   []factVector
	Refused []factVector
}

type factVector struct {
	What           string
	Kind           uint16
	Stream, Header string
}

func fixed(b byte) (out [32]byte) {
	for i := range out {
		out[i] = b + byte(i)
	}
	return out
}

func makeVectors() vectors {
	h := func(b []byte) string { return hex.EncodeToString(b) }
	space, identity, request, token := SpaceID(fixed(1)), Identity(fixed(2)), RequestID(fixed(3)), Token(fixed(4))
	agent, nonce := wire.AgentID(fixed(5)), fixed(6)
	name := NameIDOf(space, "alice")
	rd, pd, owner, all := request.Digest(), PackageDigest(name, []byte("package")), OwnerScope(name, identity), SpaceScope(space)
	v := vectors{
		Namespace: h(space[:]), NameText: "alice", Identity: h(identity[:]), Request: h(request[:]), Token: h(token[:]),
		Package: h([]byte("package")), Agent: h(agent[:]), Peer: h([]byte("peer")), Nonce: h(nonce[:]), Body: h([]byte("body")),
		NameID: h(name[:]), RequestDigest: h(rd[:]), PackageDigest: h(pd[:]), OwnerScope: h(owner[:]), SpaceScope: h(all[:]),
		TokenDigests: map[string]string{},
		Operation:    h(OperationBytes(agent, []byte("peer"), nonce, 3, []byte("body"))),
	}
	for what, d := range map[string]Digest{
		"1": TokenDigest(Registration, all, token), "2": TokenDigest(Member, all, token), "3": TokenDigest(Contact, owner, token),
	} {
		v.TokenDigests[what] = h(d[:])
	}
	v.Work.Hour = 490000
	for v.Work.Zeros < 12 {
		v.Work.Nonce++
		v.Work.Zeros = WorkZeros(agent, space, name, request, v.Work.Hour, v.Work.Nonce)
	}
	for _, f := range []Fact{
		SpaceSet{space, Space{Policy{Open, 30}, 20}}, RuleSet{name, Policy{Approved, 5}}, RuleSet{name, Policy{}},
		PackageAdded{Name: name, Package: OneTime, Expires: 490100, Digest: pd},
		PackageAdded{Name: name, Package: LastResort, Expires: 490100, Digest: pd},
		PackageVended{Name: name, Package: OneTime, Expires: 490100, Position: 77, Request: rd, Token: TokenDigest(Contact, owner, token), Scope: owner},
		PackageVended{Name: name, Package: LastResort, Expires: 490100, Position: 78, Request: rd},
		StockVoided{name, identity}, ContactAsked{Name: name, Forget: 490200, Request: rd}, ContactDeclined{name, rd},
		TokensIssued{Member, all, 499000, []Digest{{1}, {2}}}, TokensRevoked{Contact, owner, []Digest{{3}}},
		TokenSpent{Registration, all, Digest{4}}, Forgotten{490300, 128}, EraBegun{2},
	} {
		v.Facts = append(v.Facts, factVector{reflect.TypeOf(f).Name(), f.Kind(), h(f.Stream()), h(f.Header())})
	}
	bad := func(what string, kind uint16, stream, header []byte) {
		v.Refused = append(v.Refused, factVector{what, kind, h(stream), h(header)})
	}
	bad("an unknown kind", KindEraBegun+1, nil, nil)
	bad("a rule that does not exist", KindRuleSet, name[:], []byte{6, 0, 0, 0, 1})
	bad("a namespace that has the default rule", KindSpaceSet, space[:], []byte{0, 0, 0, 0, 1, 0})
	bad("a byte too many", KindRuleSet, name[:], []byte{1, 0, 0, 0, 1, 0})
	bad("a byte too few", KindRuleSet, name[:], []byte{1, 0, 0, 0})
	bad("a short name id", KindRuleSet, name[:15], []byte{1, 0, 0, 0, 1})
	bad("no digests", KindTokensRevoked, all[:], []byte{2, 0})
	bad("a token of no kind", KindTokenSpent, all[:], append([]byte{4}, make([]byte, 16)...))
	bad("a package of no kind", KindPackageAdded, name[:], append([]byte{3, 0, 0, 0, 1}, make([]byte, 16)...))
	return v
}

func TestVectors(t *testing.T) {
	const path = "testdata/vectors.json"
	if *update {
		b, err := json.MarshalIndent(makeVectors(), "", "  ")
		if err == nil {
			err = os.WriteFile(path, append(b, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want vectors
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	if got := makeVectors(); !reflect.DeepEqual(got, want) {
		t.Errorf("values differ from %s", path)
	}
	parse := func(f factVector) (Fact, error) {
		stream, err1 := hex.DecodeString(f.Stream)
		header, err2 := hex.DecodeString(f.Header)
		if err1 != nil || err2 != nil {
			t.Fatal(f.What, err1, err2)
		}
		return ParseFact(f.Kind, Version, stream, header)
	}
	for _, f := range want.Facts {
		fact, err := parse(f)
		if err != nil || hex.EncodeToString(fact.Header()) != f.Header {
			t.Errorf("%s: %v", f.What, err)
		}
	}
	for _, f := range want.Refused {
		if fact, err := parse(f); err == nil {
			t.Errorf("%s: read as %+v", f.What, fact)
		}
	}
	if _, err := ParseFact(KindForgotten, Version+1, nil, Forgotten{}.Header()); err == nil {
		t.Error("a version of the future was read")
	}
}

func TestHours(t *testing.T) {
	for _, c := range []struct {
		at   time.Time
		want Hour
	}{
		{time.Unix(-5, 0), 0}, {time.Unix(3599, 0), 0}, {time.Unix(3600, 0), 1}, {time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), 70389527},
	} {
		if got := HourAt(c.at); got != c.want {
			t.Errorf("%v: hour %d, want %d", c.at, got, c.want)
		}
	}
	if got := Hour(490000).Time(); HourAt(got) != 490000 || HourAt(got.Add(-time.Nanosecond)) != 489999 {
		t.Errorf("hour begins at %v", got)
	}
}
