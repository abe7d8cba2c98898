package sgchain

import (
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"

	"sgchain/lambda/chain"
)

// MovedFrom is the place of a chain before it moved. Its fields are plain values: a token would tie the chain to
// the stack that it leaves.
type MovedFrom struct {
	// LogicalID is the old logical ID, at most 180 letters and digits: cdk diff shows it as destroyed,
	// and the old stack's resources have it. Required.
	LogicalID string
	// Stack is the name or the ID of the stack that the chain was in. Default: the chain's own stack.
	Stack string
	// Provider is the stack ID of the provider that made the chain, where that is another one and is
	// gone: the value of the tag sgchain:provider on the groups. The chain's provider needs it as
	// FormerProvider, which the implicit one gets by itself. Default: the chain's own provider.
	Provider string
}

// check finds what the parser lets through: the parameters of a template may all be empty.
func (m *MovedFrom) check(facts *known) {
	if m != nil && *m == (MovedFrom{}) {
		facts.problem("MovedFrom.LogicalId", "is missing; write the logical ID that the chain had, or leave MovedFrom out")
	}
}

// put writes the property. An empty logical ID is written too, so that the parser refuses it.
func (m *MovedFrom) put(object map[string]any) {
	if m == nil {
		return
	}
	from := map[string]any{"LogicalId": m.LogicalID}
	put(from, "Stack", m.Stack)
	put(from, "Provider", m.Provider)
	object["MovedFrom"] = from
}

// allowMoves lets the provider of the stack serve the move of the chain.
func (c *securityGroupChain) allowMoves(own *provider, former string) {
	if former != "" && own.former != nil && *own.former != former {
		panic(fmt.Errorf("creating %s (%s): MovedFrom.Provider is %s, and another chain of the stack is moved from provider %s; move one after the other, each in a deploy of its own",
			chain.ResourceType, *c.Node().Path(), former, *own.former))
	}
	own.allowMoves(&former)
}

// beyond says what a provider of the same app may not do of a move; empty where it may do all.
func (m *MovedFrom) beyond(given *provider) string {
	switch {
	case m == nil:
		return ""
	case !given.may(moves):
		return "may not move chains, and MovedFrom asks for that; set AllowMoves there, or leave Provider out here"
	case m.Provider != "" && !isToken(value(given.former)) && value(given.former) != m.Provider:
		return "may not take groups of provider " + m.Provider + ", and MovedFrom.Provider asks for that; set FormerProvider there to this ID, or leave Provider out here"
	default:
		return ""
	}
}

// from is the place that the chain is moved from: a stack and a logical ID.
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

// place is where the chain is.
func (c *securityGroupChain) place() [2]string {
	stack := awscdk.Stack_Of(c)
	resource, _ := c.resource.Node().DefaultChild().(awscdk.CfnResource)
	id, _ := stack.Resolve(resource.LogicalId()).(string)
	return [2]string{*stack.StackName(), id}
}

// wrongMoves finds moves from a chain that the same template still has, and two moves of one chain. A chain of another stack
// may be there until its stack is deployed.
func (c *securityGroupChain) wrongMoves(everything []constructs.IConstruct) []string {
	from, isMoved := c.from()
	if !isMoved {
		return nil
	}
	var problems []string
	for _, construct := range everything {
		other, isChain := construct.(*securityGroupChain)
		if isChain && awscdk.Stack_Of(other) == awscdk.Stack_Of(c) && other.place() == from {
			problems = append(problems, fmt.Sprintf("MovedFrom.LogicalId: %s is the chain %s, which is still in this stack; remove it in the deploy that moves its groups, or leave MovedFrom out", from[1], *other.Node().Path()))
		}
	}
	for _, other := range c.earlier(everything) {
		if theirs, isToo := other.from(); isToo && theirs == from {
			problems = append(problems, fmt.Sprintf("MovedFrom: the chain %s is moved from %s of stack %s too; leave MovedFrom out of one of them", *other.Node().Path(), from[1], from[0]))
		}
	}
	return problems
}
