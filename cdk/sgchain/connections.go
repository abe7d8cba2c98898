package sgchain

import (
	"maps"
	"slices"
	"sync"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"sgchain/lambda/chain"
)

// Connections is what happens to a rule that another construct requests on a tier's group, if the chain does not allow it. Constructs
// request rules by a listener's Open, a service behind a load balancer, Connections().AllowFrom, AddIngressRule and so on.
type Connections string

// The values of Connections.
const (
	// Connections_REFUSE fails the synth with what to add to which tier.
	Connections_REFUSE Connections = "refuse" //nolint:revive,staticcheck // the CDK's form of an enum
	// Connections_FOLD adds the rule to the chain, which stays the only writer of its groups. Guardrails and the plan files include the
	// added rules.
	Connections_FOLD Connections = "fold" //nolint:revive,staticcheck // as above
)

// collect removes the rules that other constructs have added below the chain's groups from the tree, and records them as requests. In
// the template such a rule would be a resource of its own. It would write to the group too, and the function would not know its rule.
func (c *securityGroupChain) collect() {
	for _, tier := range c.TierNames() {
		group := c.groups[tier]
		if group == nil {
			continue
		}
		for _, child := range *group.Node().Children() {
			if rule, direction := directionOf(child); rule != nil {
				c.record(c.newRequest(tier, rule, direction), rule)
			}
		}
	}
}

// collectStrays does the same for rules in other places: below a peer's group in another stack, or created by the author with
// NewCfnSecurityGroupIngress or NewCfnSecurityGroupEgress.
//
// The chain cannot add them. It would depend on a stack that depends on it, or on rules that it sees only at validation.
func (c *securityGroupChain) collectStrays(everything []constructs.IConstruct) {
	for _, construct := range everything {
		rule, direction := directionOf(construct)
		if rule == nil {
			continue
		}
		tier := c.tierOf(value(rule.GroupId()), rule)
		if tier == "" {
			continue
		}
		stray := c.newRequest(tier, rule, direction)
		stray.stray = "The rule is created in " + *rule.Node().Scope().Node().Path() + " and not on the group that SecurityGroup returns, so it cannot be folded in."
		if other := awscdk.Stack_Of(rule); other != awscdk.Stack_Of(c) {
			stray.stray = "The rule belongs to stack " + *other.Node().Path() + ", which depends on the chain, so the chain cannot depend on it. Create the peer's security group in the stack of the chain."
		}
		c.record(stray, rule)
	}
}

// record keeps a request and removes its rule from the tree. Constructs that depend on the rule then depend on the chain. For example, a
// function with an EFS file system depends on the rules between them (Function of aws-lambda). CloudFormation refuses a dependency on a
// resource that does not exist.
func (c *securityGroupChain) record(request request, rule l1) {
	c.requests = append(c.requests, request)
	constructs.Dependable_Implement(rule, constructs.Dependable_Of(c.resource))
	rule.Node().Scope().Node().TryRemoveChild(rule.Node().Id())
}

// collectAspect collects the existing rules before other aspects run, because cdk-nag would report a listener's rule that never reaches the
// template. It also runs before the CDK turns a dependency on the chain's group into one on each resource below the group.
type collectAspect struct{ chain *securityGroupChain }

// Visit collects when the CDK visits the chain, and ignores the constructs below it.
func (e *collectAspect) Visit(node constructs.IConstruct) {
	if node == constructs.IConstruct(e.chain) {
		e.chain.collect()
	}
}

// settled is the chain with every request and tag until now.
type settled struct {
	requests int // number of requests included
	tags     map[string]*string
	spec     chain.Spec
	facts    *known
	template map[string]any // the properties of the resource
	tiers    []Tier         // with the missing rules, in both modes of Connections
	missing  []request      // those that the author's tiers do not allow
	err      error          // why the function would refuse it
}

