package sgchain

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"sgchain/lambda/chain"
)

// folding holds what other constructs ask for against what the chain allows, and adds to the tiers what it does not.
type folding struct {
	tiers []Tier     // the author's, and what was added
	facts *known     // what is known of their tokens
	spec  chain.Spec // as the author wrote it
	// byTier is what each tier allows by now, as it would be on its group.
	byTier map[string][]chain.Rule
	// vpcRange is the range of the chain's VPC as the CDK has it; empty where it has none.
	vpcRange string
	missing  []ask // what the author's tiers do not allow
}

func newFolding(tiers []Tier, facts *known, spec chain.Spec, vpcRange string) *folding {
	f := &folding{tiers: slices.Clone(tiers), facts: facts, spec: spec, vpcRange: vpcRange, byTier: map[string][]chain.Rule{}}
	for _, group := range chain.Desired(spec).Groups {
		f.byTier[group.Tier] = group.Rules
	}
	return f
}

// hold takes what was asked for, inbound rules first: a tier with the egress chain may go where another tier lets it in.
func (f *folding) hold(asks []ask) {
	for _, direction := range []chain.Direction{chain.Ingress, chain.Egress} {
		for _, ask := range asks {
			if ask.direction == direction {
				f.one(ask)
			}
		}
	}
}

func (f *folding) one(ask ask) {
	if isLookedUpLater(ask.peer.text) {
		return // the synth after the look-up says what is meant
	}
	if ask.problem == "" {
		var err error
		if ask.rule, err = f.ruleOf(ask); err != nil {
			ask.problem = whyNot(err)
		}
	}
	if ask.problem == "" && f.allows(ask) {
		return
	}
	place := slices.IndexFunc(f.tiers, func(tier Tier) bool { return tier.Name == ask.tier })
	if ask.direction == chain.Egress && strings.EqualFold(string(f.tiers[place].Egress), string(EgressNone)) {
		ask.problem = "the tier has EgressNone, so that it may go nowhere; set its Egress to sgchain.EgressChain, and list the way out in EgressTo"
	}
	f.missing = append(f.missing, ask)
	if ask.problem+ask.stray != "" {
		return
	}
	add(&f.tiers[place], usualSource(f.tiers, place), ask)
	f.allow(ask.tier, ask.rule)
	if ask.direction != chain.Ingress || ask.rule.Peer.Kind != chain.PeerTier {
		return
	}
	source := slices.IndexFunc(f.spec.Tiers, func(tier chain.Tier) bool { return tier.Name == ask.rule.Peer.Tier })
	if f.spec.Tiers[source].Egress.Chain {
		way := ask.rule
		way.Direction, way.Peer = chain.Egress, chain.TierPeer(ask.tier)
		f.allow(ask.rule.Peer.Tier, way)
	}
}

// whyNot is why the function would refuse an ask. The paths are those of ruleOf's own properties.
func whyNot(err error) string {
	problems, isProblems := errors.AsType[chain.Problems](err)
	if !isProblems {
		return err.Error()
	}
	var texts []string
	for _, problem := range problems {
		texts = append(texts, "its "+problem.Path[strings.LastIndex(problem.Path, ".")+1:]+" "+problem.Problem)
	}
	return strings.Join(texts, "; ")
}

func (f *folding) allow(tier string, rule chain.Rule) {
	f.byTier[tier] = append(slices.Clip(f.byTier[tier]), rule)
}

// usualSource is who enters a tier that names no Sources.
func usualSource(tiers []Tier, place int) Peer {
	if place == 0 {
		return Internet()
	}
	return TierNamed(tiers[place-1].Name)
}

// add writes a rule into a tier. The short form becomes the long one, which says the same.
func add(tier *Tier, previous Peer, ask ask) {
	ports, peers := []Port{ask.port}, []Peer{ask.peer}
	if ask.direction == chain.Egress {
		if tier.Egress == "" && tier.EgressTo == nil {
			tier.Egress = EgressAll // the default, which EgressTo alone would end
		}
		tier.EgressTo = append(slices.Clone(tier.EgressTo), Egress{Ports: ports, Destinations: peers, Description: ask.description})
		return
	}
	doors := slices.Clone(tier.Ingress)
	if tier.Ports != nil {
		sources := tier.Sources
		if sources == nil {
			sources = []Peer{previous}
		}
		doors, tier.Ports, tier.Sources = []Ingress{{Ports: tier.Ports, Sources: sources}}, nil, nil
	}
	tier.Ingress = append(doors, Ingress{Ports: ports, Sources: peers, Description: ask.description})
}

