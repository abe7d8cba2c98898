package describe_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sgchain/lambda/chain"
	"sgchain/lambda/describe"
)

// namesOf lists the tiers of a chain.
func namesOf(one describe.Chain) []string {
	var names []string
	for _, tier := range one.Tiers {
		names = append(names, tier.Name)
	}
	return names
}

// TestIPv6IsChosenIfShorter checks that a chain has both families if that is shorter.
func TestIPv6IsChosenIfShorter(t *testing.T) {
	t.Parallel()
	both := described(t, group("sg-a", "Web", rules("in tcp 80 0.0.0.0/0", "in tcp 80 ::/0", "in icmp 8/-1 0.0.0.0/0", "in icmpv6 128/-1 ::/0", "out all 0.0.0.0/0", "out all ::/0")...))
	if got := tierOf(t, both, 0); !both.IPv6 || got != `{"Ports":[80,"icmp/8","icmpv6/128"]}` {
		t.Errorf("IPv6 %t: %s", both.IPv6, got)
	}
	one := described(t, group("sg-a", "Web", rules("in tcp 80 0.0.0.0/0", "in tcp 81 ::/0", "out all 0.0.0.0/0")...))
	if got := tierOf(t, one, 0); one.IPv6 || got != `{"Ingress":[{"Ports":[80],"Sources":["internet"]},{"Ports":[81],"Sources":["internet-v6"]}]}` {
		t.Errorf("IPv6 %t: %s", one.IPv6, got)
	}
}

func TestOutermostFirst(t *testing.T) {
	t.Parallel()
	takes := func(id string, from ...string) describe.Group {
		var texts []string
		for _, one := range from {
			if one != "0.0.0.0/0" {
				one = "sg-" + one
			}
			texts = append(texts, "in tcp 80 "+one)
		}
		return group("sg-"+id, id, rules(texts...)...)
	}
	for want, groups := range map[string][]describe.Group{
		"":             nil,
		"web app db":   {takes("db", "app"), takes("app", "web"), takes("web", "0.0.0.0/0")},
		"a b x y free": {takes("y", "x"), takes("b", "a"), takes("free"), takes("x"), takes("a")},
		// One with two sources comes after both.
		"a b c":   {takes("c", "a", "b"), takes("b"), takes("a")},
		"a c b d": {takes("b", "a"), takes("d", "b", "c"), takes("c", "a", "0.0.0.0/0"), takes("a")},
		// A cycle begins with the group that is open to the world, or with the first by name.
		"m k l":   {takes("k", "m", "l"), takes("l", "k"), takes("m", "l", "0.0.0.0/0")},
		"k l m":   {takes("k", "m"), takes("l", "k"), takes("m", "l")},
		"w k l z": {takes("z", "l"), takes("k", "w", "l"), takes("l", "k"), takes("w")},
		"self":    {takes("self", "self")},
	} {
		for range 2 { // in either order
			var got []string
			for _, one := range describe.Outermost(groups) {
				got = append(got, one.Name)
			}
			if text := strings.Join(got, " "); text != want {
				t.Errorf("got %q, want %q", text, want)
			}
			slices.Reverse(groups)
		}
	}
}

func TestTierNames(t *testing.T) {
	t.Parallel()
	for want, texts := range map[string][2]string{ // by the tag Name and the group's name
		"ShopAlb": {"", "shop-alb-sg"}, "Front": {"front", "x"}, "ALB": {"ALB-SG", "x"}, "Sg": {"", "sg"}, "SelfGroup": {"self", ""}, "InternetGroup": {"", "Internet"},
		"Group9Lives": {"9 lives", "x"}, "X": {"漢字", "x"}, "Group": {"漢字", "()"}, "CafWeb": {"Café Web", "x"}, strings.Repeat("A", 64): {strings.Repeat("A", 80), "x"},
		"Sg2048": {"sg-2048", "x"},
	} {
		one := group("sg-a", texts[1])
		one.Tags = map[string]string{"Name": texts[0]}
		chains, err := describe.Chains([]describe.Group{one}, found())
		if texts[1] == "" {
			one.Name = "x"
			chains, err = describe.Chains([]describe.Group{one}, found())
		}
		if err != nil || chains[0].Tiers[0].Name != want {
			t.Errorf("%q: got %v, %v, want %s", texts, chains, err, want)
		}
	}
	alike := described(t, group("sg-a", "web"), group("sg-b", "Web SG"), group("sg-c", "(web)"))
	if got := namesOf(alike); !slices.Equal(got, []string{"Web", "Web2", "Web3"}) {
		t.Errorf("names that differ in nothing: %v", got)
	}
	// A group that a chain has named keeps its name.
	if got := namesOf(described(t, group("sg-a", "alb-group", rules("in tcp 80 0.0.0.0/0 internet to Edge: tcp 80")...))); !slices.Equal(got, []string{"Edge"}) {
		t.Errorf("a group of an earlier chain: %v", got)
	}
}

