package describe_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"sgchain/lambda/chain"
	"sgchain/lambda/describe"
)

const vpcID = "vpc-1"

// found returns the test's account: a VPC with both families, a prefix list of AWS and one of a customer.
func found() chain.Found {
	return chain.Found{
		Account: "111122223333", Region: "eu-central-1",
		VPCs:  map[string][]netip.Prefix{vpcID: {netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("10.2.0.0/16"), netip.MustParsePrefix("2001:db8::/56")}},
		Lists: []chain.PrefixList{{ID: "pl-a", Name: "com.amazonaws.eu-central-1.s3", Weight: 1}, {ID: "pl-c", Name: "offices", Weight: 5}},
	}
}

func group(id, name string, rules ...chain.Rule) describe.Group {
	return describe.Group{ID: id, VPCID: vpcID, OwnerID: "111122223333", Name: name, Description: "by hand", Rules: rules}
}

// rule parses "in tcp 80 0.0.0.0/0 description" and "out all 0.0.0.0/0".
func rule(text string) chain.Rule {
	words := strings.SplitN(text, " ", 5)
	one := chain.Rule{Direction: chain.Ingress, Protocol: chain.Protocol(words[1]), Ports: chain.AllPorts}
	if words[0] == "out" {
		one.Direction = chain.Egress
	}
	rest := words[2:]
	if one.Protocol.HasPorts() {
		if count, _ := fmt.Sscanf(rest[0], "%d/%d", &one.Ports.From, &one.Ports.To); count == 1 {
			one.Ports.To = one.Ports.From
		}
		rest = rest[1:]
	}
	switch peer := rest[0]; {
	case strings.HasPrefix(peer, "pl-"):
		one.Peer = chain.Peer{Kind: chain.PeerPrefixList, ID: peer}
	case strings.Contains(peer, "sg-"):
		one.Peer = chain.GroupPeer(peer)
	case strings.Contains(peer, "?"):
		one.Peer = chain.Peer{Kind: chain.PeerCIDR, ID: peer}
	default:
		one.Peer = chain.CIDRPeer(netip.MustParsePrefix(peer))
	}
	one.Description = strings.Join(rest[1:], " ")
	return one
}

func rules(texts ...string) []chain.Rule {
	var all []chain.Rule
	for _, text := range texts {
		all = append(all, rule(text))
	}
	return all
}

// described describes groups in one chain, and fails the test if that is not exact.
func described(t *testing.T, groups ...describe.Group) describe.Chain {
	t.Helper()
	chains, err := describe.Chains(groups, found())
	if err != nil || len(chains) != 1 {
		t.Fatalf("got %d chains: %v", len(chains), err)
	}
	if proof := chains[0].Prove(groups, found()); len(proof.Differences) > 0 || proof.Groups != len(groups) {
		t.Fatalf("it differs: %v", proof)
	}
	return chains[0]
}