// ruleOf reads an ask as the function reads a tier, so that both mean the same.
func (f *folding) ruleOf(ask ask) (chain.Rule, error) {
	list := make([]any, 0, len(f.tiers))
	for _, tier := range f.tiers {
		object := map[string]any{"Name": tier.Name}
		if tier.Name == ask.tier && ask.direction == chain.Ingress {
			object["Ingress"] = []any{door([]Port{ask.port}, "Sources", []Peer{ask.peer}, ask.description)}
		}
		if tier.Name == ask.tier && ask.direction == chain.Egress {
			object["Egress"] = []any{door([]Port{ask.port}, "Destinations", []Peer{ask.peer}, ask.description)}
		}
		list = append(list, object)
	}
	probe := &known{tiers: f.facts.tiers, standIns: f.facts.standIns}
	spec, err := probe.check(map[string]any{"VpcId": someVPC, "Tiers": list})
	if err != nil {
		return chain.Rule{}, err
	}
	for _, tier := range spec.Tiers {
		if tier.Name != ask.tier {
			continue
		}
		if ask.direction == chain.Ingress {
			return tier.Ingress[0], nil
		}
		return tier.Egress.Rules[0], nil
	}
	panic("the tier " + strconv.Quote(ask.tier) + " is one of the chain's") // SecurityGroup has refused any other one
}

// allows reports whether the rules of a tier let all of the traffic of one more rule pass.
func (f *folding) allows(ask ask) bool {
	// Of a family of addresses all, beside what is within the peer itself: the members of a group and the entries of a prefix list
	// have addresses of IPv4, and of IPv6 in a chain that has it.
	through := func(world chain.Peer) bool {
		var rules []chain.Rule
		for _, rule := range f.byTier[ask.tier] {
			if rule.Direction == ask.direction && (rule.Peer == world || f.isWithin(ask, rule.Peer)) {
				rules = append(rules, rule)
			}
		}
		return carries(rules, ask.rule)
	}
	switch {
	case ask.rule.Peer.Kind == chain.PeerCIDR:
		return through(chain.Peer{})
	case ask.family == chain.InternetV6: // a range that is a token, which stands for a group here
		return through(chain.CIDRPeer(chain.InternetV6))
	case ask.family == chain.InternetV4:
		return through(chain.CIDRPeer(chain.InternetV4))
	}
	return through(chain.CIDRPeer(chain.InternetV4)) && (!f.spec.IPv6 || through(chain.CIDRPeer(chain.InternetV6)))
}

// isWithin reports whether all that the peer of an ask stands for is within another one.
func (f *folding) isWithin(ask ask, wider chain.Peer) bool {
	peer := ask.rule.Peer
	switch {
	case wider.Kind == chain.PeerVPC:
		return wider.ID == "ipv4" && f.vpcRange != "" && ask.peer.text == f.vpcRange
	case peer.Kind == chain.PeerCIDR && wider.Kind == chain.PeerCIDR:
		return wider.CIDR.IsValid() && wider.CIDR.Bits() <= peer.CIDR.Bits() && wider.CIDR.Contains(peer.CIDR.Addr())
	}
	peer.Account, wider.Account = "", "" // IDs of groups are unique everywhere
	return peer == wider
}

// carries reports whether rules let all traffic of another one pass, whoever their peers are.
func carries(rules []chain.Rule, wanted chain.Rule) bool {
	var ranges []chain.PortRange
	for _, rule := range rules {
		switch {
		case rule.Protocol == chain.All:
			return true
		case rule.Protocol != wanted.Protocol:
		case !wanted.Protocol.HasPorts() || rule.Ports == wanted.Ports || rule.Ports == chain.AllPorts:
			return true
		case wanted.Protocol == chain.ICMP || wanted.Protocol == chain.ICMPv6: // a type with every code
			if rule.Ports.From == wanted.Ports.From && rule.Ports.To == chain.AllPorts.To {
				return true
			}
		default:
			ranges = append(ranges, rule.Ports)
		}
	}
	if wanted.Protocol != chain.TCP && wanted.Protocol != chain.UDP {
		return false
	}
	slices.SortFunc(ranges, func(a, b chain.PortRange) int { return cmp.Compare(a.From, b.From) })
	next := wanted.Ports.From
	for _, one := range ranges {
		if one.From <= next && one.To >= next {
			next = one.To + 1
		}
	}
	return next > wanted.Ports.To
}