// TestGuardrailsAreNoted checks that what the groups already allow is described, with a note.
func TestGuardrailsAreNoted(t *testing.T) {
	t.Parallel()
	one := described(t, group("sg-a", "Web", rules("in tcp 443 0.0.0.0/0")...), group("sg-b", "Api", rules("in tcp 8443 0.0.0.0/0", "in tcp 1 sg-a")...))
	if one.WarnOnly || one.Tiers[0].AllowPublic || !one.Tiers[1].AllowPublic || len(one.Notes) != 1 || !strings.Contains(one.Notes[0], "Tier Api has AllowPublic, since it is not the first and is open to the internet: tcp 8443 from 0.0.0.0/0") {
		t.Errorf("got %+v", one)
	}
	one = described(t, group("sg-a", "Web", rules("in tcp 22 0.0.0.0/0")...))
	if !one.WarnOnly || len(one.Notes) != 1 || !strings.Contains(one.Notes[0], "tier Web allows tcp 22 from 0.0.0.0/0") {
		t.Errorf("got %+v", one)
	}
	spec, err := chain.Parse(one.Properties(), chain.DefaultAnswerBytes)
	if err != nil {
		t.Fatal(err)
	}
	if _, refused := chain.Guard(spec, false); refused != nil {
		t.Error(refused)
	}
}

func TestChooseRefusesWhatCannotBeAdopted(t *testing.T) {
	t.Parallel()
	tagged := func(tags map[string]string) describe.Group {
		one := group("sg-a", "web")
		one.Tags = tags
		return one
	}
	foreign, managed := group("sg-a", "web"), group("sg-a", "web")
	foreign.OwnerID, managed.Manager = "222233334444", "a Kubernetes cluster (tag kubernetes.io/cluster/x)"
	full := map[string]string{}
	for i := range 44 {
		full[fmt.Sprint("key", i)] = "value"
	}
	ofStack := map[string]string{
		"aws:cloudformation:stack-name": "Net", "aws:cloudformation:stack-id": "arn:aws:cloudformation:eu-central-1:111122223333:stack/Net/1", "aws:cloudformation:logical-id": "Web",
	}
	for _, test := range []struct {
		group   describe.Group
		options describe.Options
		want    string
	}{
		{group("sg-a", "web"), describe.Options{}, ""},
		{group("sg-a", "Default"), describe.Options{}, "it is the default group of its VPC"},
		{group("sg-a", "web"), describe.Options{Exclude: []string{"sg-a"}}, "it is excluded"},
		{foreign, describe.Options{}, "it belongs to account 222233334444"},
		{managed, describe.Options{}, "a Kubernetes cluster (tag kubernetes.io/cluster/x) manages it"},
		{tagged(ofStack), describe.Options{}, "it belongs to the CloudFormation stack Net (resource Web)"},
		{tagged(ofStack), describe.Options{Retained: true}, ""},
		{tagged(map[string]string{chain.TagStackID: "arn:aws:cloudformation:eu-central-1:111122223333:stack/Shop/1", chain.TagLogicalID: "Chain"}), describe.Options{Retained: true}, "it already belongs to chain Chain of stack Shop"},
		{tagged(full), describe.Options{}, "with the tags of an adoption it would have 51 tags, and EC2 allows 50. Remove 1 of its tags"},
	} {
		test.options.Account = "111122223333"
		tiers, refused := describe.Choose([]describe.Group{test.group}, test.options)
		if len(tiers)+len(refused) != 1 || (test.want == "") != (len(refused) == 0) || (test.want != "" && !strings.Contains(refused[0].String(), test.want)) {
			t.Errorf("got %v, want %q", refused, test.want)
		}
	}
}

