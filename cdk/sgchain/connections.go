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

// Connections is what becomes of a rule that another construct asks for on a tier's group and the chain does not have: by a listener's
// Open, a service behind a load balancer, Connections().AllowFrom, AddIngressRule and so on.
type Connections string

// The ways with such rules.
const (
	// Connections_REFUSE fails the synth, and says what to add to which tier.
	Connections_REFUSE Connections = "refuse" //nolint:revive,staticcheck // the CDK's form of an enum
	// Connections_FOLD adds them to the chain, which stays the only writer of its groups. Guardrails and the plan file see the sum.
	Connections_FOLD Connections = "fold" //nolint:revive,staticcheck // the same
)

// collect takes the rules that other constructs have put below the chain's groups out of the tree, and keeps what they asked for. A
// resource for such a rule in the template would be a second writer of the group, and its rule a stranger's to the function.
func (c *securityGroupChain) collect() {
	for _, tier := range c.TierNames() {
		group := c.groups[tier]
		if group == nil {
			continue
		}
		for _, child := range *group.Node().Children() {
			if rule, direction := directionOf(child); rule != nil {
				c.take(c.newAsk(tier, rule, direction), rule)
			}
		}
	}
}

// collectStrays does the same for rules that stand elsewhere: below the group at the other end where that is in another stack, or made by
// hand. The chain can not take them: it would depend on a stack that depends on it, or on what it does not see before validation.
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
		stray := c.newAsk(tier, rule, direction)
		stray.stray = "it is made in " + *rule.Node().Scope().Node().Path() + ", not on the group that SecurityGroup gives, so that it can not be folded in"
		if other := awscdk.Stack_Of(rule); other != awscdk.Stack_Of(c) {
			stray.stray = "it is of the stack " + *other.Node().Path() + ", which uses the chain, so that the chain can not use it; make the group at the other end in the stack of the chain"
		}
		c.take(stray, rule)
	}
}

// take keeps what was asked for, and takes the rule out of the tree. Who waits for the rule waits for the chain in its place: a function
// with an EFS file system waits for the rules between them (Function of aws-lambda), and CloudFormation refuses to wait for what is not
// there.
func (c *securityGroupChain) take(ask ask, rule l1) {
	c.asks = append(c.asks, ask)
	constructs.Dependable_Implement(rule, constructs.Dependable_Of(c.resource))
	rule.Node().Scope().Node().TryRemoveChild(rule.Node().Id())
}

// early takes the rules that are there when aspects begin: before those of others see them (cdk-nag reports a rule of a listener that
// never reaches the template), and before the CDK makes what depends on the chain's groups depend on each resource below them.
type early struct{ chain *securityGroupChain }

// Visit is called for the chain, and then for what is below it.
func (e *early) Visit(node constructs.IConstruct) {
	if node == constructs.IConstruct(e.chain) {
		e.chain.collect()
	}
}

// settled is the chain with all that was asked of it until now.
type settled struct {
	asks     int // how many of them are in it
	tags     map[string]*string
	spec     chain.Spec
	facts    *known
	template map[string]any // the properties
	tiers    []Tier         // with what is to be folded in, whether it is or not
	missing  []ask          // what the author's tiers do not allow
	err      error          // why the function would refuse it
}

// settle takes into account what was asked of the chain until now. The CDK resolves a template several times; what has not changed in
// between is not worked out again.
func (c *securityGroupChain) settle() {
	c.collect()
	tags := c.allTags()
	if c.settled.template != nil && len(c.asks) == c.settled.asks && maps.EqualFunc(tags, c.settled.tags, func(a, b *string) bool { return value(a) == value(b) }) {
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
	folding.hold(c.asks)
	// What was asked for may be there already, and then the template stays as it is.
	if props.Connections == Connections_FOLD && len(folding.missing) > 0 {
		props.Tiers = folding.tiers
	}
	facts, properties := c.knownOf(props.Tiers), props.properties()
	spec, err := facts.check(properties)
	if err == nil {
		err = withoutEffect(facts, spec, props.Tiers)
	}
	if err == nil {
		err = guard(spec, c.isForced())
	} else {
		spec = c.authored
	}
	template, _ := plain(properties).(map[string]any)
	c.settled = settled{len(c.asks), tags, spec, facts, template, folding.tiers, folding.missing, err}
}

// knownOf is what is known of tiers, with the same stand-ins for the same tokens each time: rules are told apart by them.
func (c *securityGroupChain) knownOf(tiers []Tier) *known {
	facts := newKnown(tiers)
	facts.standIns = c.standIns
	return facts
}

// validation is what the synth asks of a chain when everything is constructed.
type validation struct{ chain *securityGroupChain }

// Validate holds the chain against what the rest of the app wants of it, and writes the plan file. What it returns fails the synth.
func (v *validation) Validate() *[]*string {
	c := v.chain
	everything := lastScan.of(c)
	c.collectStrays(everything)
	c.settle()
	problems := slices.Concat((&advice{securityGroupChain: c, everything: everything}).problems(), c.sharedNames(everything), c.circles(everything), c.wrongMoves(everything))
	if c.settled.err != nil {
		problems = append(problems, c.settled.err.Error())
	}
	if err := c.fitsSchedule(); err != nil {
		problems = append(problems, err.Error())
	}
	if c.props.Connections == Connections_FOLD && len(problems) == 0 {
		c.annotate()
	}
	c.warnOfInternalConsumer(everything)
	if err := c.plan.write(); err != nil {
		problems = append(problems, err.Error())
	}
	return jsii.Strings(problems...)
}

// scan is all constructs of a stage, or of an app and its stages. Listing them is the one call whose cost grows with all there is, and each
// of its chains needs them. A stage is synthesized by itself, before what is around it.
type scan struct {
	sync.Mutex
	everything []constructs.IConstruct
	used       []*securityGroupChain // by whom, in this synth
}

var lastScan scan //nolint:gochecknoglobals // what the chains of one app share

// of is the constructs of the stage of a chain. A chain that asks once more, or was not there, is in another synth.
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

// vpcRange is the range of the chain's VPC where the CDK knows it. An imported VPC may have none.
func (c *securityGroupChain) vpcRange() string {
	if c.props.Vpc == nil {
		return ""
	}
	return value(tried(c.props.Vpc.VpcCidrBlock))
}

// lazily is a property that is read when everything is constructed.
type lazily struct{ read func() any }

// Produce is called by the CDK for each template that it writes, and before that to find references.
func (l *lazily) Produce(awscdk.IResolveContext) any { return l.read() }

func (c *securityGroupChain) later(property string) any {
	return awscdk.Lazy_UncachedAny(&lazily{func() any {
		c.settle()
		return c.settled.template[property]
	}}, &awscdk.LazyAnyValueOptions{DisplayHint: jsii.String(property)})
}
