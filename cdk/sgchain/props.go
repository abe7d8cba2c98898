package sgchain

import (
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
)

// SecurityGroupChainProps is what a chain is. What must be known at synth is a plain
// value, and its zero value is absence; what may be a token is the CDK's.
type SecurityGroupChainProps struct {
	// Vpc is the VPC that the groups belong to. Either this or VpcId is required.
	Vpc awsec2.IVpc
	// VpcId is the same by its ID.
	VpcId *string //nolint:revive,staticcheck // the CDK's name of it
	// Tiers is the chain, outermost first. Default: Alb, open to the internet on 80
	// and 443, and Fargate, open to Alb on 6060. An empty list is refused.
	Tiers []Tier
	// Provider is what serves the chain: one of the same stack, or a shared one.
	// Default: one that all chains of the stack share.
	Provider IProvider
	// IPv6 says that [Internet], [Vpc] and [EgressAll] mean IPv6 as well as IPv4.
	IPv6 bool
	// RuleQuota is how many rules a group may have for each direction and family of
	// addresses, 1 to 1000, where the account's quota was raised.
	// Default: 60, which is EC2's.
	RuleQuota int
	// Guardrails is what becomes of a chain that is open to the world where nobody means it.
	// Default: [GuardrailMode_ENFORCE].
	Guardrails GuardrailMode
	// Connections is what becomes of rules that other constructs ask for on the chain's groups and the
	// chain does not have. Default: [Connections_REFUSE].
	Connections Connections
	// UnmanagedRules is what becomes of rules on the chain's groups that the chain never
	// made. Default: [UnmanagedRules_REVOKE].
	UnmanagedRules UnmanagedRules
	// AdoptExisting takes over groups that somebody else made, where they have a tier's
	// GroupName and are in the same VPC; they are released, never deleted. Its provider
	// needs AllowAdoption, which the implicit one gets by itself. Default: a name that is
	// taken fails the deploy.
	AdoptExisting bool
	// ReleaseTiers names tiers that are not among Tiers any more: the deploy in which one leaves releases
	// its group, with the rules of its own, and does not delete it. A name may stay afterwards. Default: none.
	ReleaseTiers []string
	// MovedFrom names the chain whose groups this one takes over when it is created, with their IDs
	// and rules: set it when the logical ID of a chain changes, as when its construct gets another ID
	// or scope, or when it moves to another stack (docs/moves.md). Nothing else of the chain may change in
	// the same deploy. Its provider needs AllowMoves, which the implicit one gets by itself. It has no
	// effect on a chain that is there. Default: a chain that is created makes groups of its own.
	MovedFrom *MovedFrom
	// DriftGuard has the chain looked at by a schedule: CloudFormation's own detection of drift
	// does not see custom resources. Default: none.
	DriftGuard *DriftGuardProps
	// Tags are those of every group of the chain. A tag may have an empty value; nil is one. They go
	// over what awscdk.Tags_Of adds at the CDK's own priority, 100: theirs is 150. A tier's Tags go over
	// all others.
	Tags map[string]*string
	// StackTags gives the groups the tags that the stack has when it is deployed as well, those of StackProps and of cdk deploy
	// --tags. They are the weakest. Default: true.
	StackTags *bool
	// Revision is ignored; changing it has the chain verified and repaired by the
	// next deploy.
	Revision string
}

// UnmanagedRules is what becomes of rules that a chain finds on its groups and did not
// make.
type UnmanagedRules string

// The ways with such rules.
const (
	// UnmanagedRules_REVOKE takes them away with the next update.
	UnmanagedRules_REVOKE UnmanagedRules = "revoke" //nolint:revive,staticcheck // the CDK's form of an enum
	// UnmanagedRules_KEEP leaves them alone. They do not count as drift.
	UnmanagedRules_KEEP UnmanagedRules = "keep" //nolint:revive,staticcheck // the same
)

// check finds what only the construct can refuse.
func (p *SecurityGroupChainProps) check(facts *known) {
	if p.Vpc != nil && p.VpcId != nil {
		facts.problem("VpcId", "stands beside Vpc; set one of them")
	}
	if mode := p.Connections; mode != "" && mode != Connections_REFUSE && mode != Connections_FOLD {
		facts.problem("Connections", strconv.Quote(string(mode))+" is not known; write sgchain.Connections_REFUSE or sgchain.Connections_FOLD")
	}
	p.MovedFrom.check(facts)
	p.DriftGuard.check(facts)
}

// properties is what the template has, with each [Peer] still in its place.
func (p *SecurityGroupChainProps) properties() map[string]any {
	object := map[string]any{}
	put(object, "VpcId", value(p.VpcId))
	if p.Vpc != nil {
		put(object, "VpcId", value(p.Vpc.VpcId()))
	}
	put(object, "Revision", p.Revision)
	if p.IPv6 {
		object["IpFamilies"] = []any{"ipv4", "ipv6"}
	}
	if p.RuleQuota != 0 {
		object["RuleQuota"] = strconv.Itoa(p.RuleQuota)
	}
	put(object, "Guardrails", string(p.Guardrails))
	put(object, "UnmanagedRules", string(p.UnmanagedRules))
	if p.AdoptExisting {
		object["AdoptExisting"] = "true"
	}
	var released []any
	for _, name := range p.ReleaseTiers {
		released = append(released, name)
	}
	if len(released) > 0 {
		object["ReleaseTiers"] = released
	}
	p.MovedFrom.put(object)
	putTags(object, p.Tags)
	if p.StackTags != nil {
		object["StackTags"] = strconv.FormatBool(*p.StackTags)
	}
	if p.Tiers != nil {
		object["Tiers"] = properties(p.Tiers)
	}
	return object
}