// TestChainsListsEverythingThatItCannotExpress checks that one error lists everything that a chain cannot express, with the group.
func TestChainsListsEverythingThatItCannotExpress(t *testing.T) {
	t.Parallel()
	known := found()
	known.Missing = map[string]bool{"sg-gone": true}
	odd := rule("in tcp 80 0.0.0.0/0")
	odd.Ports = chain.AllPorts
	long := rule("in tcp 80 ::ffff:10.0.0.0/104")
	bad := group("sg-a", " web", odd, long, rule("in tcp 80 sg-gone"), rule("in tcp 80 pl-gone"), rule("in tcp 80 10.0.0.0/99?"), rule("in esp 0.0.0.0/0"), rule("in icmp 8/-1 ::/0"), rule("in icmp -1/4 0.0.0.0/0"), rule("in tcp 443 0.0.0.0/0"))
	_, err := describe.Chains([]describe.Group{bad, group("sg-b", "app")}, known)
	inexact, is := errors.AsType[*describe.InexactError](err)
	if !is || len(inexact.Problems) != 9 {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{
		"sg-a ( web): a chain cannot use this name", "ingress tcp 80 from sg-gone: sg-gone no longer exists in this account and Region", "this account cannot see prefix list pl-gone",
		"ingress tcp 80 from 10.0.0.0/99?: a chain cannot express these ports or this peer", "ingress protocol esp from 0.0.0.0/0: a chain cannot express", "ingress icmp 8 from ::/0",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it does not say %q: %v", want, err)
		}
	}
	elsewhere := group("sg-b", "app")
	elsewhere.VPCID = "vpc-2"
	if _, err := describe.Chains([]describe.Group{group("sg-a", "web"), elsewhere}, known); err == nil || !strings.Contains(err.Error(), "several VPCs (vpc-1, vpc-2)") {
		t.Errorf("two VPCs: %v", err)
	}
}

// TestProofSeesEveryDifference changes one thing at a time in correct chains.
func TestProofSeesEveryDifference(t *testing.T) {
	t.Parallel()
	groups := []describe.Group{
		group("sg-a", "Web", rules("in tcp 443 0.0.0.0/0 internet to Web: tcp 443", "out all 0.0.0.0/0")...),
		group("sg-b", "App", rules("in tcp 80 sg-a", "in tcp 22 sg-b admins", "out tcp 5 pl-a")...),
	}
	right := described(t, groups...)
	for name, change := range map[string]func(*describe.Chain){
		"a port":             func(c *describe.Chain) { c.Tiers[0].Ports[0] = "444" },
		"a port more":        func(c *describe.Chain) { c.Tiers[0].Ports = append(c.Tiers[0].Ports, "444") },
		"a source":           func(c *describe.Chain) { c.Tiers[0].Sources = []string{"vpc"} },
		"an entry less":      func(c *describe.Chain) { c.Tiers[1].Ingress = c.Tiers[1].Ingress[1:] },
		"a destination":      func(c *describe.Chain) { c.Tiers[1].EgressTo[0].Peers = []string{"pl-c"} },
		"a list":             func(c *describe.Chain) { c.Tiers[1].EgressTo[0].Peers = []string{"pl-z"} },
		"no egress":          func(c *describe.Chain) { c.Tiers[0].Egress = []string{"none"} },
		"IPv6":               func(c *describe.Chain) { c.IPv6 = true },
		"the other group":    func(c *describe.Chain) { c.Tiers[0].GroupName, c.Tiers[1].GroupName = "App", "Web" },
		"another name":       func(c *describe.Chain) { c.Tiers[0].GroupName = "Webb" },
		"another VPC":        func(c *describe.Chain) { c.VPCID = "vpc-2" },
		"a tier of no group": func(c *describe.Chain) { c.Tiers[0].GroupID = "sg-z" },
		"what is no chain":   func(c *describe.Chain) { c.Tiers[0].Name = "" },
		"the order":          func(c *describe.Chain) { slices.Reverse(c.Tiers) },
	} {
		wrong := described(t, groups...)
		if change(&wrong); len(wrong.Prove(groups, found()).Differences) == 0 {
			t.Errorf("%s is not seen", name)
		}
	}
	proof := right.Prove(groups, found())
	var rewritten []string
	for _, one := range proof.Rewritten {
		rewritten = append(rewritten, one.GroupID+" "+one.Now)
	}
	if want := []string{"sg-b Web to App: tcp 80", "sg-b App to com.amazonaws.eu-central-1.s3: tcp 5"}; !slices.Equal(rewritten, want) || proof.Rules != 5 {
		t.Errorf("got %d rules and %v, want 5 and %v", proof.Rules, rewritten, want)
	}
}

