package chain_test

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"sgchain/lambda/chain"
)

// desiredFrom returns the state of a chain of one tier with some sources.
func desiredFrom(tb testing.TB, sources string) chain.State {
	tb.Helper()
	spec, err := parse(tb, decode(tb, `{"VpcId": "vpc-1", "IpFamilies": ["ipv4", "ipv6"], "Tiers": [{"Name": "A", "Ports": 443, "Sources": [`+sources+`], "Egress": "none"}]}`), chain.DefaultAnswerBytes)
	if err != nil {
		tb.Fatal(err)
	}
	return chain.Desired(spec)
}

func TestWantedListsWhatOnlyEC2Knows(t *testing.T) {
	t.Parallel()
	state := desiredFrom(t, `"vpc", "pl-2", "pl-1", "com.amazonaws.{region}.s3", "com.amazonaws.global.cloudfront.origin-facing", "sg-1", "10.0.0.0/8", "self"`)
	wanted := chain.Wanted("eu-west-1", "123456789012", state, desiredFrom(t, `"pl-1", "pl-3", "123456789012/sg-1", "123456789012/sg-2", "999999999999/sg-3"`))
	if want := (chain.LookUps{
		VPCIDs: []string{"vpc-1"}, ListIDs: []string{"pl-1", "pl-2", "pl-3"},
		ListNames: []string{"com.amazonaws.eu-west-1.s3", "com.amazonaws.global.cloudfront.origin-facing"},
		GroupIDs:  []string{"sg-1", "sg-2"},
	}); !reflect.DeepEqual(wanted, want) || wanted.Empty() {
		t.Errorf("got %+v, want %+v", wanted, want)
	}
	if none := chain.Wanted("eu-west-1", "123456789012", desiredFrom(t, `"internet", "self", "999999999999/sg-1"`)); !none.Empty() {
		t.Errorf("want no look-ups, got %+v", none)
	}
}

