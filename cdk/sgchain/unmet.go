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

// advice puts into words what other constructs asked for and the chain does not do.
type advice struct {
	*securityGroupChain
	everything []constructs.IConstruct // of the app
	inGroups   []connectable           // of these, once they were looked for
}

// problems is a sentence or two for each, with what to do.
func (c *advice) problems() []string {
	var problems []string
	for _, ask := range c.settled.missing {
		if c.props.Connections == Connections_FOLD && ask.problem+ask.stray == "" {
			continue
		}
		problems = append(problems, c.explain(ask))
	}
	return problems
}

// explain says what was asked for, by whom, and what to do.
func (c *advice) explain(ask ask) string {
	who := strings.Join(c.askers(ask), ", ")
	if who == "" {
		who = "a construct"
	}
	way, preposition := "inbound", "from"
	if ask.direction == chain.Egress {
		way, preposition = "outbound", "to"
	}
	if ask.problem != "" {
		return fmt.Sprintf("%s asks for an %s rule of the security group of tier %s (%s), and the chain can not have it: %s", who, way, ask.tier, ask.construct, ask.problem)
	}
	peer := ask.rule.Peer.String()
	if isToken(ask.peer.text) {
		peer = c.named(ask.peer.text)
	}
	text := fmt.Sprintf("%s asks for %s %s %s %s on the security group of tier %s", who, way, chain.Traffic(ask.rule.Protocol, ask.rule.Ports), preposition, peer, ask.tier)
	if ask.description != "" {
		text += fmt.Sprintf(" (%q)", ask.description)
	}
	text += ", and the chain does not allow it"
	if ask.stray != "" {
		return text + "; " + ask.stray + ". " + c.remedy(ask) + "."
	}
	return text + ". " + c.remedy(ask) + ", or set Connections of the chain to sgchain.Connections_FOLD."
}

// askers is the constructs that have the tier's group and may have asked: those whose default port it is, or else all of them. The CDK
// does not say which one it was.
func (c *advice) askers(ask ask) []string {
	id := c.ids[ask.tier]
	var all, exact []string
	for _, one := range c.connectables() {
		if !slices.Contains(one.groups, id) {
			continue
		}
		all = append(all, one.path)
		if one.port != "" && ask.direction == chain.Ingress && strings.HasSuffix(ask.construct, ":"+one.port) {
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
	port   string   // its default port as the CDK prints it, empty where it has none
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
		connections := tried(has.Connections)
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

// named is what is known only at deploy time: the security group of the app that has it, or else as the template names it.
func (c *advice) named(token string) string {
	for _, construct := range c.everything {
		if group, isGroup := construct.(awsec2.ISecurityGroup); isGroup && value(group.SecurityGroupId()) == token {
			return *construct.Node().Path()
		}
	}
	return c.plan.word(token)
}

// tried reads a property of a construct of which the CDK may throw that it has none, such as the connections of a function that is in no
// VPC; then it is the zero value.
func tried[T any](read func() T) (found T) {
	defer func() { _ = recover() }()
	return read()
}

// remedy is what to write into the chain, as Go.
func (c *advice) remedy(ask ask) string {
	place := slices.Index(c.TierNames(), ask.tier)
	folded := c.settled.tiers[place]
	if ask.stray != "" { // it is not among the folded ones
		add(&folded, usualSource(c.settled.tiers, place), ask)
	}
	if ask.direction == chain.Egress {
		way := folded.EgressTo[slices.IndexFunc(folded.EgressTo, func(way Egress) bool { return way.Ports[0] == ask.port && way.Destinations[0] == ask.peer })]
		if c.props.Tiers == nil {
			return fmt.Sprintf("Write the Tiers of the chain, which are the default ones by now, with {%s} in EgressTo of tier %s and its Egress set to sgchain.EgressAll", c.goDoor(way.Ports, "Destinations", way.Destinations), ask.tier)
		}
		text := fmt.Sprintf("Add {%s} to EgressTo of tier %s", c.goDoor(way.Ports, "Destinations", way.Destinations), ask.tier)
		if folded.Egress == EgressAll && c.props.Tiers[place].Egress == "" {
			text += ", with its Egress set to sgchain.EgressAll"
		}
		return text
	}
	if c.props.Tiers == nil {
		return "Write the Tiers of the chain, which are the default ones by now, with " + c.goIngress(folded.Ingress) + " in tier " + ask.tier
	}
	tier := c.props.Tiers[place]
	switch usual := usualSource(c.settled.tiers, place); {
	case tier.Ingress != nil:
		return fmt.Sprintf("Add {%s} to Ingress of tier %s", c.goDoor([]Port{ask.port}, "Sources", []Peer{ask.peer}), ask.tier)
	case tier.Ports == nil && len(folded.Ingress) == 1 && isUsual(ask.peer, usual, c.authored.IPv6):
		return fmt.Sprintf("Set Ports of tier %s to %s", ask.tier, goPorts([]Port{ask.port}))
	case tier.Ports == nil:
		return fmt.Sprintf("Set Ingress of tier %s to %s", ask.tier, c.goIngress(folded.Ingress))
	case tier.Sources == nil && !slices.ContainsFunc(folded.Ingress[1:], func(door Ingress) bool { return !isUsual(door.Sources[0], usual, c.authored.IPv6) }):
		return fmt.Sprintf("Add %s to Ports of tier %s", gocode.Port(ask.port.text), ask.tier)
	default:
		return fmt.Sprintf("Set Ingress of tier %s to %s, in place of its Ports and Sources", ask.tier, c.goIngress(folded.Ingress))
	}
}

// isUsual reports whether a peer is who enters a tier that names no Sources.
func isUsual(peer, usual Peer, ipv6 bool) bool {
	return peer == usual || (!ipv6 && usual == Internet() && peer == InternetV4())
}