// TestManyGroupsAreSplit checks that every chain fits, that each group is in one of them, and that related groups stay together.
func TestManyGroupsAreSplit(t *testing.T) {
	t.Parallel()
	var groups []describe.Group
	for i := range 150 {
		id := fmt.Sprintf("sg-%03d", i)
		one := group(id, fmt.Sprintf("team-%d-service-%d", i/5, i%5), rules("out all 0.0.0.0/0")...)
		if i%5 > 0 {
			one.Rules = append(one.Rules, rule(fmt.Sprintf("in tcp 80 sg-%03d", i-1)))
		}
		groups = append(groups, one)
	}
	chains, err := describe.Chains(groups, found())
	if err != nil {
		t.Fatal(err)
	}
	seen, together := map[string]bool{}, map[string]int{}
	for place, one := range chains {
		proof := one.Prove(groups, found())
		if len(proof.Differences) > 0 || proof.Groups != len(one.Tiers) {
			t.Errorf("chain %d: %v", place, proof)
		}
		for _, tier := range one.Tiers {
			seen[tier.GroupID] = true
			team, _, _ := strings.Cut(strings.TrimPrefix(tier.GroupName, "team-"), "-")
			if before, isThere := together[team]; isThere && before != place {
				t.Errorf("team %s is in two chains", team)
			}
			together[team] = place
		}
		if !strings.Contains(strings.Join(one.Notes, " "), fmt.Sprintf("split over %d chains", len(chains))) {
			t.Errorf("chain %d has the notes %v", place, one.Notes)
		}
	}
	if len(chains) < 3 || len(seen) != len(groups) {
		t.Errorf("%d chains have %d of %d groups", len(chains), len(seen), len(groups))
	}
	// If all groups are related, they must be split.
	for i := 1; i < len(groups); i++ {
		groups[i].Rules = append(groups[i].Rules, rule("in tcp 81 "+groups[i-1].ID))
	}
	chains, err = describe.Chains(groups, found())
	if err != nil || len(chains) < 3 {
		t.Fatalf("%d chains: %v", len(chains), err)
	}
	for place, one := range chains {
		if proof := one.Prove(groups, found()); len(proof.Differences) > 0 || proof.Groups != len(one.Tiers) {
			t.Errorf("chain %d: %v", place, proof)
		}
	}
}

// TestDescriptionsThatCannotBeWritten checks that such descriptions are trimmed or replaced by the chain's, with a note.
func TestDescriptionsThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	blank, odd := group("sg-a", "a", rule("in tcp 80 0.0.0.0/0")), group("sg-b", "b", rule("in tcp 81 0.0.0.0/0 für alle"), rule("in tcp 82 sg-a you & me"))
	blank.Description, blank.Rules[0].Description, odd.Description = " by hand ", " the office ", "für alle"
	one := described(t, blank, odd)
	if one.Tiers[0].Description != "by hand" || one.Tiers[0].Ingress[0].Description != "the office" || one.Tiers[1].Description != "" {
		t.Errorf("got %+v", one.Tiers)
	}
	for _, want := range []string{"A chain cannot have the description of sg-a (a). The group keeps it.", "A chain cannot have the description of sg-b (b)"} {
		if !strings.Contains(strings.Join(one.Notes, "\n"), want) {
			t.Errorf("the notes %v lack %q", one.Notes, want)
		}
	}
	var now []string
	for _, rewriting := range one.Prove([]describe.Group{blank, odd}, found()).Rewritten {
		now = append(now, rewriting.Now)
	}
	if want := []string{"the office", "internet to B: tcp 81", "A to B: tcp 82"}; !slices.Equal(now, want) {
		t.Errorf("got %q, want %q", now, want)
	}
}

func TestQuotaIsThatOfTheLargestGroup(t *testing.T) {
	t.Parallel()
	var texts []string
	for port := range 58 {
		texts = append(texts, fmt.Sprintf("in tcp %d 0.0.0.0/0", 1000+port), fmt.Sprintf("in tcp %d ::/0", 2000+port))
	}
	if one := described(t, group("sg-a", "a", rules(texts...)...)); one.RuleQuota != 0 {
		t.Errorf("58 rules of each family: the quota is %d", one.RuleQuota)
	}
	texts = append(texts, "in tcp 1 pl-c", "in tcp 2 sg-x")
	if one := described(t, group("sg-a", "a", rules(texts...)...)); one.RuleQuota != 64 {
		t.Errorf("a list of 5 and a group more: the quota is %d", one.RuleQuota)
	}
}
