package sgchain

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"sgchain/lambda/chain"
)

// folding checks the requests of other constructs against the chain, and adds the rules that it does not allow to the tiers.
type folding struct {
	tiers []Tier     // the author's tiers with the added rules
	facts *known     // about their tokens
	spec  chain.Spec // of the author's tiers
	// byTier are the rules of each tier's group, with the added ones.
	byTier map[string][]chain.Rule
	// vpcRange is the address range of the chain's VPC, empty if the CDK does not know it.
	vpcRange string
	missing  []request // those that the author's tiers do not allow
}

func newFolding(tiers []Tier, facts *known, spec chain.Spec, vpcRange string) *folding {
	f := &folding{tiers: slices.Clone(tiers), facts: facts, spec: spec, vpcRange: vpcRange, byTier: map[string][]chain.Rule{}}
	for _, group := range chain.Desired(spec).Groups {
		f.byTier[group.Tier] = group.Rules
	}
	return f
}

// apply applies requests, inbound rules first: with EgressChain, an inbound rule of one tier allows outbound traffic of another.
func (f *folding) apply(requests []request) {
	for _, direction := range []chain.Direction{chain.Ingress, chain.Egress} {
		for _, request := range requests {
			if request.direction == direction {
				f.applyOne(request)
			}
		}
	}
}

func (f *folding) applyOne(request request) {
	if isDummyPeer(request.peer.text) {
		return // the synth after the lookup has the real value
	}
	if request.problem == "" {
		var err error
		if request.rule, err = f.ruleOf(request); err != nil {
			request.problem = whyNot(err)
		}
	}
	if request.problem == "" && f.allows(request) {
		return
	}
	place := slices.IndexFunc(f.tiers, func(tier Tier) bool { return tier.Name == request.tier })
	if request.direction == chain.Egress && strings.EqualFold(string(f.tiers[place].Egress), string(EgressNone)) {
		request.problem = "the tier has EgressNone, which allows no outbound traffic. Set its Egress to sgchain.EgressChain, and add the rule to its EgressTo."
	}
	f.missing = append(f.missing, request)
	if request.problem+request.stray != "" {
		return
	}
	add(&f.tiers[place], defaultSource(f.tiers, place), request)
	f.allow(request.tier, request.rule)
	if request.direction != chain.Ingress || request.rule.Peer.Kind != chain.PeerTier {
		return
	}
	source := slices.IndexFunc(f.spec.Tiers, func(tier chain.Tier) bool { return tier.Name == request.rule.Peer.Tier })
	if f.spec.Tiers[source].Egress.Chain {
		outbound := request.rule
		outbound.Direction, outbound.Peer = chain.Egress, chain.TierPeer(request.tier)
		f.allow(request.rule.Peer.Tier, outbound)
	}
}

// whyNot returns why the function would refuse a request. Of each path it keeps only the key, because the path is that of ruleOf's
// own properties.
func whyNot(err error) string {
	problems, isProblems := errors.AsType[chain.Problems](err)
	if !isProblems {
		return err.Error()
	}
	var texts []string
	for _, problem := range problems {
		texts = append(texts, "its "+problem.Path[strings.LastIndex(problem.Path, ".")+1:]+": "+problem.Problem)
	}
	return strings.Join(texts, " ")
}

func (f *folding) allow(tier string, rule chain.Rule) {
	f.byTier[tier] = append(slices.Clip(f.byTier[tier]), rule)
}

// defaultSource returns the source of a tier that has no Sources.
func defaultSource(tiers []Tier, place int) Peer {
	if place == 0 {
		return Internet()
	}
	return TierNamed(tiers[place-1].Name)
}

// add adds a rule to a tier. It converts Ports and Sources to the equivalent Ingress.
func add(tier *Tier, previous Peer, request request) {
	ports, peers := []Port{request.port}, []Peer{request.peer}
	if request.direction == chain.Egress {
		if tier.Egress == "" && tier.EgressTo == nil {
			tier.Egress = EgressAll // the default, which EgressTo alone would replace
		}
		tier.EgressTo = append(slices.Clone(tier.EgressTo), Egress{Ports: ports, Destinations: peers, Description: request.description})
		return
	}
	rules := slices.Clone(tier.Ingress)
	if tier.Ports != nil {
		sources := tier.Sources
		if sources == nil {
			sources = []Peer{previous}
		}
		rules, tier.Ports, tier.Sources = []Ingress{{Ports: tier.Ports, Sources: sources}}, nil, nil
	}
	tier.Ingress = append(rules, Ingress{Ports: ports, Sources: peers, Description: request.description})
}

