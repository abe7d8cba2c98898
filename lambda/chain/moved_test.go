package chain_test

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sgchain/lambda/chain"
)

const someStack = "arn:aws:cloudformation:eu-central-1:111122223333:stack/Shop/6b1e1c10-0000-11ee-8c99-0242ac120002"

func TestParseMovedFrom(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		value any
		want  chain.Origin
	}{
		"a logical ID":        {"Old", chain.Origin{LogicalID: "Old"}},
		"left out":            {nil, chain.Origin{}},
		"an empty parameter":  {"", chain.Origin{}},
		"empty parameters":    {map[string]any{"LogicalId": "", "Stack": "", "Provider": ""}, chain.Origin{}},
		"the name of a stack": {map[string]any{"LogicalId": "Old", "Stack": "Shop"}, chain.Origin{LogicalID: "Old", Stack: "Shop"}},
		"the ID of a stack, another provider": {
			map[string]any{"LogicalId": "Old", "Stack": someStack, "Provider": someStack}, chain.Origin{LogicalID: "Old", Stack: someStack, Provider: someStack},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec, err := parse(t, map[string]any{"VpcId": "vpc-1", "MovedFrom": test.value}, math.MaxInt)
			if err != nil || spec.MovedFrom != test.want {
				t.Errorf("%+v, %v", spec.MovedFrom, err)
			}
		})
	}
}

func TestParseRefusesInvalidMovedFrom(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		value any
		want  string
	}{
		"no logical ID":           {map[string]any{"Stack": "Shop"}, "MovedFrom.LogicalId: is missing"},
		"nothing":                 {map[string]any{}, "MovedFrom.LogicalId: is missing"},
		"a stack as logical ID":   {someStack, "MovedFrom: " + `"arn:aws:cloudformation`},
		"too long":                {strings.Repeat("a", 181), "(at most 180 letters and digits)"},
		"the name of a provider":  {map[string]any{"LogicalId": "Old", "Provider": "Provider"}, "MovedFrom.Provider"},
		"a key that is not known": {map[string]any{"LogicalID": "Old"}, "MovedFrom.LogicalID: unknown property"},
		"a list":                  {[]any{"Old"}, "MovedFrom: is a list. Write one value"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := parse(t, map[string]any{"VpcId": "vpc-1", "MovedFrom": test.value}, math.MaxInt); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

// FormerOf returns what Marks wrote, and IsGenerated recognizes every generated name.
func TestFormerOfReadsMarks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		place := chain.Resource{StackID: someStack, LogicalID: rapid.StringMatching(`[A-Za-z0-9]{1,180}`).Draw(t, "logical ID")}
		former := chain.Former{
			Resource: place, Epoch: chain.Epoch{Generation: rapid.IntRange(1, 1_000_000_000).Draw(t, "generation"), PhysicalID: chain.PhysicalID(place, nil)},
			Provider: rapid.SampledFrom([]string{"", someStack}).Draw(t, "provider"), Gone: rapid.Bool().Draw(t, "gone"),
		}
		marks := former.Marks()
		for key, value := range marks {
			if !chain.IsMark(key) || len(value) > 256 {
				t.Fatalf("%s=%s is not a mark, or is too long for a tag", key, value)
			}
		}
		if again, ok := chain.FormerOf(marks); !ok || again != former {
			t.Fatalf("%+v became %+v", former, again)
		}
		tier := rapid.StringMatching(`[A-Za-z][A-Za-z0-9]{0,63}`).Draw(t, "tier")
		name := chain.GeneratedName(place, chain.Identity{VPCID: "vpc-1", Tier: tier, Description: rapid.String().Draw(t, "description")})
		if !chain.IsGenerated(name, tier) || chain.IsGenerated(name, tier+"x") || chain.IsGenerated(name+"x", tier) {
			t.Fatalf("the name %s of tier %s is not told from others", name, tier)
		}
	})
	for _, tags := range []map[string]string{
		nil, {chain.TagMovedFrom: chain.MovedForGood, chain.TagMovedFromStack: someStack}, {chain.TagMovedFrom: "1:sgchain-x Chain"}, {chain.TagMovedFrom: "1:sgchain-x ", chain.TagMovedFromStack: someStack},
	} {
		if from, ok := chain.FormerOf(tags); ok {
			t.Errorf("%v name the place %+v", tags, from)
		}
	}
}
