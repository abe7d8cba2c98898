package sgchain

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"sgchain/lambda/chain"
)

const (
	// serviceTimeout is how long CloudFormation waits for an answer, in seconds: the
	// longest age of an event (360), one run (600), and a minute for delivery.
	serviceTimeout = 1020
	// someVPC stands for a VPC whose ID is known only at deploy time. Nothing that is
	// checked at synth depends on which VPC it is.
	someVPC = "vpc-0123456789abcdef0"
)

// SecurityGroupChainProps is what a chain is.
type SecurityGroupChainProps struct {
	// VpcId is the VPC that the groups belong to; a token is fine. Required.
	VpcId *string //nolint:revive,staticcheck // the CDK's name of it
	// Tiers is the chain, outermost first. Default: Alb, open to the internet on 80
	// and 443, and Fargate, open to Alb on 6060.
	Tiers *[]*Tier
	// Provider is what serves the chain: one of the same stack, or a shared one.
	// Default: one that all chains of the stack share.
	Provider IProvider
	// IPv6 says that "internet", "vpc" and the egress "all" mean IPv6 as well as IPv4.
	IPv6 *bool
	// RuleQuota is how many rules a group may have for each direction and family of
	// addresses, where the account's quota was raised. Default: 60, which is EC2's.
	RuleQuota *float64
	// Tags are those of every group of the chain.
	Tags *map[string]*string
	// Revision is ignored; changing it has the chain verified and repaired by the
	// next deploy.
	Revision *string
}

// SecurityGroupChain is a chain in a stack. Its attributes are tokens: what depends
// on one of them is made after the chain and removed before it.
type SecurityGroupChain interface {
	constructs.Construct
	// SecurityGroupId is the ID of a tier's group. It panics on a tier that the chain
	// does not have.
	SecurityGroupId(tier string) *string
	// SecurityGroupIds is the IDs of all groups in chain order, joined by commas.
	SecurityGroupIds() *string
	// TierNames lists the tiers in chain order; these are known at synth.
	TierNames() []string
	// VpcId is the VPC that the groups are in.
	VpcId() *string
	// Summary is the chain in one line, as in
	// "internet -tcp 80,443-> Alb -tcp 6060-> Fargate".
	Summary() *string
	// RuleCount is how many rules the groups have, as text.
	RuleCount() *string
	// Warnings is what is allowed and probably not meant, and what was found and left
	// alone; empty where there is nothing to say.
	Warnings() *string
}

type securityGroupChain struct {
	constructs.Construct
	resource awscdk.CustomResource
	tiers    []string
}

// NewSecurityGroupChain makes a chain. It panics on what the function would refuse:
// with an error that wraps [chain.Problems], all at once, each with its path.
func NewSecurityGroupChain(scope constructs.Construct, id *string, props *SecurityGroupChainProps) SecurityGroupChain {
	if props == nil {
		props = &SecurityGroupChainProps{}
	}
	c := &securityGroupChain{}
	constructs.NewConstruct_Override(c, scope, id)
	template := map[string]any{}
	put(template, "VpcId", props.VpcId)
	put(template, "Revision", props.Revision)
	if props.IPv6 != nil && *props.IPv6 {
		template["IpFamilies"] = []any{"ipv4", "ipv6"}
	}
	if props.RuleQuota != nil {
		template["RuleQuota"] = strconv.FormatFloat(*props.RuleQuota, 'f', -1, 64)
	}
	if props.Tags != nil {
		template["Tags"] = tagProperty(*props.Tags)
	}
	if props.Tiers != nil {
		template["Tiers"] = properties(props.Tiers)
	}
	spec, err := check(template)
	if err != nil {
		panic(fmt.Errorf("creating %s (%s): %w", chain.ResourceType, *c.Node().Path(), err))
	}
	for _, tier := range spec.Tiers {
		c.tiers = append(c.tiers, tier.Name)
	}
	for i, warning := range chain.Warnings(spec) {
		awscdk.Annotations_Of(c).AddWarningV2(jsii.String(fmt.Sprintf("sgchain:%d", i)), jsii.String(warning))
	}

	stack := awscdk.Stack_Of(c)
	server := props.Provider
	switch {
	case server == nil:
		server = singleton(stack)
	case !server.Shared() && *awscdk.Stack_Of(server).Node().Addr() != *stack.Node().Addr():
		panic(fmt.Errorf("creating %s (%s): its provider is of another stack (%s) and serves only that; set Shared there, or leave Provider out here",
			chain.ResourceType, *c.Node().Path(), *server.Node().Path()))
	}
	// The ID Default leaves the construct's own ID as the logical ID, which the names
	// of generated groups carry.
	c.resource = awscdk.NewCustomResource(c, jsii.String("Default"), &awscdk.CustomResourceProps{
		ResourceType:   jsii.String(chain.ResourceType),
		ServiceToken:   server.ServiceToken(),
		ServiceTimeout: awscdk.Duration_Seconds(jsii.Number(serviceTimeout)),
		Properties:     &template,
	})
	// All of the provider: the Delete event comes while role, log and the limits on
	// retries are still there.
	c.resource.Node().AddDependency(server)
	return c
}

// check is what the function itself does first with the properties.
func check(template map[string]any) (chain.Spec, error) {
	known := maps.Clone(template)
	if template["Tiers"] != nil {
		stand := standIns{}
		known["Tiers"] = stand.in("Tiers", "", template["Tiers"])
		if len(stand.problems) > 0 {
			return chain.Spec{}, stand.problems
		}
	}
	if id, _ := template["VpcId"].(string); strings.Contains(id, "${Token[") {
		known["VpcId"] = someVPC
	}
	return chain.Parse(known, chain.DefaultAnswerBytes)
}

func (c *securityGroupChain) SecurityGroupId(tier string) *string { //nolint:revive,staticcheck // EC2's name of it
	if !slices.Contains(c.tiers, tier) {
		panic(fmt.Errorf("reading the security group of a tier (%s): the chain %s has no tier %q; it has %s",
			tier, *c.Node().Path(), tier, strings.Join(c.tiers, ", ")))
	}
	return c.attribute(tier + "SecurityGroupId")
}

func (c *securityGroupChain) SecurityGroupIds() *string { return c.attribute("SecurityGroupIds") } //nolint:revive // the same
func (c *securityGroupChain) TierNames() []string       { return slices.Clone(c.tiers) }
func (c *securityGroupChain) VpcId() *string            { return c.attribute("VpcId") } //nolint:revive,staticcheck // the same
func (c *securityGroupChain) Summary() *string          { return c.attribute("Summary") }
func (c *securityGroupChain) RuleCount() *string        { return c.attribute("RuleCount") }
func (c *securityGroupChain) Warnings() *string         { return c.attribute("Warnings") }

func (c *securityGroupChain) attribute(name string) *string {
	return c.resource.GetAttString(jsii.String(name))
}
