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

// SecurityGroupChain is a chain of security groups in a stack. Its attributes are tokens: a
// resource that uses one of them is created after the chain and deleted before it.
type SecurityGroupChain interface {
	constructs.Construct
	// ITaggableV2 lets awscdk.Tags_Of reach the groups. The resource type for IncludeResourceTypes
	// and ExcludeResourceTypes is Custom::SecurityGroupChain.
	awscdk.ITaggableV2
	// SecurityGroup returns the security group of a tier, for use in other constructs. Each call
	// returns the same object. It panics if the chain has no such tier.
	//
	// The chain is the only writer of the group. At synth it checks each rule that another construct
	// requests on the group. Examples are a listener's Open, AllowDefaultPortFrom, a service
	// behind a load balancer, Connections().AllowFrom and AddIngressRule. A rule that the chain
	// allows is accepted. Any other rule fails the synth, or is added to the chain if Connections
	// is [Connections_FOLD]. The security group at the other end gets its rule from the CDK, if the
	// CDK creates that group.
	SecurityGroup(tier string) awsec2.ISecurityGroup
	// SecurityGroupId returns the ID of a tier's security group, a token. It panics if the chain
	// has no such tier.
	SecurityGroupId(tier string) *string
	// SecurityGroupIds returns the IDs of all groups in chain order, separated by commas, as a
	// token.
	SecurityGroupIds() *string
	// TierNames returns the names of the tiers in chain order. They are known at synth.
	TierNames() []string
	// VpcId returns the ID of the groups' VPC, a token.
	VpcId() *string
	// Summary returns the chain in one line, as a token, for example
	// "internet -tcp 80,443-> Alb -tcp 6060-> Fargate".
	Summary() *string
	// RuleCount returns the number of rules on the chain's groups, as a token. It includes the
	// rules that EC2 added by itself. It leaves out rules that name a group which is leaving the
	// chain.
	RuleCount() *string
	// Warnings returns what the chain allows but probably should not, and what the function found
	// and left unchanged. It is a token with one warning a line, empty if there are no warnings.
	Warnings() *string
	// Provider returns the provider that serves the chain: the one in the props, or the one that
	// the chains of the stack share.
	Provider() IProvider
	// PlanPayload returns the JSON with which to invoke the provider's function for a plan: what an
	// update of the chain would do now. Write it to an output, which "make plan" reads.
	PlanPayload() *string
	// Mermaid returns the chain as a Mermaid flowchart, for documentation. It is known at synth. A
	// value that is known only at deployment appears as the template refers to it at that moment.
	// Rules that other constructs request after the call are missing.
	Mermaid() string
}

type securityGroupChain struct {
	constructs.Construct
	props        SecurityGroupChainProps
	provider     IProvider
	resource     awscdk.CustomResource
	template     map[string]any    // the properties of the resource; Tags and Tiers may be lazy
	authored     chain.Spec        // as in the props
	placeholders map[string]string // of the tokens in the props and in requests
	plan         *planFile
	tags         awscdk.TagManager
	ids          map[string]string                // tokens of the groups' IDs, by tier
	groups       map[string]awsec2.ISecurityGroup // by tier; SecurityGroup fills it
	requests     []request                        // from other constructs
	scheduled    *string                          // the input of the drift guard; nil if the chain has no drift guard
	settled      settled
}

// NewSecurityGroupChain creates a chain of security groups.
//
// It panics if the function would refuse the chain. The error wraps [chain.Problems] or
// [chain.GuardrailError] and has every problem at once, each on a line of its own with its path. The synth checks the
// rules that other constructs request later, and fails with every problem.
func NewSecurityGroupChain(scope constructs.Construct, id *string, props *SecurityGroupChainProps) SecurityGroupChain {
	if props == nil {
		props = &SecurityGroupChainProps{}
	}
	c := &securityGroupChain{props: *props, groups: map[string]awsec2.ISecurityGroup{}}
	c.props.Tiers = cloned(props.Tiers) // settle reads them again when the app is complete
	constructs.NewConstruct_Override(c, scope, id)
	refuse := func(err error) {
		panic(fmt.Errorf("creating %s (%s): %w", chain.ResourceType, *c.Node().Path(), onLines(err)))
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
	c.authored, c.placeholders = spec, facts.placeholders
	c.settled = settled{spec: spec, facts: facts}
	stack := awscdk.Stack_Of(c)
	c.provider = c.providerFor(stack, props)
	if err := checkSpec(spec, c.isForced()); err != nil {
		refuse(err)
	}
	if problem := props.withoutEffectOnProvider(c.provider); problem != "" {
		refuse(errors.New(problem))
	}

	c.tags = newTags(props.Tags)
	c.plan = &planFile{stack: stack, chain: c, vpc: properties["VpcId"]}
	c.deploy(properties)
	// The CDK validates constructs after it has settled all names, right before it writes the
	// templates.
	c.Node().AddValidation(&validation{c})
	awscdk.Aspects_Of(c).Add(&collectAspect{c}, &awscdk.AspectOptions{Priority: awscdk.AspectPriority_MUTATING()})
	if props.DriftGuard != nil {
		newDriftGuard(c, c.provider, props.DriftGuard)
	}
	if props.Connections != Connections_FOLD { // Validate annotates a folding chain, after the last request
		c.annotate()
	}
	return c
}

// deploy creates the custom resource.
func (c *securityGroupChain) deploy(properties map[string]any) {
	c.template, _ = plain(properties).(map[string]any)
	c.template["Tags"] = c.lazyProperty("Tags")
	if c.props.Connections == Connections_FOLD {
		c.template["Tiers"] = c.lazyProperty("Tiers")
	}
	// The ID Default makes the construct's own ID the logical ID, which is part of the generated
	// names of groups.
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
	// On the whole provider: role, log group and retry limits must still exist when the Delete
	// event comes.
	c.resource.Node().AddDependency(c.provider)
}

// isForced reports whether the provider enforces guardrails. Of an imported provider the app does
// not know, and isForced returns false.
func (c *securityGroupChain) isForced() bool {
	own, isOurs := c.provider.(*provider)
	return isOurs && own.enforces
}

// providerFor returns the provider of the chain and allows it what the chain needs. It panics if
// the provider in the props belongs to another stack or lacks a right.
func (c *securityGroupChain) providerFor(stack awscdk.Stack, props *SecurityGroupChainProps) IProvider {
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
		panic(fmt.Errorf("creating %s (%s): provider %s %s", chain.ResourceType, *c.Node().Path(), *props.Provider.Node().Path(), problem))
	}
	if !props.Provider.Shared() && *awscdk.Stack_Of(props.Provider).Node().Addr() != *stack.Node().Addr() {
		refuse("belongs to another stack and is not shared. Set Shared of the provider, or remove Provider from the chain.")
	}
	// The app does not know the rights of an imported provider: the function checks them.
	if given, isOurs := props.Provider.(*provider); isOurs {
		if props.AdoptExisting && !given.hasRight(adoption) {
			refuse("may not adopt security groups, but AdoptExisting is set. Set AllowAdoption of the provider, or remove Provider from the chain.")
		}
		if problem := props.MovedFrom.missingRight(given); problem != "" {
			refuse(problem)
		}
		if props.DriftGuard.repairs() && !given.repairs {
			refuse("may not repair chains, but DriftGuard.Mode is repair. Set AllowRepair of the provider, or remove Provider from the chain.")
		}
	}
	return props.Provider
}

