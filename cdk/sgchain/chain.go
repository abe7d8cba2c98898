package sgchain

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"sgchain/lambda/chain"
)

// SecurityGroupChain is a chain in a stack. Its attributes are tokens: what depends
// on one of them is made after the chain and removed before it.
type SecurityGroupChain interface {
	constructs.Construct
	// ITaggableV2 lets awscdk.Tags_Of reach the groups, as the resource type
	// Custom::SecurityGroupChain.
	awscdk.ITaggableV2
	// SecurityGroup is a tier's group, for the constructs of the CDK; the same object on
	// each call. It panics on a tier that the chain does not have.
	//
	// The chain is the only writer of the group. A rule that a construct of the CDK asks
	// for on it (a listener's Open, AllowDefaultPortFrom, a service behind a load
	// balancer, Connections().AllowFrom, AddIngressRule) is held against the chain at
	// synth: one that the chain allows is fine, any other one fails the synth, or is added
	// to the chain where its Connections is [Connections_FOLD]. The other end of such a
	// call gets its rule where it is a group of the CDK's own.
	SecurityGroup(tier string) awsec2.ISecurityGroup
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
	// RuleCount is how many rules the chain's groups have, as text: those that EC2 added
	// by itself are counted, those that name a group which leaves the chain are not.
	RuleCount() *string
	// Warnings is what is allowed and probably not meant, and what was found and left
	// alone, one warning on each line; empty where there is nothing to say.
	Warnings() *string
	// Provider is what serves the chain: that of the props, or the one that the chains of the
	// stack share.
	Provider() IProvider
	// PlanPayload is what to invoke the provider's function with to have it say what an
	// update of the chain would do now, as JSON: for an output, which make plan reads.
	PlanPayload() *string
	// Mermaid is the chain as a Mermaid flowchart, for a page of documentation: no token,
	// known at synth. What is known only at deploy time is named as the template names it
	// at that moment; what other constructs ask for later is not in it.
	Mermaid() string
}

type securityGroupChain struct {
	constructs.Construct
	props     SecurityGroupChainProps
	provider  IProvider
	resource  awscdk.CustomResource
	template  map[string]any    // its properties; what other constructs have a say in is read last
	authored  chain.Spec        // what the props say
	standIns  map[string]string // for the tokens in it, and in what is asked for
	plan      *planFile
	tags      awscdk.TagManager
	ids       map[string]string                // of the groups, by tier: tokens
	groups    map[string]awsec2.ISecurityGroup // by tier, as far as they were asked for
	asks      []ask                            // what other constructs have asked for
	scheduled *string                          // the input of the drift guard; nil without one
	settled   settled
}

// NewSecurityGroupChain makes a chain. It panics on what the function would refuse:
// with an error that wraps [chain.Problems] or [chain.GuardrailError], all at once, each
// with its path. What other constructs ask for afterwards is checked by the synth, which
// fails with all of it.
func NewSecurityGroupChain(scope constructs.Construct, id *string, props *SecurityGroupChainProps) SecurityGroupChain {
	if props == nil {
		props = &SecurityGroupChainProps{}
	}
	c := &securityGroupChain{props: *props, groups: map[string]awsec2.ISecurityGroup{}}
	c.props.Tiers = cloned(props.Tiers) // they are read once more when everything is constructed
	constructs.NewConstruct_Override(c, scope, id)
	refuse := func(err error) {
		panic(fmt.Errorf("creating %s (%s): %w", chain.ResourceType, *c.Node().Path(), err))
	}
	properties := props.properties()
	facts := newKnown(props.Tiers)
	props.check(facts)
	spec, err := facts.check(properties)
	if err == nil {
		err = withoutEffect(facts, spec, props.Tiers)
	}
	if err != nil {
		refuse(err)
	}
	c.authored, c.standIns = spec, facts.standIns
	c.settled = settled{spec: spec, facts: facts}
	stack := awscdk.Stack_Of(c)
	c.provider = c.server(stack, props)
	if err := guard(spec, c.isForced()); err != nil {
		refuse(err)
	}
	if problem := props.ignored(c.provider); problem != "" {
		refuse(errors.New(problem))
	}

	c.tags = newTags(props.Tags)
	c.plan = &planFile{stack: stack, chain: c, vpc: properties["VpcId"]}
	c.deploy(properties)
	// Constructs are validated when names are settled, and right before the templates
	// are written.
	c.Node().AddValidation(&validation{c})
	awscdk.Aspects_Of(c).Add(&early{c}, &awscdk.AspectOptions{Priority: awscdk.AspectPriority_MUTATING()})
	if props.DriftGuard != nil {
		newDriftGuard(c, c.provider, props.DriftGuard)
	}
	if props.Connections != Connections_FOLD { // of the others it is said when it is known what the chain is
		c.annotate()
	}
	return c
}