// ruleOf converts a request to a rule. It parses a tier with the request as the function does, so that both mean the same.
func (f *folding) ruleOf(request request) (chain.Rule, error) {
	list := make([]any, 0, len(f.tiers))
	for _, tier := range f.tiers {
		object := map[string]any{"Name": tier.Name}
		if tier.Name == request.tier && request.direction == chain.Ingress {
			object["Ingress"] = []any{ruleObject([]Port{request.port}, "Sources", []Peer{request.peer}, request.description)}
		}
		if tier.Name == request.tier && request.direction == chain.Egress {
			object["Egress"] = []any{ruleObject([]Port{request.port}, "Destinations", []Peer{request.peer}, request.description)}
		}
		list = append(list, object)
	}
	probe := &known{tiers: f.facts.tiers, placeholders: f.facts.placeholders}
	spec, err := probe.check(map[string]any{"VpcId": someVPC, "Tiers": list})
	if err != nil {
		return chain.Rule{}, err
	}
	for _, tier := range spec.Tiers {
		if tier.Name != request.tier {
			continue
		}
		if request.direction == chain.Ingress {
			return tier.Ingress[0], nil
		}
		return tier.Egress.Rules[0], nil
	}
	panic("reading rule of tier (" + request.tier + "): the chain has no such tier") // SecurityGroup has refused every other name
}

// allows reports whether the rules of a tier allow all traffic of a request.
func (f *folding) allows(request request) bool {
	// through reports whether rules for the peer itself, or for a whole address family, allow the traffic. The members of a group
	// and the entries of a prefix list have IPv4 addresses, and IPv6 addresses too in a chain with IPv6.
	through := func(world chain.Peer) bool {
		var rules []chain.Rule
		for _, rule := range f.byTier[request.tier] {
			if rule.Direction == request.direction && (rule.Peer == world || f.isWithin(request, rule.Peer)) {
				rules = append(rules, rule)
			}
		}
		return covers(rules, request.rule)
	}
	switch {
	case request.rule.Peer.Kind == chain.PeerCIDR:
		return through(chain.Peer{})
	case request.family == chain.InternetV6: // a range that is a token has the placeholder of a group
		return through(chain.CIDRPeer(chain.InternetV6))
	case request.family == chain.InternetV4:
		return through(chain.CIDRPeer(chain.InternetV4))
	}
	return through(chain.CIDRPeer(chain.InternetV4)) && (!f.spec.IPv6 || through(chain.CIDRPeer(chain.InternetV6)))
}

// isWithin reports whether another peer includes the whole peer of a request.
func (f *folding) isWithin(request request, wider chain.Peer) bool {
	peer := request.rule.Peer
	switch {
	case wider.Kind == chain.PeerVPC:
		return wider.ID == "ipv4" && f.vpcRange != "" && request.peer.text == f.vpcRange
	case peer.Kind == chain.PeerCIDR && wider.Kind == chain.PeerCIDR:
		return wider.CIDR.IsValid() && wider.CIDR.Bits() <= peer.CIDR.Bits() && wider.CIDR.Contains(peer.CIDR.Addr())
	}
	peer.Account, wider.Account = "", "" // group IDs are unique across accounts
	return peer == wider
}

// covers reports whether rules allow all traffic of another rule, apart from their peers.
func covers(rules []chain.Rule, wanted chain.Rule) bool {
	var ranges []chain.PortRange
	for _, rule := range rules {
		switch {
		case rule.Protocol == chain.All:
			return true
		case rule.Protocol != wanted.Protocol:
		case !wanted.Protocol.HasPorts() || rule.Ports == wanted.Ports || rule.Ports == chain.AllPorts:
			return true
		case wanted.Protocol == chain.ICMP || wanted.Protocol == chain.ICMPv6: // a rule for a type allows its every code
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
