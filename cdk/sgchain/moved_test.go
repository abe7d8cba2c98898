package sgchain

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"sgchain/lambda/chain"
)

// formerProviderID is the ID of a provider that no longer exists.
const formerProviderID = "arn:aws:cloudformation:eu-central-1:123456789012:stack/Gone/6b1e1c10-0000-11ee-8c99-0242ac120002"

// A construct with another ID has another logical ID, so it needs MovedFrom. The template has no other difference.
func TestMovedFromOfRenamedConstruct(t *testing.T) {
	chainOf := func(id string, from *MovedFrom) (string, object, awscdk.Stack) {
		stack := newStack(t)
		props := anyVpc(Tier{Name: "Web", Ports: Ports(443)})
		props.MovedFrom = from
		NewSecurityGroupChain(stack, jsii.String(id), props)
		logicalID, resource := only(t, synth(stack), chain.ResourceType)
		return logicalID, dig[object](resource, "Properties"), stack
	}
	old, before, _ := chainOf("Chain", nil)
	renamed, after, stack := chainOf("ShopChain", &MovedFrom{LogicalID: old})
	equal(t, "the logical IDs", []string{old, renamed}, []string{"Chain", "ShopChain"})
	equal(t, "MovedFrom", after["MovedFrom"], object{"LogicalId": "Chain"})
	if parsed, err := chain.Parse(dig[object](deployed(after)), chain.DefaultAnswerBytes); err != nil || parsed.MovedFrom != (chain.Origin{LogicalID: "Chain"}) {
		t.Errorf("the function reads %+v, error %v", parsed.MovedFrom, err)
	}
	delete(after, "MovedFrom")
	equal(t, "the other properties", after, before)
	// The default provider allows moves by itself.
	_, function := only(t, synth(stack), "AWS::Lambda::Function")
	equal(t, "the switch", dig[any](function, "Properties", "Environment", "Variables", "SGCHAIN_MOVES"), "allow")
}

func TestMovedFromOfAnotherStack(t *testing.T) {
	stack := newStack(t)
	props := anyVpc(Tier{Name: "Web", Ports: Ports(443)})
	props.MovedFrom = &MovedFrom{LogicalID: "Chain", Stack: "Shop", Provider: formerProviderID}
	NewSecurityGroupChain(stack, jsii.String("Chain"), props)
	_, resource := only(t, synth(stack), chain.ResourceType)
	equal(t, "MovedFrom", dig[any](resource, "Properties", "MovedFrom"), object{"LogicalId": "Chain", "Stack": "Shop", "Provider": formerProviderID})
}

// Some problems are found by the function's own parser, others only by the construct.
func TestInvalidMovedFromIsRefused(t *testing.T) {
	stack := newStack(t)
	own := NewProvider(stack, jsii.String("Own"), &ProviderProps{AllowMoves: true})
	token := *awscdk.NewCfnParameter(stack, jsii.String("Parameter"), nil).ValueAsString()
	for want, from := range map[string]*MovedFrom{
		"MovedFrom.LogicalId: is missing. Write the logical ID that the chain had":            {},
		"MovedFrom.LogicalId: is missing. Write the logical ID of a chain":                    {Stack: "Shop"},
		`MovedFrom.LogicalId: "Old-Chain" is invalid. Write the logical ID`:                   {LogicalID: "Old-Chain"},
		"MovedFrom.LogicalId: \"" + strings.Repeat("x", 20):                                   {LogicalID: strings.Repeat("x", 181)},
		`MovedFrom.Stack: "a b" is invalid. Write the name`:                                   {LogicalID: "Old", Stack: "a b"},
		`MovedFrom.Provider: "Shop" is invalid. Write the ID of a provider's stack`:           {LogicalID: "Old", Provider: "Shop"},
		"MovedFrom.Stack: is known only at deployment (a token)":                              {LogicalID: "Old", Stack: token},
		"provider Stack/Own may not take groups of provider " + formerProviderID + ", which ": {LogicalID: "Old", Provider: formerProviderID},
	} {
		props := anyVpc()
		props.MovedFrom, props.Provider = from, own
		err := panics(t, func() { NewSecurityGroupChain(stack, jsii.String("Chain"), props) })
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error: got %q, want %q", err, want)
		}
		stack.Node().TryRemoveChild(jsii.String("Chain"))
	}
}

