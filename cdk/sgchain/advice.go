package sgchain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/constructs-go/constructs/v10"

	"sgchain/cdk/internal/gocode"
	"sgchain/lambda/chain"
)

// advice describes the requests of other constructs that the chain does not allow.
type advice struct {
	*securityGroupChain
	everything []constructs.IConstruct // of the app
	inGroups   []connectable           // found by connectables in its first call
}

// problems returns a problem for each request, with its remedy.
func (c *advice) problems() []string {
	var problems []string
	for _, request := range c.settled.missing {
		if c.props.Connections == Connections_FOLD && request.problem+request.stray == "" {
			continue
		}
		problems = append(problems, c.explain(request))
	}
	return problems
}

// explain describes a request: the constructs that can have made it, the rule, and the remedy.
func (c *advice) explain(request request) string {
	who := strings.Join(c.requesters(request), ", ")
	if who == "" {
		who = "a construct"
	}
	direction, preposition := "inbound", "from"
	if request.direction == chain.Egress {
		direction, preposition = "outbound", "to"
	}
	if request.problem != "" {
		return fmt.Sprintf("%s requests an %s rule on the security group of tier %s (%s), but the chain cannot have it: %s", who, direction, request.tier, request.construct, request.problem)
	}
	peer := request.rule.Peer.String()
	if isToken(request.peer.text) {
		peer = c.named(request.peer.text)
	}
	text := fmt.Sprintf("%s requests the %s rule %s %s %s on the security group of tier %s", who, direction, chain.Traffic(request.rule.Protocol, request.rule.Ports), preposition, peer, request.tier)
	if request.description != "" {
		text += fmt.Sprintf(" (%q)", request.description)
	}
	text += ", but the chain does not allow it."
	if request.stray != "" {
		return text + " " + request.stray + " " + c.remedy(request) + "."
	}
	return text + " " + c.remedy(request) + ", or set Connections of the chain to sgchain.Connections_FOLD."
}

// requesters returns the constructs that use the tier's group and can have requested the rule. If some have its port as their default
// port, it returns only these. The CDK does not record which construct it was.
func (c *advice) requesters(request request) []string {
	id := c.ids[request.tier]
	var all, exact []string
	for _, one := range c.connectables() {
		if !slices.Contains(one.groups, id) {
			continue
		}
		all = append(all, one.path)
		if one.port != "" && request.direction == chain.Ingress && strings.HasSuffix(request.construct, ":"+one.port) {
			exact = append(exact, one.path)
		}
	}
	if exact != nil {
		return exact
	}
	return all
}

// connectable is a construct that has security groups.
type connectable struct {
	path   string
	groups []string // their IDs
	port   string   // its default port as the CDK prints it, empty if it has none
}

func (c *advice) connectables() []connectable {
	if c.inGroups != nil {
		return c.inGroups
	}
	for _, construct := range c.everything {
		has, isConnectable := construct.(awsec2.IConnectable)
		if _, isGroup := construct.(awsec2.ISecurityGroup); !isConnectable || isGroup {
			continue
		}
		connections := readOrZero(has.Connections)
		if connections == nil {
			continue
		}
		one := connectable{path: *construct.Node().Path()}
		for _, group := range *connections.SecurityGroups() {
			one.groups = append(one.groups, value(group.SecurityGroupId()))
		}
		if port := connections.DefaultPort(); port != nil {
			one.port = *port.ToString()
		}
		c.inGroups = append(c.inGroups, one)
	}
	return c.inGroups
}

// named returns a name for a token: the path of the app's security group with this ID, or how the template refers to it.
func (c *advice) named(token string) string {
	for _, construct := range c.everything {
		if group, isGroup := construct.(awsec2.ISecurityGroup); isGroup && value(group.SecurityGroupId()) == token {
			return *construct.Node().Path()
		}
	}
	return c.plan.tokenName(token)
}

// readOrZero reads a property of a construct. It returns the zero value if the CDK throws an error, as for the connections of a function
// outside a VPC.
func readOrZero[T any](read func() T) (found T) {
	defer func() { _ = recover() }()
	return read()
}

// remedy returns what to write into the chain, as Go code.
func (c *advice) remedy(request request) string {
	place := slices.Index(c.TierNames(), request.tier)
	folded := c.settled.tiers[place]
	if request.stray != "" { // folding has not added the rule
		add(&folded, defaultSource(c.settled.tiers, place), request)
	}
	if request.direction == chain.Egress {
		egress := folded.EgressTo[slices.IndexFunc(folded.EgressTo, func(egress Egress) bool {
			return egress.Ports[0] == request.port && egress.Destinations[0] == request.peer
		})]
		if c.props.Tiers == nil {
			return fmt.Sprintf("Set Tiers of the chain to the default tiers, with {%s} in EgressTo of tier %s and its Egress set to sgchain.EgressAll", c.goRule(egress.Ports, "Destinations", egress.Destinations), request.tier)
		}
		text := fmt.Sprintf("Add {%s} to EgressTo of tier %s", c.goRule(egress.Ports, "Destinations", egress.Destinations), request.tier)
		if folded.Egress == EgressAll && c.props.Tiers[place].Egress == "" {
			text += ", with its Egress set to sgchain.EgressAll"
		}
		return text
	}
	if c.props.Tiers == nil {
		return "Set Tiers of the chain to the default tiers, with " + c.goIngress(folded.Ingress) + " as Ingress of tier " + request.tier
	}
	tier := c.props.Tiers[place]
	switch defaultPeer := defaultSource(c.settled.tiers, place); {
	case tier.Ingress != nil:
		return fmt.Sprintf("Add {%s} to Ingress of tier %s", c.goRule([]Port{request.port}, "Sources", []Peer{request.peer}), request.tier)
	case tier.Ports == nil && len(folded.Ingress) == 1 && isDefault(request.peer, defaultPeer, c.authored.IPv6):
		return fmt.Sprintf("Set Ports of tier %s to %s", request.tier, goPorts([]Port{request.port}))
	case tier.Ports == nil:
		return fmt.Sprintf("Set Ingress of tier %s to %s", request.tier, c.goIngress(folded.Ingress))
	case tier.Sources == nil && !slices.ContainsFunc(folded.Ingress[1:], func(ingress Ingress) bool { return !isDefault(ingress.Sources[0], defaultPeer, c.authored.IPv6) }):
		return fmt.Sprintf("Add %s to Ports of tier %s", gocode.Port(request.port.text), request.tier)
	default:
		return fmt.Sprintf("Set Ingress of tier %s to %s, instead of its Ports and Sources", request.tier, c.goIngress(folded.Ingress))
	}
}

// isDefault reports whether a peer is the source of a tier that has no Sources.
func isDefault(peer, defaultPeer Peer, ipv6 bool) bool {
	return peer == defaultPeer || (!ipv6 && defaultPeer == Internet() && peer == InternetV4())
}
