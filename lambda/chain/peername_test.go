package chain_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"sgchain/lambda/chain"
)

// parsePeer parses a chain whose tiers allow one peer.
func parsePeer(tb testing.TB, peer string) (chain.Spec, error) {
	tb.Helper()
	return parse(tb, map[string]any{"VpcId": "vpc-1", "Tiers": []any{
		map[string]any{"Name": "A", "GroupName": "Web", "Ports": "443", "Sources": []any{peer}},
		map[string]any{"Name": strings.Repeat("B", 64), "Ingress": []any{map[string]any{"Ports": []any{"icmpv6/255/255"}, "Sources": []any{peer}}}},
	}}, chain.DefaultAnswerBytes)
}

// Names keep their letter case and every character that EC2 allows in them. Each rule gets a
// description that EC2 accepts.
func TestParseNamedPeers(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 255)
	for peer, want := range map[string][2]string{
		"group/default":              {"group/default", "group/default to A: tcp 443"},
		" GROUP/ Ops Team (EU)/1 ":   {"group/Ops Team (EU)/1", "group/Ops Team (EU)/1 to A: tcp 443"},
		"group/a*b?":                 {},
		"group/a*b":                  {"group/a*b", "group/a*b to A: tcp 443"},
		"group/a&b":                  {"group/a&b", "group/a_b #02a78788 to A: tcp 443"},
		"group/" + long:              {"group/" + long, "group/" + long[:112] + " #71be4d18 to A: tcp 443"},
		"group/" + long + "x":        {},
		"group/":                     {},
		"group/sg-0a":                {},
		"list/office":                {"list/office", "list/office to A: tcp 443"},
		"list/Büro ?*":               {"list/Büro ?*", "list/B_ro _* #dd6046aa to A: tcp 443"},
		"list/com.amazonaws.x.s3":    {"list/com.amazonaws.x.s3", "list/com.amazonaws.x.s3 to A: tcp 443"},
		`list/a\b`:                   {},
		"list/a\tb":                  {},
		"list/pl-0a":                 {},
		"list/pl-office":             {"list/pl-office", "list/pl-office to A: tcp 443"},
		"group/web":                  {}, // the group of tier A, whatever the letter case
		"123456789012/group/default": {},
	} {
		spec, err := parsePeer(t, peer)
		if want[0] == "" {
			if err == nil {
				t.Errorf("%s is accepted", peer)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", peer, err)
			continue
		}
		if rule := spec.Tiers[0].Ingress[0]; rule.Peer.String() != want[0] || rule.Description != want[1] {
			t.Errorf("%s: got %s with the description %q, want %q", peer, rule.Peer, rule.Description, want)
		}
		if text := spec.Tiers[1].Ingress[0].Description; len(text) > 255 || strings.ContainsAny(text, "&?ü") {
			t.Errorf("%s: EC2 refuses the description %q", peer, text)
		}
	}
	if _, err := parsePeer(t, "group/web"); err == nil || !strings.Contains(err.Error(), "is the group of tier A of this chain. Write A instead.") {
		t.Errorf("got %v", err)
	}
}

// The schema and the parser accept the same names.
func TestSchemaOfNamedPeersAgreesWithParse(t *testing.T) {
	t.Parallel()
	schema := compiled(t, chain.PropertiesSchema())
	long := strings.Repeat("x", 255)
	for _, peer := range []string{
		"group/default", " GROUP/ Ops Team (EU)/1 ", "group/a*b?", "group/a*b", "group/a&b", "group/" + long, "group/" + long + "x", "group/" + long + "  ", "group/", "group/  ", "group/sg-0a",
		"group/ SG-0a", "group/my-sg-0a", "list/office", "LIST/Büro ?*", "list/com.amazonaws.x.s3", `list/a\b`, "list/a\tb", "list/pl-0a", "list/PL-0A ", "list/pl-office", "list/", "list/ \u3000",
		"list/" + long, "list/" + long + "x", "list/a\u200bb", "group", "groups/a", "123456789012/group/default",
	} {
		bySchema, byParser := verdicts(t, schema, map[string]any{"VpcId": "vpc-1", "Tiers": []any{map[string]any{"Name": "A", "Ports": "443", "Sources": []any{peer}}}})
		if peer != "group" && (bySchema == nil) != (byParser == nil) { // group may be a tier's name
			t.Errorf("%q: the schema returns %v, the parser %v", peer, bySchema, byParser)
		}
	}
}

// Guardrails look for addresses of the internet, and a name has no address.
func TestNamedPeersAreNeverPublic(t *testing.T) {
	t.Parallel()
	for _, peer := range []string{"group/all", "list/everybody"} {
		spec, err := parsePeer(t, peer)
		if err != nil {
			t.Fatal(err)
		}
		if findings := chain.Guardrails(spec); len(findings) > 0 {
			t.Errorf("%s: %v", peer, findings)
		}
	}
}