// FormerProvider needs AllowMoves and must be a stack ID. The default provider can have only one at a time.
func TestInvalidFormerProviderIsRefused(t *testing.T) {
	stack := newStack(t)
	for want, props := range map[string]*ProviderProps{
		"FormerProvider has no effect without AllowMoves. Set AllowMoves": {FormerProvider: jsii.String(formerProviderID)},
		`FormerProvider is "Gone", which is not a stack ID. Use`:          {AllowMoves: true, FormerProvider: jsii.String("Gone")},
	} {
		err := panics(t, func() { NewProvider(stack, jsii.String("Provider"), props) })
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error: got %q, want %q", err, want)
		}
		stack.Node().TryRemoveChild(jsii.String("Provider"))
	}
	NewProvider(stack, jsii.String("Later"), &ProviderProps{AllowMoves: true, FormerProvider: awscdk.NewCfnParameter(stack, jsii.String("Former"), nil).ValueAsString()})
	moved := func(id, from string) func() {
		props := anyVpc()
		props.MovedFrom = &MovedFrom{LogicalID: "Old" + id, Stack: "Shop", Provider: from}
		return func() { NewSecurityGroupChain(stack, jsii.String(id), props) }
	}
	moved("First", "")()
	moved("Second", formerProviderID)()
	moved("Third", "")()
	if err := panics(t, moved("Fourth", strings.Replace(formerProviderID, "Gone", "Other", 1))); !strings.Contains(err.Error(), "another chain of the stack moves from provider "+formerProviderID) {
		t.Errorf("error: got %q", err)
	}
}

// Synth checks the moves of the chains of one stack. The old chain of another stack can exist until that stack is deployed.
func TestMoveFromExistingChainIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		from map[string]*MovedFrom // by the ID of the chain
		want string
	}{
		"the old chain still exists": {map[string]*MovedFrom{"Old": nil, "New": {LogicalID: "Old"}}, "MovedFrom.LogicalId: Old is chain Stack/Old, which is still in this stack. Remove that chain"},
		"its stack is named":         {map[string]*MovedFrom{"Old": nil, "New": {LogicalID: "Old", Stack: "Stack"}}, "MovedFrom.LogicalId: Old is chain Stack/Old"},
		"its stack by its ID":        {map[string]*MovedFrom{"Old": nil, "New": {LogicalID: "Old", Stack: strings.Replace(formerProviderID, "Gone", "Stack", 1)}}, "MovedFrom.LogicalId: Old is chain Stack/Old"},
		"itself":                     {map[string]*MovedFrom{"New": {LogicalID: "New"}}, "MovedFrom.LogicalId: New is chain Stack/New"},
		"two of one":                 {map[string]*MovedFrom{"A": {LogicalID: "Old"}, "B": {LogicalID: "Old", Stack: "Stack"}}, "MovedFrom: chain Stack/A also moves from Old of stack Stack. Remove MovedFrom from one of them."},
		"two of two":                 {map[string]*MovedFrom{"A": {LogicalID: "OldA"}, "B": {LogicalID: "OldB"}}, ""},
		"the same ID in another":     {map[string]*MovedFrom{"Old": nil, "New": {LogicalID: "Old", Stack: "Neighbor"}}, ""},
		"only one moves":             {map[string]*MovedFrom{"A": {LogicalID: "Old"}, "B": nil}, ""},
	} {
		stack := newStack(t)
		var app awscdk.App
		jsii.UnsafeCast(stack.Node().Root(), &app)
		neighbor := awscdk.NewStack(app, jsii.String("Neighbor"), nil)
		NewSecurityGroupChain(neighbor, jsii.String("Old"), anyVpc())
		for _, id := range slices.Sorted(maps.Keys(c.from)) {
			props := anyVpc()
			props.MovedFrom = c.from[id]
			props.Tiers = []Tier{{Name: "Web", Ports: Ports(443)}}
			NewSecurityGroupChain(stack, jsii.String(id), props)
		}
		var err error
		if c.want != "" {
			err = panics(t, func() { app.Synth(nil) })
		} else {
			app.Synth(nil)
		}
		if err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %q, want %q", name, err, c.want)
		}
	}
}
