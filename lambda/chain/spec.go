package chain

// Spec is the validated properties of a chain, with every default filled in. Only [Parse] and
// [ParseBuilt] create one.
type Spec struct {
	VPCID string
	// IPv6 means that internet, vpc and Egress all include IPv6.
	IPv6 bool
	// RuleQuota is how many rules a group may have for each direction and address family, 1 to
	// 1000.
	RuleQuota int
	// KeepUnmanaged keeps rules on the chain's groups that the chain never created.
	KeepUnmanaged bool
	// Adopt adopts existing groups of other owners that have a tier's GroupName.
	Adopt bool
	// ReleaseTiers names tiers whose groups are released instead of deleted when they leave the
	// chain. None of them is in Tiers.
	ReleaseTiers []string
	// WarnOnly turns the refusals of guardrails into warnings.
	WarnOnly bool
	// MovedFrom is the chain whose groups a Create takes over.
	MovedFrom Origin
	// NoStackTags means that the groups do not get the tags of the stack.
	NoStackTags bool
	Tiers       []Tier // outermost first, at least one
}

// Tier is one security group of the chain.
type Tier struct {
	Name        string // unique in the chain, [A-Za-z][A-Za-z0-9]*; prefix of the attribute
	GroupName   string // empty if it is generated
	Description string
	Ingress     []Rule
	Egress      EgressSpec
	AllowPublic bool              // allows the internet as a peer of a tier that is not the first
	Tags        map[string]string // the author's, including the chain's Tags
}

// EgressSpec is the allowed outbound traffic of a tier. The zero EgressSpec allows none.
type EgressSpec struct {
	All   bool   // all traffic: EC2's own default
	Chain bool   // the traffic that other tiers of the chain allow from this one
	Rules []Rule // the author's entries
}

// The words for egress.
const (
	egressAll   = "all"
	egressChain = "chain"
	egressNone  = "none"
)

// Identities returns the identities of the tiers' groups in chain order.
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

// Desired returns the state that the spec describes, with tiers as peers. If a tier's egress is
// the chain, its group gets a matching egress rule for each ingress rule that names the tier as a
// source. That includes its own ingress rules from itself.
func Desired(spec Spec) State {
	var state State
	usable := egressBySource(spec)
	for _, tier := range spec.Tiers {
		group := Group{Identity: spec.identity(tier), Tags: tier.Tags, Rules: append([]Rule(nil), tier.Ingress...)}
		group.Rules = append(group.Rules, tier.Egress.Rules...)
		if tier.Egress.All {
			group.Rules = append(group.Rules, everywhere(spec, tier)...)
		}
		if tier.Egress.Chain {
			group.Rules = append(group.Rules, usable[tier.Name]...)
		}
		state.Groups = append(state.Groups, group)
	}
	return state.Normalize()
}

func everywhere(spec Spec, tier Tier) []Rule {
	rules := []Rule{AllTrafficV4()}
	if spec.IPv6 {
		rules = append(rules, AllTrafficV6())
	}
	for i := range rules {
		rules[i].Description = describe(tier.Name, "anywhere", rules[i])
	}
	return rules
}

// egressBySource returns, for each tier, the egress rules that match the ingress rules of all
// tiers from this one.
func egressBySource(spec Spec) map[string][]Rule {
	egress := map[string][]Rule{}
	for _, target := range spec.Tiers {
		for _, rule := range target.Ingress {
			if rule.Peer.Kind != PeerTier {
				continue
			}
			source := rule.Peer.Tier
			rule.Direction = Egress
			rule.Peer = TierPeer(target.Name)
			egress[source] = append(egress[source], rule)
		}
	}
	return egress
}

// describe returns the default description of a rule.
func describe(from, to string, rule Rule) string {
	return from + " to " + to + ": " + Traffic(rule.Protocol, rule.Ports)
}