// deploy makes the resource.
func (c *securityGroupChain) deploy(properties map[string]any) {
	c.template, _ = plain(properties).(map[string]any)
	c.template["Tags"] = c.later("Tags")
	if c.props.Connections == Connections_FOLD {
		c.template["Tiers"] = c.later("Tiers")
	}
	// The ID Default leaves the construct's own ID as the logical ID, which the names
	// of generated groups carry.
	c.resource = awscdk.NewCustomResource(c, jsii.String("Default"), &awscdk.CustomResourceProps{
		ResourceType:   jsii.String(chain.ResourceType),
		ServiceToken:   c.provider.ServiceToken(),
		ServiceTimeout: awscdk.Duration_Seconds(jsii.Number(chain.ServiceTimeout)),
		Properties:     &c.template,
	})
	c.ids = map[string]string{}
	for _, tier := range c.TierNames() {
		c.ids[tier] = *c.attribute(tier + "SecurityGroupId")
	}
	// All of the provider: the Delete event comes while role, log and the limits on
	// retries are still there.
	c.resource.Node().AddDependency(c.provider)
}

// isForced reports whether the provider enforces guardrails, as far as the app knows.
func (c *securityGroupChain) isForced() bool {
	own, isOurs := c.provider.(*provider)
	return isOurs && own.enforces
}

// server is the provider of the chain, which can do what the chain asks for.
func (c *securityGroupChain) server(stack awscdk.Stack, props *SecurityGroupChainProps) IProvider {
	if props.Provider == nil {
		own := singleton(stack)
		if props.AdoptExisting {
			own.allowAdoption()
		}
		if props.MovedFrom != nil {
			c.allowMoves(own, props.MovedFrom.Provider)
		}
		if props.DriftGuard.repairs() {
			own.allowRepair()
		}
		return own
	}
	refuse := func(problem string) {
		panic(fmt.Errorf("creating %s (%s): its provider (%s) %s", chain.ResourceType, *c.Node().Path(), *props.Provider.Node().Path(), problem))
	}
	if !props.Provider.Shared() && *awscdk.Stack_Of(props.Provider).Node().Addr() != *stack.Node().Addr() {
		refuse("is of another stack and serves only that; set Shared there, or leave Provider out here")
	}
	// What a provider of another app or template may do is not known here.
	if given, isOurs := props.Provider.(*provider); isOurs {
		if props.AdoptExisting && !given.may(adoption) {
			refuse("may not adopt groups, and AdoptExisting asks for that; set AllowAdoption there, or leave Provider out here")
		}
		if problem := props.MovedFrom.beyond(given); problem != "" {
			refuse(problem)
		}
		if props.DriftGuard.repairs() && !given.repairs {
			refuse("may not repair, and DriftGuard.Mode asks for that; set AllowRepair there, or leave Provider out here")
		}
	}
	return props.Provider
}

