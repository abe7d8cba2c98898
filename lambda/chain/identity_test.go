package chain_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sgchain/lambda/chain"
)

var shop = chain.Resource{
	StackID:   "arn:aws:cloudformation:us-east-1:123456789012:stack/Shop/6b1e1c10-0000-11ee-8c99-0242ac120002",
	LogicalID: "Chain",
}

var (
	alb     = chain.Identity{VPCID: "vpc-1", Tier: "Alb", GroupName: "ALB-SG", Description: "Security group for Application Load Balancer"}
	fargate = chain.Identity{VPCID: "vpc-1", Tier: "Fargate", Description: "Security group for Fargate containers"}
)

// These texts must never change. They are in the tags and names of every deployed chain, and a
// change would make every chain look replaced.
func TestNamesAndIDsNeverChange(t *testing.T) {
	t.Parallel()
	for what, pair := range map[string][2]string{
		"physical ID":          {chain.PhysicalID(shop, []chain.Identity{alb, fargate}), "sgchain-9d9540412c0a37c390fd92d159d82a2f15ddda97"},
		"physical ID of none":  {chain.PhysicalID(shop, nil), "sgchain-f3f0dd677f9cdf7635f4c07bf93bd3ba32f4160f"},
		"generated name":       {chain.GeneratedName(shop, fargate), "sgchain-Shop-Fargate-87977c016229198c"},
		"explicit name":        {alb.EC2Name(shop), "ALB-SG"},
		"label of a name":      {alb.String(), "Alb(ALB-SG)"},
		"label of a generated": {fargate.String(), "Fargate~25590a"},
		"tag":                  {chain.Epoch{Generation: 3, PhysicalID: "sgchain-x"}.String(), "3:sgchain-x"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("the %s is %s, and must be %s for ever", what, pair[0], pair[1])
		}
	}
}

func randomIdentity(rt *rapid.T) chain.Identity {
	word := rapid.StringMatching(`[a-c]{0,2}`)
	return chain.Identity{
		VPCID: word.Draw(rt, "vpc"), Tier: word.Draw(rt, "tier"),
		GroupName: word.Draw(rt, "name"), Description: word.Draw(rt, "description"),
	}
}

// The physical ID depends on the whole set of identities, the place, and nothing else.
func TestPhysicalIDIsAFunctionOfTheSet(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		some := rapid.SliceOfDistinct(rapid.Custom(randomIdentity), rapid.ID[chain.Identity]).Draw(rt, "some")
		shuffled := rapid.Permutation(some).Draw(rt, "shuffled")
		id := chain.PhysicalID(shop, some)
		if again := chain.PhysicalID(shop, append(shuffled, some...)); again != id {
			rt.Errorf("order or repetition changes the ID")
		}
		if !chain.IsPhysicalID(id) || len(id) > 1024 {
			rt.Errorf("%q has not the form of an ID", id)
		}
		others := rapid.SliceOfDistinct(rapid.Custom(randomIdentity), rapid.ID[chain.Identity]).Draw(rt, "others")
		if sameSet(some, others) != (chain.PhysicalID(shop, others) == id) {
			rt.Errorf("%v and %v: want different IDs exactly for different sets", some, others)
		}
		elsewhere := shop
		elsewhere.LogicalID += "2"
		if chain.PhysicalID(elsewhere, some) == id {
			rt.Errorf("another resource has the same ID")
		}
	})
}

func sameSet(a, b []chain.Identity) bool {
	in := func(list []chain.Identity) map[chain.Identity]bool {
		set := map[chain.Identity]bool{}
		for _, one := range list {
			set[one] = true
		}
		return set
	}
	setA, setB := in(a), in(b)
	if len(setA) != len(setB) {
		return false
	}
	for one := range setA {
		if !setB[one] {
			return false
		}
	}
	return true
}

// Two lists of fields differ even if they have the same text when joined.
func TestPhysicalIDKeepsFieldsApart(t *testing.T) {
	t.Parallel()
	a := chain.Identity{VPCID: "vpc-1", Tier: "A", GroupName: "BC", Description: "d"}
	b := chain.Identity{VPCID: "vpc-1", Tier: "AB", GroupName: "C", Description: "d"}
	if chain.PhysicalID(shop, []chain.Identity{a}) == chain.PhysicalID(shop, []chain.Identity{b}) {
		t.Error("two identities have one ID")
	}
}

func TestIsPhysicalID(t *testing.T) {
	t.Parallel()
	good := chain.PhysicalID(shop, []chain.Identity{alb})
	for id, want := range map[string]bool{
		good: true, "": false, "Shop-Chain-1A2B3C4D5E6F": false, "sgchain-Chain-1A2B3C4D5E6F": false,
		good + "0": false, strings.ToUpper(good): false, " " + good: false, good + "\n": false, "sgchain-none": false,
	} {
		if got := chain.IsPhysicalID(id); got != want {
			t.Errorf("IsPhysicalID(%q) is %v, want %v", id, got, want)
		}
	}
}