// A name is resolved if exactly one group or prefix list has it. The error for an ambiguous name
// lists the IDs.
func TestResolveNames(t *testing.T) {
	t.Parallel()
	found := chain.Found{
		Account: "123456789012", Region: "eu-west-1", Owners: map[string]string{"sg-1": "123456789012", "sg-2": "999999999999"},
		Named: map[chain.GroupName][]string{
			{VPCID: "vpc-1", Name: "ops"}: {"sg-1"}, {VPCID: "vpc-1", Name: "shared"}: {"sg-2"}, {VPCID: "vpc-2", Name: "away"}: {"sg-3"},
			{VPCID: "vpc-1", Name: "twice"}: {"sg-4", "sg-5"}, {VPCID: "vpc-1", Name: "nobody"}: nil,
		},
		Lists: []chain.PrefixList{
			{ID: "pl-1", Name: "office"}, {ID: "pl-1", Name: "office"}, {ID: "pl-2", Name: "office-eu-west-1"}, {ID: "pl-4", Name: "both"}, {ID: "pl-3", Name: "both"},
		},
	}
	for peer, want := range map[string]string{
		"group/ops":            "sg-1",
		"group/shared":         "999999999999/sg-2",
		"group/away":           "looking up peer (group/away) of tier A: VPC vpc-1 has no security group of this name",
		"group/OPS":            "looking up peer (group/OPS) of tier A: VPC vpc-1 has no security group of this name",
		"group/twice":          "looking up peer (group/twice) of tier A: several have this name: sg-4, sg-5",
		"group/nobody":         "looking up peer (group/nobody) of tier A: VPC vpc-1 has no security group of this name",
		"list/office":          "pl-1",
		"list/office-{region}": "pl-2",
		"list/Office":          "looking up peer (list/Office) of tier A: this account and Region have no such prefix list",
		"list/both":            "looking up peer (list/both) of tier A: several have this name: pl-3, pl-4",
	} {
		state, problems := desiredFrom(t, `"`+peer+`"`).Resolve(found)
		got := errors.Join(problems...)
		text := fmt.Sprint(got)
		if got == nil {
			text = state.Groups[0].Rules[0].Peer.String()
		} else if len(state.Groups[0].Rules) > 0 {
			t.Errorf("%s: the rules are %v", peer, state.Groups[0].Rules)
		}
		if text != want {
			t.Errorf("%s: got %s, want %s", peer, text, want)
		}
		if unknown, isUnknown := errors.AsType[*chain.UnknownPeerError](got); isUnknown && !strings.HasPrefix(unknown.Remedy(), "Nothing was changed. ") {
			t.Errorf("%s: the remedy is %q", peer, unknown.Remedy())
		}
	}
	wanted := chain.Wanted("eu-west-1", "123456789012", desiredFrom(t, `"group/b", "group/a", "list/office-{region}", "com.amazonaws.{region}.s3"`))
	if want := (chain.LookUps{
		GroupNames: []chain.GroupName{{VPCID: "vpc-1", Name: "a"}, {VPCID: "vpc-1", Name: "b"}}, ListNames: []string{"com.amazonaws.eu-west-1.s3", "office-eu-west-1"},
	}); !reflect.DeepEqual(wanted, want) || wanted.Empty() {
		t.Errorf("got %+v", wanted)
	}
	if former := (chain.LookUps{FormerNames: wanted.GroupNames}); former.Empty() || !(chain.LookUps{}).Empty() {
		t.Error("previous names are looked up, too")
	}
}

// If a name belongs to no peer or to several, the description tells which rule came from it.
func TestStandingFindsRulesOfNamesByDescription(t *testing.T) {
	t.Parallel()
	one := chain.Identity{VPCID: "vpc-1", Tier: "A"}
	rule := func(peer chain.Peer, description string) chain.Rule {
		return chain.Rule{Direction: chain.Ingress, Protocol: chain.TCP, Ports: chain.PortRange{From: 443, To: 443}, Peer: peer, Description: description}
	}
	group, list := chain.Peer{Kind: chain.PeerGroupName, ID: "group/ops"}, chain.Peer{Kind: chain.PeerListName, ID: "list/office"}
	for name, test := range map[string]struct {
		wanted  chain.Peer
		current chain.Rule
		missing bool
	}{
		"a group by its name":        {group, rule(chain.GroupPeer("sg-1"), "d"), false},
		"another description":        {group, rule(chain.GroupPeer("sg-1"), "e"), true},
		"a range instead of a group": {group, rule(chain.CIDRPeer(chain.InternetV4), "d"), true},
		"a list instead of a group":  {group, rule(chain.Peer{Kind: chain.PeerPrefixList, ID: "pl-1"}, "d"), true},
		"a list by its name":         {list, rule(chain.Peer{Kind: chain.PeerPrefixList, ID: "pl-1"}, "d"), false},
		"a group instead of a list":  {list, rule(chain.GroupPeer("sg-1"), "d"), true},
	} {
		for of, found := range map[string]chain.Found{"nobody": {}, "several": {
			Named: map[chain.GroupName][]string{{VPCID: "vpc-1", Name: "ops"}: {"sg-1", "sg-2"}}, Lists: []chain.PrefixList{{ID: "pl-1", Name: "office"}, {ID: "pl-2", Name: "office"}},
		}} {
			wanted := chain.State{Groups: []chain.Group{{Identity: one, Rules: []chain.Rule{rule(test.wanted, "d")}}}}
			current := chain.State{Groups: []chain.Group{{Identity: one, Rules: []chain.Rule{test.current}}}}
			standing, missing := wanted.StaleRules(found, current)
			if isMissing := len(missing) == 1 && len(standing.Groups) == 0; isMissing != test.missing {
				t.Errorf("%s, the name is that of %s: standing %v, missing %v", name, of, standing, missing)
			}
		}
	}
}
