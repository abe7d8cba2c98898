package sgchain

import (
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"

	"sgchain/lambda/chain"
)

// MovedFrom is the place of a chain before it moved. Its fields cannot be tokens, because a token would make the
// chain depend on the stack that it leaves.
type MovedFrom struct {
	// LogicalID is the old logical ID, at most 180 letters and digits. cdk diff shows it on the line that ends in
	// "destroy", and the console on the Resources tab of the old stack. Required.
	LogicalID string
	// Stack is the name or ID of the stack that the chain was in. Default: the chain's own stack.
	Stack string
	// Provider is the stack ID of the provider that created the chain, if that provider no longer exists. It is the
	// value of the tag sgchain:provider on the groups. The chain's provider needs the same ID as its FormerProvider,
	// which the default provider gets by itself. Default: the chain's own provider.
	Provider string
}

// check refuses an empty MovedFrom. chain.Parse accepts one, because all parameters of a template can be empty.
func (m *MovedFrom) check(facts *known) {
	if m != nil && *m == (MovedFrom{}) {
		facts.problem("MovedFrom.LogicalId", "is missing. Write the logical ID that the chain had, or remove MovedFrom.")
	}
}

// put writes the property. It writes an empty logical ID too, so that chain.Parse refuses it.
func (m *MovedFrom) put(object map[string]any) {
	if m == nil {
		return
	}
	from := map[string]any{"LogicalId": m.LogicalID}
	put(from, "Stack", m.Stack)
	put(from, "Provider", m.Provider)
	object["MovedFrom"] = from
}

// allowMoves allows the default provider the move of the chain.
func (c *securityGroupChain) allowMoves(own *provider, former string) {
	if former != "" && own.former != nil && *own.former != former {
		panic(fmt.Errorf("creating %s (%s): MovedFrom.Provider is %s, but another chain of the stack moves from provider %s. Move one chain in each deployment.",
			chain.ResourceType, *c.Node().Path(), former, *own.former))
	}
	own.allowMoves(&former)
}

// missingRight returns which right a provider of the same app lacks for the move, or "".
func (m *MovedFrom) missingRight(given *provider) string {
	switch {
	case m == nil:
		return ""
	case !given.hasRight(moves):
		return "may not move chains, but MovedFrom is set. Set AllowMoves of the provider, or remove Provider from the chain."
	case m.Provider != "" && !isToken(value(given.former)) && value(given.former) != m.Provider:
		return "may not take groups of provider " + m.Provider + ", which MovedFrom.Provider names. Set FormerProvider of the provider to this ID, or remove Provider from the chain."
	default:
		return ""
	}
}

// from returns the place that the chain moves from: the name of a stack and a logical ID.
func (c *securityGroupChain) from() (place [2]string, isMoved bool) {
	m := c.props.MovedFrom
	if m == nil {
		return place, false
	}
	stack := m.Stack
	if stack == "" {
		stack = *awscdk.Stack_Of(c).StackName()
	}
	if _, name, isID := strings.Cut(stack, ":stack/"); isID {
		stack, _, _ = strings.Cut(name, "/")
	}
	return [2]string{stack, m.LogicalID}, true
}

// place returns the name of the chain's stack and its logical ID.
func (c *securityGroupChain) place() [2]string {
	stack := awscdk.Stack_Of(c)
	resource, _ := c.resource.Node().DefaultChild().(awscdk.CfnResource)
	id, _ := stack.Resolve(resource.LogicalId()).(string)
	return [2]string{*stack.StackName(), id}
}

// invalidMoves finds a move from a chain that the same template still has, and two moves of one chain. A chain of another stack
// can exist until its stack is deployed.
func (c *securityGroupChain) invalidMoves(everything []constructs.IConstruct) []string {
	from, isMoved := c.from()
	if !isMoved {
		return nil
	}
	var problems []string
	for _, construct := range everything {
		other, isChain := construct.(*securityGroupChain)
		if isChain && awscdk.Stack_Of(other) == awscdk.Stack_Of(c) && other.place() == from {
			problems = append(problems, fmt.Sprintf("MovedFrom.LogicalId: %s is chain %s, which is still in this stack. Remove that chain in the deployment that moves its groups, or remove MovedFrom.", from[1], *other.Node().Path()))
		}
	}
	for _, other := range c.earlierChains(everything) {
		if theirs, isToo := other.from(); isToo && theirs == from {
			problems = append(problems, fmt.Sprintf("MovedFrom: chain %s also moves from %s of stack %s. Remove MovedFrom from one of them.", *other.Node().Path(), from[1], from[0]))
		}
	}
	return problems
}