// tierOf returns one tier of the properties without what every tier has.
func tierOf(t *testing.T, one describe.Chain, place int) string {
	t.Helper()
	tiers, _ := one.Properties()["Tiers"].([]any)
	tier, _ := tiers[place].(map[string]any)
	for _, key := range []string{"Name", "GroupName", "Description", "AllowPublic"} {
		delete(tier, key)
	}
	text, err := json.Marshal(tier)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestTiersAreShort describes various groups, each as the second tier behind a load balancer.
func TestTiersAreShort(t *testing.T) {
	t.Parallel()
	const everywhere = "out all 0.0.0.0/0"
	for want, texts := range map[string][]string{
		`{}`:                              {everywhere},
		`{"Egress":"none"}`:               nil,
		`{"Ports":[80]}`:                  {"in tcp 80 sg-alb", everywhere},
		`{"Egress":"none","Ports":[443]}`: {"in tcp 443 sg-alb Alb to App: tcp 443"},
		`{"Ports":[80,443,"8000-8010","udp/53"],"Sources":["internet"]}`:                                                          {"in tcp 80 0.0.0.0/0", "in tcp 443 0.0.0.0/0", "in udp 53 0.0.0.0/0", "in tcp 8000/8010 0.0.0.0/0", everywhere},
		`{"Ports":["icmp","icmp/3/4","icmp/8","proto/50","all"],"Sources":["self"]}`:                                              {"in icmp -1/-1 sg-app", "in icmp 8/-1 sg-app", "in icmp 3/4 sg-app", "in 50 sg-app", "in all sg-app", everywhere},
		`{"Ports":[22],"Sources":["vpc","self","Alb","192.0.2.7/32","222233334444/sg-z","com.amazonaws.eu-central-1.s3","pl-c"]}`: {"in tcp 22 10.1.0.0/16", "in tcp 22 10.2.0.0/16", "in tcp 22 sg-app", "in tcp 22 sg-alb", "in tcp 22 192.0.2.7/32", "in tcp 22 222233334444/sg-z", "in tcp 22 pl-a", "in tcp 22 pl-c", everywhere},
		// One of several ranges of the VPC is not the VPC.
		`{"Ports":[22],"Sources":["10.1.0.0/16"]}`: {"in tcp 22 10.1.0.0/16", everywhere},
		// The long form keeps descriptions that are not the chain's, and only these need it.
		`{"Ingress":[{"Ports":[443],"Sources":["Alb"]},{"Description":"the office","Ports":[22,80],"Sources":["192.0.2.0/24"]}]}`: {"in tcp 443 sg-alb", "in tcp 22 192.0.2.0/24 the office", "in tcp 80 192.0.2.0/24 the office", everywhere},
		`{"Ingress":[{"Ports":[80,443],"Sources":["internet"]},{"Ports":[443],"Sources":["Alb"]}]}`:                               {"in tcp 80 0.0.0.0/0", "in tcp 443 0.0.0.0/0", "in tcp 443 sg-alb", everywhere},
		`{"Ports":[22],"Sources":["com.amazonaws.{region}.s3"]}`:                                                                  {"in tcp 22 pl-a com.amazonaws.{region}.s3 to App: tcp 22", everywhere},
		`{"Ports":[22],"Sources":["pl-a"]}`:                                                                                       {"in tcp 22 pl-a " + "pl-a to App: tcp 22", everywhere},
		`{"Ports":[22],"Sources":["10.1.0.0/16","10.2.0.0/16"]}`:                                                                  {"in tcp 22 10.1.0.0/16 10.1.0.0/16 to App: tcp 22", "in tcp 22 10.2.0.0/16 10.2.0.0/16 to App: tcp 22", everywhere},
		// Outbound rules.
		`{"Egress":[{"Destinations":["internet"],"Ports":[443]}]}`:                                             {"out tcp 443 0.0.0.0/0"},
		`{"Egress":"chain","Ports":[7000],"Sources":["self"]}`:                                                 {"in tcp 7000 sg-app", "out tcp 7000 sg-app"},
		`{"Egress":["chain",{"Destinations":["pl-c"],"Ports":["udp/53"]}],"Ports":[7000],"Sources":["self"]}`:  {"in tcp 7000 sg-app", "out tcp 7000 sg-app", "out udp 53 pl-c"},
		`{"Egress":[{"Description":"all of it","Destinations":["internet"],"Ports":["all"]}]}`:                 {"out all 0.0.0.0/0 all of it"},
		`{"Egress":[{"Destinations":["internet"],"Ports":["all"]},{"Destinations":["vpc"],"Ports":["icmp"]}]}`: {everywhere, "out icmp -1/-1 10.1.0.0/16", "out icmp -1/-1 10.2.0.0/16"},
	} {
		one := described(t, group("sg-alb", "Alb", rules("in tcp 443 0.0.0.0/0 internet to Alb: tcp 443", "out tcp 9 sg-app")...), group("sg-app", "App", rules(texts...)...))
		if got := tierOf(t, one, 1); got != want {
			t.Errorf("%q is described as\n%s, want\n%s", texts, got, want)
		}
	}
}