// settle computes the chain with every request and tag until now. The CDK resolves a template several times, so settle does nothing if
// neither has changed.
func (c *securityGroupChain) settle() {
	c.collect()
	tags := c.allTags()
	if c.settled.template != nil && len(c.requests) == c.settled.requests && maps.EqualFunc(tags, c.settled.tags, func(a, b *string) bool { return value(a) == value(b) }) {
		return
	}
	props := c.props
	props.Tags = tags
	tiers := props.Tiers
	if tiers == nil {
		for _, tier := range chain.DefaultTiers() {
			tiers = append(tiers, tierOf(tier))
		}
	}
	folding := newFolding(tiers, c.knownOf(tiers), c.authored, c.vpcRange())
	folding.apply(c.requests)
	// If the tiers already allow every request, the template stays as the author wrote it.
	if props.Connections == Connections_FOLD && len(folding.missing) > 0 {
		props.Tiers = folding.tiers
	}
	facts, properties := c.knownOf(props.Tiers), props.properties()
	spec, err := facts.check(properties)
	if err == nil {
		err = withoutEffect(facts, spec, props.Tiers)
	}
	if err == nil {
		err = checkSpec(spec, c.isForced())
	} else {
		spec = c.authored
	}
	template, _ := plain(properties).(map[string]any)
	c.settled = settled{len(c.requests), tags, spec, facts, template, folding.tiers, folding.missing, err}
}

// knownOf returns what is known of tiers. It always uses the same placeholder for the same token, because rules are compared by them.
func (c *securityGroupChain) knownOf(tiers []Tier) *known {
	facts := newKnown(tiers)
	facts.placeholders = c.placeholders
	return facts
}

// validation validates a chain when the app is complete.
type validation struct{ chain *securityGroupChain }

// Validate checks the chain against the rest of the app, and writes the plan files. Every problem that it returns fails the synth.
func (v *validation) Validate() *[]*string {
	c := v.chain
	everything := lastScan.of(c)
	c.collectStrays(everything)
	c.settle()
	problems := slices.Concat((&advice{securityGroupChain: c, everything: everything}).problems(), c.sharedNames(everything), c.cycles(everything), c.invalidMoves(everything))
	if c.settled.err != nil {
		problems = append(problems, linesOf(c.settled.err)...)
	}
	if err := c.fitsSchedule(); err != nil {
		problems = append(problems, err.Error())
	}
	if c.props.Connections == Connections_FOLD && len(problems) == 0 {
		c.annotate()
	}
	c.warnOfInternalBalancer(everything)
	if err := c.plan.write(); err != nil {
		problems = append(problems, err.Error())
	}
	return jsii.Strings(problems...)
}

// scan is all constructs of a stage, or of an app with its stages. Listing them costs more the larger the app is, and each chain needs the
// list, so the chains of a synth share it. The CDK synthesizes a stage by itself, before the app or stage around it.
type scan struct {
	sync.Mutex
	everything []constructs.IConstruct
	used       []*securityGroupChain // chains that have read the list in this synth
}

var lastScan scan //nolint:gochecknoglobals // shared by the chains of an app

// of returns the constructs of a chain's stage. It lists them again if the chain has read the list before or is not in it, because that
// is another synth.
func (s *scan) of(c *securityGroupChain) []constructs.IConstruct {
	s.Lock()
	defer s.Unlock()
	var root constructs.IConstruct = awscdk.Stage_Of(c)
	if len(s.everything) == 0 || s.everything[0] != root || slices.Contains(s.used, c) || !slices.Contains(s.everything, constructs.IConstruct(c)) {
		s.everything, s.used = *root.Node().FindAll(constructs.ConstructOrder_PREORDER), nil
	}
	s.used = append(s.used, c)
	return s.everything
}

// vpcRange returns the address range of the chain's VPC, or "" if the CDK does not know it, as of some imported VPCs.
func (c *securityGroupChain) vpcRange() string {
	if c.props.Vpc == nil {
		return ""
	}
	return value(readOrZero(c.props.Vpc.VpcCidrBlock))
}

// lazyValue is a property that the CDK reads when the app is complete.
type lazyValue struct{ read func() any }

// Produce returns the value. The CDK calls it for each template, and before that to find references.
func (l *lazyValue) Produce(awscdk.IResolveContext) any { return l.read() }

func (c *securityGroupChain) lazyProperty(property string) any {
	return awscdk.Lazy_UncachedAny(&lazyValue{func() any {
		c.settle()
		return c.settled.template[property]
	}}, &awscdk.LazyAnyValueOptions{DisplayHint: jsii.String(property)})
}
