package sgchain

import (
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
)

// SecurityGroupChainProps are the properties of a chain. A value that must be known at synth is a
// plain Go value, and its zero value means that it is not set. A value that can be a token has a
// type of the CDK.
type SecurityGroupChainProps struct {
	// Vpc is the VPC of the security groups. Another VPC replaces every group. Either Vpc or VpcId
	// is required. Default: none.
	Vpc awsec2.IVpc
	// VpcId is the ID of the VPC, which can be a token. Default: none.
	VpcId *string //nolint:revive,staticcheck // the CDK's name of it
	// Tiers are the tiers of the chain, outermost first. An empty list is refused.
	// Default: Alb, which is open to the internet on TCP 80 and 443, and Fargate, which is open to
	// Alb on TCP 6060.
	Tiers []Tier
	// Provider serves the chain. It belongs to the same stack, or is a shared one.
	// Default: the provider that all chains of the stack share.
	Provider IProvider
	// IPv6 makes [Internet], [Vpc] and [EgressAll] mean IPv6 as well as IPv4. Default: false.
	IPv6 bool
	// RuleQuota is the maximum number of rules of a group, for each direction and address family,
	// from 1 to 1000. Set it if the quota "Inbound or outbound rules per security group" of the
	// account was raised. Default: 60, which is EC2's default quota.
	RuleQuota int
	// Guardrails is what happens to a chain that guardrails refuse, see docs/guardrails.md.
	// Default: [GuardrailMode_ENFORCE].
	Guardrails GuardrailMode
	// Connections is what happens to a rule that another construct requests on a group of the chain,
	// if the chain does not allow it. Default: [Connections_REFUSE].
	Connections Connections
	// UnmanagedRules is what happens to rules on the chain's groups that the chain did not create.
	// Default: [UnmanagedRules_REVOKE].
	UnmanagedRules UnmanagedRules
	// AdoptExisting adopts existing security groups: those of the VPC that have the GroupName of a
	// tier and no other owner. The chain never deletes an adopted group, but releases it. At least
	// one tier needs a GroupName. The provider needs AllowAdoption, which the default provider gets
	// by itself. Default: false, and an existing group with a tier's GroupName fails the deployment.
	AdoptExisting bool
	// ReleaseTiers are names of tiers that are no longer among Tiers. The deployment that removes
	// such a tier releases its group, with the group's rules, instead of deleting it. A name can stay
	// in the list afterward. Default: none.
	ReleaseTiers []string
	// MovedFrom names the chain whose groups this chain takes over when it is created. The groups keep
	// their IDs and rules. Set it when the chain moves to another stack, or when its logical ID
	// changes because its construct gets another ID or scope. Change nothing else of the chain in the
	// same deployment. The provider needs AllowMoves, which the default provider gets by itself.
	// MovedFrom has no effect on an existing chain. See docs/moves.md.
	// Default: none, and a new chain creates its own groups.
	MovedFrom *MovedFrom
	// DriftGuard compares the chain with its template on a schedule, because CloudFormation's drift
	// detection does not support custom resources. Default: none.
	DriftGuard *DriftGuardProps
	// Tags are the tags of every group. A nil value means an empty one. A tag of awscdk.Tags_Of
	// overrides one of the same key only if its priority is above 150. The CDK's default is 100.
	// Tags of a tier override all others. Default: none.
	Tags map[string]*string
	// StackTags adds the tags that the stack has when the function runs to the groups. They come from
	// StackProps and from "cdk deploy --tags". Every other tag of the same key overrides them.
	// Default: true.
	StackTags *bool
	// Revision has no meaning of its own. Change it to make the next deployment verify and repair the
	// chain. Default: none.
	Revision string
}

// UnmanagedRules is what happens to rules on a chain's groups that the chain did not create.
type UnmanagedRules string

// The values of UnmanagedRules.
const (
	// UnmanagedRules_REVOKE revokes them in the next update.
	UnmanagedRules_REVOKE UnmanagedRules = "revoke" //nolint:revive,staticcheck // the CDK's form of an enum
	// UnmanagedRules_KEEP keeps them. They do not count as drift.
	UnmanagedRules_KEEP UnmanagedRules = "keep" //nolint:revive,staticcheck // as above
)

// check finds problems that only the construct sees. chain.Parse finds the others.
func (p *SecurityGroupChainProps) check(facts *known) {
	if p.Vpc != nil && p.VpcId != nil {
		facts.problem("VpcId", "cannot be combined with Vpc. Set only one of them.")
	}
	if mode := p.Connections; mode != "" && mode != Connections_REFUSE && mode != Connections_FOLD {
		facts.problem("Connections", "unknown value "+strconv.Quote(string(mode))+". Use sgchain.Connections_REFUSE or sgchain.Connections_FOLD.")
	}
	p.MovedFrom.check(facts)
	p.DriftGuard.check(facts)
}

// properties returns the properties of the template, in which each [Peer] is still a Peer.
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
