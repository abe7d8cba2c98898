package sgchain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// dummyVPC is the VPC that Vpc_FromLookup returns in the first synth, before the CDK CLI has looked it up.
const dummyVPC = "vpc-12345"

// isDummyPeer reports whether a peer is a dummy value of a lookup, which returns one in the first synth. A synth that fails on a dummy
// value would never reach the real one.
//
// The values are those of aws-cdk-lib: DUMMY_VPC_PROPS, SecurityGroup.fromLookupById, BaseLoadBalancer, BaseListener and
// PrefixList.fromLookup. They are the range of a VPC, the security groups of a lookup, a load balancer and a listener, and a prefix list.
func isDummyPeer(peer string) bool {
	return slices.Contains([]string{"1.2.3.4/5", "sg-12345678", "sg-1234", "sg-123456789012", "pl-xxxxxxxx"}, peer)
}

// earlierChains returns the chains before this one in the tree. Of two chains with a problem, the later one reports it.
func (c *securityGroupChain) earlierChains(everything []constructs.IConstruct) []*securityGroupChain {
	var chains []*securityGroupChain
	for _, construct := range everything[:slices.Index(everything, constructs.IConstruct(c))] {
		if other, isChain := construct.(*securityGroupChain); isChain {
			chains = append(chains, other)
		}
	}
	return chains
}

// sharedNames finds group names that another chain of the app has in the same VPC. EC2 refuses the second one, regardless of case.
func (c *securityGroupChain) sharedNames(everything []constructs.IConstruct) []string {
	var problems []string
	if c.plan.vpc == dummyVPC {
		return nil
	}
	for _, other := range c.earlierChains(everything) {
		if other.plan.vpc != c.plan.vpc {
			continue
		}
		for i, tier := range c.authored.Tiers {
			for _, theirs := range other.authored.Tiers {
				if tier.GroupName != "" && strings.EqualFold(tier.GroupName, theirs.GroupName) {
					problems = append(problems, fmt.Sprintf("Tiers[%d].GroupName: tier %s of chain %s in the same VPC has the name %q too. Names are unique in a VPC, regardless of case. Change one GroupName, or remove it for a generated name.",
						i, theirs.Name, *other.Node().Path(), tier.GroupName))
				}
			}
		}
	}
	return problems
}

// cycles finds chains that name a group of this chain while this chain names a group of theirs. CloudFormation can deploy neither.
func (c *securityGroupChain) cycles(everything []constructs.IConstruct) []string {
	var problems []string
	for _, other := range c.earlierChains(everything) {
		other.settle()
		if c.names(other) && other.names(c) {
			problems = append(problems, fmt.Sprintf("chains %s and %s name groups of each other, so each would need the other one first. Put their tiers into one chain, or set Egress of the calling tier to sgchain.EgressAll, so that only the called tier needs a rule.",
				*other.Node().Path(), *c.Node().Path()))
		}
	}
	return problems
}

// names reports whether the chain has a rule whose peer is a group of another chain.
func (c *securityGroupChain) names(other *securityGroupChain) bool {
	for _, tier := range c.settled.tiers {
		var peers []Peer
		for _, ingress := range tier.Ingress {
			peers = append(peers, ingress.Sources...)
		}
		for _, egress := range tier.EgressTo {
			peers = append(peers, egress.Destinations...)
		}
		for _, peer := range append(peers, tier.Sources...) {
			for _, id := range other.ids {
				if peer.text == id {
					return true
				}
			}
		}
	}
	return false
}

// balancer is an AWS::ElasticLoadBalancingV2::LoadBalancer.
type balancer interface {
	awscdk.CfnResource
	Scheme() *string
	SecurityGroups() *[]*string
}

// warnOfInternalBalancer warns of a first tier that is open to the internet because it has no Sources, if its load balancers are
// internal.
func (c *securityGroupChain) warnOfInternalBalancer(everything []constructs.IConstruct) {
	first := c.authored.Tiers[0]
	if c.props.Tiers != nil && (c.props.Tiers[0].Ports == nil || c.props.Tiers[0].Sources != nil) {
		return
	}
	var internal []string
	stack := awscdk.Stack_Of(c)
	for _, construct := range everything {
		balancer, isBalancer := construct.(balancer)
		if !isBalancer || awscdk.Stack_Of(balancer) != stack {
			continue
		}
		groups, _ := stack.Resolve(balancer.SecurityGroups()).([]any) // the list can be a token until now
		if !slices.ContainsFunc(groups, func(id any) bool { return c.tierOfAttribute(id) == first.Name }) {
			continue
		}
		if value(balancer.Scheme()) != "internal" { // the default is internet-facing
			return
		}
		internal = append(internal, pathOf(balancer))
	}
	if internal == nil {
		return
	}
	awscdk.Annotations_Of(c).AddWarningV2(jsii.String("sgchain:internal-first-tier:"+first.Name), jsii.String(fmt.Sprintf(
		"tier %s is open to the internet, because it is the first tier and has no Sources, but its load balancer (%s) is internal. Set Sources, for example to []sgchain.Peer{sgchain.Vpc()}.", first.Name, strings.Join(internal, ", "))))
}