func (c *securityGroupChain) SecurityGroup(tier string) awsec2.ISecurityGroup {
	if c.groups[tier] == nil {
		id := c.SecurityGroupId(tier)
		all := c.authored.Tiers[slices.Index(c.TierNames(), tier)].Egress.All
		// If all outbound traffic is allowed, the CDK drops every outbound rule, those of IPv6 too. A chain without IPv6
		// must see these, because its EgressAll covers only IPv4.
		everything := jsii.Bool(all && c.authored.IPv6)
		c.groups[tier] = awsec2.SecurityGroup_FromSecurityGroupId(c, jsii.String(tier+"SecurityGroup"), id, &awsec2.SecurityGroupImportOptions{
			Mutable: jsii.Bool(true), AllowAllOutbound: everything, AllowAllIpv6Outbound: everything,
		})
	}
	return c.groups[tier]
}

func (c *securityGroupChain) SecurityGroupId(tier string) *string { //nolint:revive,staticcheck // EC2 names it so
	if names := c.TierNames(); !slices.Contains(names, tier) {
		panic(fmt.Errorf("reading security group of tier (%s): chain %s has no such tier. Use one of its tiers: %s.",
			tier, *c.Node().Path(), strings.Join(names, ", ")))
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

func (c *securityGroupChain) SecurityGroupIds() *string { return c.attribute("SecurityGroupIds") } //nolint:revive // as above
func (c *securityGroupChain) VpcId() *string            { return c.attribute("VpcId") }            //nolint:revive,staticcheck // as above
func (c *securityGroupChain) Summary() *string          { return c.attribute("Summary") }
func (c *securityGroupChain) RuleCount() *string        { return c.attribute("RuleCount") }
func (c *securityGroupChain) Warnings() *string         { return c.attribute("Warnings") }

func (c *securityGroupChain) Provider() IProvider { return c.provider }

func (c *securityGroupChain) PlanPayload() *string { return c.payload("plan") }

// payload returns the event that makes the function run an action on the chain, with the properties
// of the template. CloudFormation resolves the tokens in it.
func (c *securityGroupChain) payload(action string) *string {
	resource, isResource := c.resource.Node().DefaultChild().(awscdk.CfnResource)
	if !isResource {
		panic(fmt.Errorf("creating payload of chain (%s): the chain has no custom resource", *c.Node().Path()))
	}
	stack := awscdk.Stack_Of(c) // not the stack of an output that has the payload
	return stack.ToJsonString(map[string]any{
		"action": action, "StackId": stack.StackId(), "LogicalResourceId": resource.LogicalId(), "ResourceProperties": c.template,
	}, nil)
}

func (c *securityGroupChain) Mermaid() string { return c.plan.mermaid() }

func (c *securityGroupChain) attribute(name string) *string {
	return c.resource.GetAttString(jsii.String(name))
}

// annotate adds the summary as an info, and a warning for each rule that is allowed but may not be
// intended. The IDs are stable. Each names one rule, so acknowledging it hides no other one.
func (c *securityGroupChain) annotate() {
	spec, notes := c.settled.spec, awscdk.Annotations_Of(c)
	words := func(text string) *string {
		return jsii.String(c.settled.facts.named(text, func(string) string { return "(known at deployment)" }))
	}
	notes.AddInfoV2(jsii.String("sgchain:summary"), words(chain.Summary(spec)))
	for id, finding := range findings(spec) {
		notes.AddWarningV2(jsii.String(id), words(finding))
	}
	for _, tier := range spec.Tiers {
		for _, rule := range tier.Ingress {
			if !chain.IsInternet(rule.Peer) {
				continue
			}
			traffic := chain.Traffic(rule.Protocol, rule.Ports)
			notes.AddWarningV2(jsii.String("sgchain:open:"+tier.Name+":"+dashed(traffic)+":"+rule.Peer.String()),
				jsii.String("tier "+tier.Name+" is open to the internet: "+traffic+" from "+rule.Peer.String()))
		}
	}
}

func dashed(text string) string { return strings.ReplaceAll(text, " ", "-") }