// A group that EC2 shows has the identity with which it was created. Only a generated name counts
// as generated.
func TestObservedIdentityIsTheOneOfTheCreation(t *testing.T) {
	t.Parallel()
	for _, identity := range []chain.Identity{alb, fargate} {
		got := chain.ObservedIdentity(shop, identity.VPCID, identity.Tier, identity.EC2Name(shop), identity.Description)
		if got != identity {
			t.Errorf("got %+v, want %+v", got, identity)
		}
	}
	generated := chain.GeneratedName(shop, fargate)
	if got := chain.ObservedIdentity(shop, "vpc-2", "Fargate", generated, fargate.Description); got.GroupName != generated {
		t.Errorf("the generated name of another VPC's group counts as generated: %+v", got)
	}
}

// Generated names stay within EC2's limits: 255 characters, and no "sg-" at the beginning, even
// for a stack whose name begins with it.
func TestGeneratedNamesFitEC2(t *testing.T) {
	t.Parallel()
	long := chain.Resource{StackID: "arn:aws:cloudformation:us-east-1:123456789012:stack/sg-" + strings.Repeat("x", 125) + "/uuid", LogicalID: strings.Repeat("L", 255)}
	name := chain.GeneratedName(long, chain.Identity{VPCID: "vpc-1", Tier: strings.Repeat("T", 64), Description: "d"})
	if len(name) > 255 || strings.HasPrefix(name, "sg-") {
		t.Errorf("%d characters: %s", len(name), name)
	}
	if name := chain.GeneratedName(chain.Resource{StackID: "no ARN", LogicalID: "Chain"}, alb); !strings.HasPrefix(name, "sgchain-Alb-") {
		t.Errorf("without a stack name the name is %s", name)
	}
}

func TestParseEpoch(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]chain.Epoch{
		"1:sgchain-x": {Generation: 1, PhysicalID: "sgchain-x"}, "12:a:b": {Generation: 12, PhysicalID: "a:b"},
		"": {}, "1": {}, "1:": {}, ":x": {}, "0:x": {}, "-1:x": {}, "x:y": {}, "1.5:x": {},
		"1000000000:x": {Generation: 1_000_000_000, PhysicalID: "x"}, "1000000001:x": {}, "9223372036854775807:x": {},
	} {
		if got := chain.ParseEpoch(text); got != want {
			t.Errorf("%q: got %+v, want %+v", text, got, want)
		}
	}
}

func TestNewestAndNextEpoch(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		tags   []chain.Epoch
		newest chain.Epoch
		wanted string
		next   chain.Epoch
	}{
		{"no groups", nil, chain.Epoch{}, "x", chain.Epoch{Generation: 1, PhysicalID: "x"}},
		{"the wanted one is the newest", []chain.Epoch{{Generation: 2, PhysicalID: "x"}, {Generation: 1, PhysicalID: "y"}}, chain.Epoch{Generation: 2, PhysicalID: "x"}, "x", chain.Epoch{Generation: 2, PhysicalID: "x"}},
		{"the wanted one is older", []chain.Epoch{{Generation: 1, PhysicalID: "x"}, {Generation: 2, PhysicalID: "y"}}, chain.Epoch{Generation: 2, PhysicalID: "y"}, "x", chain.Epoch{Generation: 3, PhysicalID: "x"}},
		{"the wanted one is new", []chain.Epoch{{Generation: 4, PhysicalID: "y"}}, chain.Epoch{Generation: 4, PhysicalID: "y"}, "x", chain.Epoch{Generation: 5, PhysicalID: "x"}},
		{"two share the highest generation", []chain.Epoch{{Generation: 2, PhysicalID: "x"}, {Generation: 2, PhysicalID: "y"}}, chain.Epoch{Generation: 2}, "x", chain.Epoch{Generation: 3, PhysicalID: "x"}},
		{"two share it, and a third", []chain.Epoch{{Generation: 2, PhysicalID: "x"}, {Generation: 2, PhysicalID: "y"}, {Generation: 2, PhysicalID: "x"}}, chain.Epoch{Generation: 2}, "y", chain.Epoch{Generation: 3, PhysicalID: "y"}},
		{"the last generation", []chain.Epoch{{Generation: 1_000_000_000, PhysicalID: "y"}}, chain.Epoch{Generation: 1_000_000_000, PhysicalID: "y"}, "x", chain.Epoch{Generation: 1_000_000_000, PhysicalID: "x"}},
		{"two share the last one", []chain.Epoch{{Generation: 1_000_000_000, PhysicalID: "x"}, {Generation: 1_000_000_000, PhysicalID: "y"}}, chain.Epoch{Generation: 1_000_000_000}, "x", chain.Epoch{Generation: 1_000_000_000, PhysicalID: "x"}},
		{"a tag that cannot be read", []chain.Epoch{{}}, chain.Epoch{}, "x", chain.Epoch{Generation: 1, PhysicalID: "x"}},
	} {
		var state chain.State
		for _, tag := range test.tags {
			state.Groups = append(state.Groups, chain.Group{Epoch: tag})
		}
		if got := state.Newest(); got != test.newest {
			t.Errorf("%s: newest is %+v, want %+v", test.name, got, test.newest)
		}
		if got := state.NextEpoch(test.wanted); got != test.next {
			t.Errorf("%s: next is %+v, want %+v", test.name, got, test.next)
		}
	}
}