func TestResolveReplacesPeersByWhatEC2Shows(t *testing.T) {
	t.Parallel()
	found := chain.Found{
		Account: "123456789012", Region: "eu-west-1",
		VPCs: map[string][]netip.Prefix{"vpc-1": {
			netip.MustParsePrefix("10.0.0.0/16"), netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("2001:db8::/56"),
		}},
		Lists: []chain.PrefixList{{ID: "pl-1", Weight: 7}, {ID: "pl-9", Name: "com.amazonaws.eu-west-1.s3", Weight: 1}},
	}
	for sources, want := range map[string]string{
		`"vpc"`:                                "10.0.0.0/16 10.1.0.0/16 2001:db8::/56",
		`"vpc", "10.1.0.0/16"`:                 "10.0.0.0/16 10.1.0.0/16 2001:db8::/56",
		`"pl-1"`:                               "pl-1",
		`"com.amazonaws.{region}.s3"`:          "pl-9",
		`"pl-9", "com.amazonaws.eu-west-1.s3"`: "pl-9",
		`"123456789012/sg-1"`:                  "sg-1",
		`"999999999999/sg-1"`:                  "999999999999/sg-1",
		`"self", "internet"`:                   "0.0.0.0/0 ::/0 A",
	} {
		state, problems := desiredFrom(t, sources).Resolve(found)
		var peers []string
		for _, rule := range state.Groups[0].Rules {
			peers = append(peers, rule.Peer.String())
			if rule.Description == "" {
				t.Errorf("%s: %s has no description", sources, rule)
			}
		}
		if got := strings.Join(peers, " "); got != want || len(problems) > 0 {
			t.Errorf("%s: got %s, %v, want %s", sources, got, problems, want)
		}
	}
	// A group gets the account that EC2 shows, or else the account that the author wrote. EC2
	// need not show a group for which the author wrote an account.
	found.Owners = map[string]string{"sg-1": "999999999999", "sg-2": "123456789012"}
	found.Missing = map[string]bool{"sg-3": true}
	for sources, want := range map[string]string{
		`"sg-1"`:                            "999999999999/sg-1",
		`"888888888888/sg-1", "sg-1"`:       "999999999999/sg-1",
		`"999999999999/sg-2"`:               "sg-2",
		`"sg-3", "999999999999/sg-3"`:       "999999999999/sg-3",
		`"999999999999/sg-3", "sg-3"`:       "999999999999/sg-3",
		`"123456789012/sg-2", "sg-2"`:       "sg-2",
		`"999999999999/sg-4", "10.0.0.0/8"`: "10.0.0.0/8 999999999999/sg-4",
	} {
		state, problems := desiredFrom(t, sources).Resolve(found)
		var peers []string
		for _, rule := range state.Groups[0].Rules {
			peers = append(peers, rule.Peer.String())
		}
		if got := strings.Join(peers, " "); got != want || len(problems) > 0 {
			t.Errorf("F1, %s: got %s, %v, want %s", sources, got, problems, want)
		}
	}
	state, problems := desiredFrom(t, `"pl-2", "com.amazonaws.{region}.dynamodb", "10.0.0.0/8"`).Resolve(found)
	if len(problems) != 2 || len(state.Groups[0].Rules) != 2 {
		t.Fatalf("got %v and\n%s", problems, state)
	}
	// A peer with an ID stays in the rules, but a peer with only a name cannot.
	if text := state.String(); !strings.Contains(text, "from pl-2") || strings.Contains(text, "amazonaws") {
		t.Errorf("got\n%s", text)
	}
	gone, problems2 := desiredFrom(t, `"vpc", "sg-1"`).Resolve(chain.Found{Missing: map[string]bool{"sg-1": true}})
	if text := errors.Join(problems2...).Error(); len(problems2) != 2 || !strings.Contains(text, "looking up peer (vpc-1) of tier A") || !strings.Contains(text, "looking up peer (sg-1) of tier A") || len(gone.Groups[0].Rules) != 1 {
		t.Errorf("got %v and\n%s", problems2, gone)
	}
	for _, problem := range problems2 {
		checkForm(t, problem.Error()+".")
		if unknown, ok := errors.AsType[*chain.UnknownPeerError](problem); !ok || !strings.HasPrefix(unknown.Remedy(), "Nothing was changed. ") || strings.Contains(unknown.Remedy(), "prefix list") {
			t.Errorf("got %v", problem)
		}
	}
	all := errors.Join(problems...)
	unknown, ok := errors.AsType[*chain.UnknownPeerError](all)
	if !ok || unknown.Tier != "A" || !strings.Contains(unknown.Remedy(), "Nothing was changed") || !strings.Contains(all.Error(), "looking up peer (com.amazonaws.eu-west-1.dynamodb) of tier A") {
		t.Errorf("got %v", all)
	}
}

func TestNamedAddsNameTags(t *testing.T) {
	t.Parallel()
	spec, err := parse(t, decode(t, `{"VpcId": "vpc-1", "Tiers": [{"Name": "A", "GroupName": "web"}, {"Name": "B", "Tags": {"Name": "mine", "Team": "ai"}}, {"Name": "C"}]}`), chain.DefaultAnswerBytes)
	if err != nil {
		t.Fatal(err)
	}
	resource := chain.Resource{StackID: "arn:aws:cloudformation:us-east-1:123456789012:stack/Shop/1", LogicalID: "Chain"}
	state := chain.Desired(spec).Named(resource)
	got := []string{state.Groups[0].Tags["Name"], state.Groups[1].Tags["Name"], state.Groups[2].Tags["Name"]}
	if got[0] != "web" || got[1] != "mine" || got[2] != chain.GeneratedName(resource, spec.Identities()[2]) || state.Groups[1].Tags["Team"] != "ai" {
		t.Errorf("got %q", got)
	}
	if tags := chain.Desired(spec).Groups[0].Tags; tags != nil {
		t.Errorf("the state itself has changed: %v", tags)
	}
}

