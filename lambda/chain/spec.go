package chain

// Spec is what the author of a template wrote, checked and with every default
// filled in. Only [Parse] makes one.
type Spec struct {
	VPCID string
	// IPv6 says that internet, vpc and Egress all mean IPv6 as well.
	IPv6 bool
	// RuleQuota is how many rules a group may have for each direction and address
	// family, 1 to 1000.
	RuleQuota int
	// KeepUnmanaged keeps rules on the chain's groups that the chain never made.
	KeepUnmanaged bool
	// Adopt takes over groups of the tiers' explicit names that somebody else made.
	Adopt bool
	// ReleaseTiers names tiers whose groups are released and not deleted when they leave the chain; none of them is in Tiers.
	ReleaseTiers []string
	// WarnOnly lets guardrails warn where they would refuse.
	WarnOnly bool
	// MovedFrom is the chain whose groups a Create takes over.
	MovedFrom Origin
	// NoStackTags keeps the tags of the stack from the groups.
	NoStackTags bool
	Tiers       []Tier // outermost first, at least one
}

// Tier is one security group of the chain.
type Tier struct {
	Name        string // unique in the chain, [A-Za-z][A-Za-z0-9]*; prefix of the attribute
	GroupName   string // empty where it is generated
	Description string
	Ingress     []Rule
	Egress      EgressSpec
	AllowPublic bool              // lets the tier be open to the world though it is not the first
	Tags        map[string]string // the author's, those of the chain included
}

// EgressSpec says where a tier may go. The zero EgressSpec is nowhere.
type EgressSpec struct {
	All   bool   // everywhere: EC2's own default
	Chain bool   // what other tiers of the chain take from this one
	Rules []Rule // what the author lists
}

// The words for egress.
const (
	egressAll   = "all"
	egressChain = "chain"
	egressNone  = "none"
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

// Desired is the state that the spec asks for, with tiers as peers. A tier whose
// egress is the chain gets, for each door that names it as a source, the egress rule
// that makes the door usable; that holds for its own doors to itself as well.
func Desired(spec Spec) State {
	var state State
	doors := doorsBySource(spec)
	for _, tier := range spec.Tiers {
		group := Group{Identity: spec.identity(tier), Tags: tier.Tags, Rules: append([]Rule(nil), tier.Ingress...)}
		group.Rules = append(group.Rules, tier.Egress.Rules...)
		if tier.Egress.All {
			group.Rules = append(group.Rules, everywhere(spec, tier)...)
		}
		if tier.Egress.Chain {
			group.Rules = append(group.Rules, doors[tier.Name]...)
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

// doorsBySource lists what the tiers of the chain take from each tier, as its egress.
func doorsBySource(spec Spec) map[string][]Rule {
	doors := map[string][]Rule{}
	for _, target := range spec.Tiers {
		for _, rule := range target.Ingress {
			if rule.Peer.Kind != PeerTier {
				continue
			}
			source := rule.Peer.Tier
			rule.Direction = Egress
			rule.Peer = TierPeer(target.Name)
			doors[source] = append(doors[source], rule)
		}
	}
	return doors
}

// describe is the description of a rule whose author gave none.
func describe(from, to string, rule Rule) string {
	return from + " to " + to + ": " + Traffic(rule.Protocol, rule.Ports)
}
