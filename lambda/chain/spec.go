package chain

// Spec is what the author of a template wrote, checked and with every default
// filled in. Only [Parse] makes one.
type Spec struct {
	VPCID string
	Tiers []Tier // outermost first, at least one
}

// Tier is one security group of the chain.
type Tier struct {
	Name        string // unique in the chain, [A-Za-z][A-Za-z0-9]*; prefix of the attribute
	GroupName   string // empty where it is generated
	Description string
	Ingress     []Rule // peers are CIDRs and tiers
	Egress      EgressMode
}

// EgressMode says where a tier may go.
type EgressMode string

// The words for egress.
const (
	// EgressAll is all traffic to 0.0.0.0/0: EC2's own default.
	EgressAll EgressMode = "all"
	// EgressChain is only what other tiers of the chain take from this one.
	EgressChain EgressMode = "chain"
	// EgressNone is nothing at all.
	EgressNone EgressMode = "none"
)

// Identities lists the identities of the tiers' groups in chain order.
func (s Spec) Identities() []Identity {
	identities := make([]Identity, 0, len(s.Tiers))
	for _, tier := range s.Tiers {
		identities = append(identities, s.identity(tier))
	}
	return identities
}

func (s Spec) identity(tier Tier) Identity {
	return Identity{VPCID: s.VPCID, Tier: tier.Name, GroupName: tier.GroupName, Description: tier.Description}
}

// Desired is the state that the spec asks for, with tiers as peers. A strict
// tier gets, for each door that names it as a source, the egress rule that
// makes the door usable; that holds for its own doors to itself as well.
func Desired(spec Spec) State {
	var state State
	for _, tier := range spec.Tiers {
		group := Group{Identity: spec.identity(tier), Rules: append([]Rule(nil), tier.Ingress...)}
		switch tier.Egress {
		case EgressAll:
			rule := AllTrafficV4()
			rule.Description = describe(tier.Name, "anywhere", rule)
			group.Rules = append(group.Rules, rule)
		case EgressChain:
			group.Rules = append(group.Rules, doorsTo(spec, tier.Name)...)
		case EgressNone:
		}
		state.Groups = append(state.Groups, group)
	}
	return state.Normalize()
}

// doorsTo lists what the tiers of the chain take from a tier, as its egress.
func doorsTo(spec Spec, source string) []Rule {
	var rules []Rule
	for _, target := range spec.Tiers {
		for _, rule := range target.Ingress {
			if rule.Peer == TierPeer(source) {
				rule.Direction = Egress
				rule.Peer = TierPeer(target.Name)
				rules = append(rules, rule)
			}
		}
	}
	return rules
}

// describe is the description of a rule whose author gave none.
func describe(from, to string, rule Rule) string {
	return from + " to " + to + ": " + Traffic(rule.Protocol, rule.Ports)
}

// Warnings lists what is allowed and probably not meant.
func Warnings(spec Spec) []string {
	var warnings []string
	for _, tier := range spec.Tiers {
		if tier.Egress == EgressChain && len(doorsTo(spec, tier.Name)) == 0 {
			warnings = append(warnings, "tier "+tier.Name+" can call nobody: its Egress is chain and no tier takes traffic from it")
		}
	}
	return warnings
}