// The names of peers in plans and messages, and the methods of a state.
func TestNamesOfPeersAndGroups(t *testing.T) {
	t.Parallel()
	member := chain.Identity{VPCID: "vpc-1", Tier: "A", GroupName: "web"}
	for _, c := range []struct {
		peer        chain.Peer
		text, named string
	}{
		{chain.CIDRPeer(chain.InternetV6), "::/0", "internet"},
		{chain.Peer{Kind: chain.PeerCIDR, ID: "weird"}, "weird", "weird"},
		{chain.Peer{Kind: chain.PeerPrefixList, ID: "pl-1"}, "pl-1", "pl-1"},
		{chain.Peer{Kind: chain.PeerVPC, ID: "ipv6"}, "vpc (ipv6)", "vpc"},
		{chain.MemberPeer(member), "A(web)", "A"},
		{chain.MemberPeer(chain.Identity{}), "", ""},
		{chain.Peer{}, "nobody", "nobody"},
	} {
		if c.peer.String() != c.text || chain.PeerName(c.peer) != c.named {
			t.Errorf("%+v: got %q and %q, want %q and %q", c.peer, c.peer, chain.PeerName(c.peer), c.text, c.named)
		}
	}
	state := chain.State{Groups: []chain.Group{{Identity: member, Epoch: chain.Epoch{Generation: 2, PhysicalID: "X"}, Tags: map[string]string{"b": "2", "a": "1"}}}}
	if group, ok := state.Find(member); !ok || group.Tier != "A" || !state.Has(member) || !state.HasTier("A") || state.HasTier("B") || state.Has(chain.Identity{}) || state.Identities()[0] != member {
		t.Errorf("the group is not found in %s", state)
	}
	if text := state.String(); text != "A(web) \"\" 2:X a=\"1\" b=\"2\"\n" {
		t.Errorf("got %q", text)
	}
	for protocol, want := range map[chain.Protocol]bool{chain.TCP: true, chain.ICMPv6: true, chain.All: false, "50": false} {
		if protocol.HasPorts() != want {
			t.Errorf("%s has ports: got %v", protocol, !want)
		}
	}
	if text := (chain.PortRange{From: -1, To: -1}).String(); text != "all" {
		t.Errorf("all ports are %q", text)
	}
}

// The result of two look-ups has everything that either of them found.
func TestFoundWithKeepsWhatEitherFound(t *testing.T) {
	t.Parallel()
	ranges := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}
	first := chain.Found{
		VPCs: map[string][]netip.Prefix{"vpc-1": ranges}, Lists: []chain.PrefixList{{ID: "pl-1", Weight: 1}, {ID: "pl-2"}}, Missing: map[string]bool{"sg-1": true},
		Named: map[chain.GroupName][]string{{Name: "a"}: {"sg-1"}, {Name: "b"}: {"sg-2"}},
	}
	later := chain.Found{Account: "1", Region: "r", Lists: []chain.PrefixList{{ID: "pl-1", Weight: 2}}, Owners: map[string]string{"sg-1": "1"}, Missing: map[string]bool{}, Named: map[chain.GroupName][]string{{Name: "b"}: nil}}
	both := first.With(later)
	want := chain.Found{
		Account: "1", Region: "r", VPCs: map[string][]netip.Prefix{"vpc-1": ranges}, Lists: []chain.PrefixList{{ID: "pl-1", Weight: 2}, {ID: "pl-2"}},
		Owners: map[string]string{"sg-1": "1"}, Missing: map[string]bool{},
		Named: map[chain.GroupName][]string{{Name: "a"}: {"sg-1"}, {Name: "b"}: nil},
	}
	if !reflect.DeepEqual(both, want) {
		t.Errorf("got %+v, want %+v", both, want)
	}
	if failed := first.With(chain.Found{}); len(failed.Missing) != 1 || len(failed.VPCs) != 1 || len(failed.Lists) != 2 || len(failed.Named) != 2 {
		t.Errorf("a failed look-up removes what was found: %+v", failed)
	}
}
