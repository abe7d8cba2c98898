package sgchain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// lookedUpLater is the VPC that Vpc_FromLookup gives in the first synth, before the CDK's command line has looked.
const lookedUpLater = "vpc-12345"

// isLookedUpLater reports whether a peer is what look-ups give in the first synth: the range of a VPC, a security group, that of a load
// balancer or of a listener, a prefix list (DUMMY_VPC_PROPS, SecurityGroup.fromLookupById, BaseLoadBalancer, BaseListener and
// PrefixList.fromLookup in aws-cdk-lib). A synth that fails on these would never get to the real ones.
func isLookedUpLater(peer string) bool {
	return slices.Contains([]string{"1.2.3.4/5", "sg-12345678", "sg-1234", "sg-123456789012", "pl-xxxxxxxx"}, peer)
}

// earlier is the chains that stand before one: what is wrong between two, the later one says.
func (c *securityGroupChain) earlier(everything []constructs.IConstruct) []*securityGroupChain {
	var chains []*securityGroupChain
	for _, construct := range everything[:slices.Index(everything, constructs.IConstruct(c))] {
		if other, isChain := construct.(*securityGroupChain); isChain {
			chains = append(chains, other)
		}
	}
	return chains
}

// sharedNames finds group names that another chain of the app has in the same VPC: EC2 refuses the second one, whatever its case.
func (c *securityGroupChain) sharedNames(everything []constructs.IConstruct) []string {
	var problems []string
	if c.plan.vpc == lookedUpLater {
		return nil
	}
	for _, other := range c.earlier(everything) {
		if other.plan.vpc != c.plan.vpc {
			continue
		}
		for i, tier := range c.authored.Tiers {
			for _, theirs := range other.authored.Tiers {
				if tier.GroupName != "" && strings.EqualFold(tier.GroupName, theirs.GroupName) {
					problems = append(problems, fmt.Sprintf("Tiers[%d].GroupName: %q is the name of the group of tier %s of the chain %s too, which is in the same VPC; names are unique in a VPC, whatever their case; give one of them another GroupName, or leave it out for a generated one",
						i, tier.GroupName, theirs.Name, *other.Node().Path()))
				}
			}
		}
	}
	return problems
}

// circles finds chains that name a group of this one while this one names a group of theirs: CloudFormation deploys neither.
func (c *securityGroupChain) circles(everything []constructs.IConstruct) []string {
	var problems []string
	for _, other := range c.earlier(everything) {
		other.settle()
		if c.names(other) && other.names(c) {
			problems = append(problems, fmt.Sprintf("the chains %s and %s name groups of each other, so that they would each need the other one first; put their tiers into one chain, or give the tier that calls EgressAll, so that only the other end needs a rule",
				*other.Node().Path(), *c.Node().Path()))
		}
	}
	return problems
}

// names reports whether a chain has a rule for a group of another one.
func (c *securityGroupChain) names(other *securityGroupChain) bool {
	for _, tier := range c.settled.tiers {
		var peers []Peer
		for _, door := range tier.Ingress {
			peers = append(peers, door.Sources...)
		}
		for _, way := range tier.EgressTo {
			peers = append(peers, way.Destinations...)
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

// warnOfInternalConsumer warns of a first tier that is open to the internet because it names no Sources, where the load balancers in it
// are internal.
func (c *securityGroupChain) warnOfInternalConsumer(everything []constructs.IConstruct) {
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
		groups, _ := stack.Resolve(balancer.SecurityGroups()).([]any) // a list that is known only now
		if !slices.ContainsFunc(groups, func(id any) bool { return c.tierOfAttribute(id) == first.Name }) {
			continue
		}
		if value(balancer.Scheme()) != "internal" { // the default is the internet
			return
		}
		internal = append(internal, pathOf(balancer))
	}
	if internal == nil {
		return
	}
	awscdk.Annotations_Of(c).AddWarningV2(jsii.String("sgchain:internal-first-tier:"+first.Name), jsii.String(fmt.Sprintf(
		"tier %s is open to the internet, because it is the first one and names no Sources, and its load balancer (%s) is internal; write who may come in, such as Sources: []sgchain.Peer{sgchain.Vpc()}", first.Name, strings.Join(internal, ", "))))
}