func (c *securityGroupChain) SecurityGroup(tier string) awsec2.ISecurityGroup {
	if c.groups[tier] == nil {
		id := c.SecurityGroupId(tier)
		all := c.authored.Tiers[slices.Index(c.TierNames(), tier)].Egress.All
		// Where all outbound traffic is allowed the CDK drops every outbound rule, those of IPv6 as well. A chain without IPv6 has to
		// hear of these: its "all" is that of IPv4.
		everything := jsii.Bool(all && c.authored.IPv6)
		c.groups[tier] = awsec2.SecurityGroup_FromSecurityGroupId(c, jsii.String(tier+"SecurityGroup"), id, &awsec2.SecurityGroupImportOptions{
			Mutable: jsii.Bool(true), AllowAllOutbound: everything, AllowAllIpv6Outbound: everything,
		})
	}
	return c.groups[tier]
}

func (c *securityGroupChain) SecurityGroupId(tier string) *string { //nolint:revive,staticcheck // EC2's name of it
	if names := c.TierNames(); !slices.Contains(names, tier) {
		panic(fmt.Errorf("reading the security group of a tier (%s): the chain %s has no tier %q; it has %s",
			tier, *c.Node().Path(), tier, strings.Join(names, ", ")))
	}
	return jsii.String(c.ids[tier])
}

func (c *securityGroupChain) TierNames() []string {
	names := make([]string, 0, len(c.authored.Tiers))
	for _, tier := range c.authored.Tiers {
		names = append(names, tier.Name)
	}
	return names
}

func (c *securityGroupChain) SecurityGroupIds() *string { return c.attribute("SecurityGroupIds") } //nolint:revive // the same
func (c *securityGroupChain) VpcId() *string            { return c.attribute("VpcId") }            //nolint:revive,staticcheck // the same
func (c *securityGroupChain) Summary() *string          { return c.attribute("Summary") }
func (c *securityGroupChain) RuleCount() *string        { return c.attribute("RuleCount") }
func (c *securityGroupChain) Warnings() *string         { return c.attribute("Warnings") }

func (c *securityGroupChain) Provider() IProvider { return c.provider }

func (c *securityGroupChain) PlanPayload() *string { return c.payload("plan") }

// payload asks the function about the chain as the template has it. Tokens in it are
// worked out by CloudFormation.
func (c *securityGroupChain) payload(action string) *string {
	resource, isResource := c.resource.Node().DefaultChild().(awscdk.CfnResource)
	if !isResource {
		panic(fmt.Errorf("asking about a chain (%s): it has no resource", *c.Node().Path()))
	}
	stack := awscdk.Stack_Of(c) // the payload may stand in the output of another one
	return stack.ToJsonString(map[string]any{
		"action": action, "StackId": stack.StackId(), "LogicalResourceId": resource.LogicalId(), "ResourceProperties": c.template,
	}, nil)
}

func (c *securityGroupChain) Mermaid() string { return c.plan.mermaid() }

func (c *securityGroupChain) attribute(name string) *string {
	return c.resource.GetAttString(jsii.String(name))
}

// annotate says what the chain is, and what of it is allowed and may not be meant. The
// IDs are stable, and each names one door: acknowledging it lets no other one in.
func (c *securityGroupChain) annotate() {
	spec, notes := c.settled.spec, awscdk.Annotations_Of(c)
	words := func(text string) *string {
		return jsii.String(c.settled.facts.named(text, func(string) string { return "(known at deploy time)" }))
	}
	notes.AddInfoV2(jsii.String("sgchain:summary"), words(chain.Summary(spec)))
	for id, finding := range findings(spec) {
		notes.AddWarningV2(jsii.String(id), words(finding))
	}
	for _, tier := range spec.Tiers {
		for _, rule := range tier.Ingress {
			if !chain.IsWorld(rule.Peer) {
				continue
			}
			traffic := chain.Traffic(rule.Protocol, rule.Ports)
			notes.AddWarningV2(jsii.String("sgchain:open:"+tier.Name+":"+dashed(traffic)+":"+rule.Peer.String()),
				jsii.String("tier "+tier.Name+" is open to the internet: "+traffic+" from "+rule.Peer.String()))
		}
	}
}

func dashed(text string) string { return strings.ReplaceAll(text, " ", "-") }
