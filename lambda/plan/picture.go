package plan

import (
	"fmt"
	"slices"
	"strings"

	"sgchain/lambda/chain"
)

// Picture draws a chain for a terminal, outermost tier first. An arrow down shows what
// the tier above may send. Next to each group are its other inbound rules and its
// destinations. GroupIDs, by tier, may be nil.
//
//	internet
//	   |  tcp 80,443
//	   v
//	[Alb] ALB-SG sg-0a1b
//	   |  tcp 6060
//	   v
//	[Fargate] Fargate-SG sg-0c2d
func Picture(state chain.State, groupIDs map[string]string) string {
	ids := map[chain.Identity]string{}
	for _, group := range state.Groups {
		ids[group.Identity] = groupIDs[group.Tier]
	}
	return Drawing{Before: state, After: state, IDs: ids}.String()
}

// Drawing is a picture of a chain, or of a change of it: String for a terminal,
// Mermaid for a page. What a change adds has a plus, what it removes has a minus.
type Drawing struct {
	// Before and After are the same if there is no change to show. A peer tier means the
	// groups that its tier has in the same state.
	Before, After chain.State
	// Retired are the groups that leave the chain and that After still has.
	Retired []chain.Identity
	// IDs are the known IDs of groups, and Notes any other remarks about a group. Both
	// may be nil.
	IDs   map[chain.Identity]string
	Notes map[chain.Identity][]string
}

// The marks of what a change adds and removes. The rest has none.
const (
	Added   = "+"
	Removed = "-"
)

// DrawnGroup is a group of either state, as returned by [Drawing.Groups].
type DrawnGroup struct {
	chain.Identity

	Name  string // the tier's name, or a longer one if the tier has several groups
	Title string
	Mark  string
	Rules []DrawnRule
}

// DrawnRule is a rule of a group in either state. A peer tier is replaced by its groups.
type DrawnRule struct {
	chain.Rule

	// PeerName is a group's Name if the peer is a group of the drawing, or "itself" for the
	// rule's own group. Otherwise it is a word for the peer.
	PeerName  string
	Mark      string
	Unmanaged bool
}

// PeerRules is the rules of one direction with the same peer and mark, all managed or all unmanaged.
type PeerRules struct {
	DrawnRule // the first of them

	Rules []chain.Rule
}

func (d PeerRules) write(arrow, words string) string {
	text := arrow
	if d.Mark != "" {
		text += d.Mark + " "
	}
	text += words
	if d.Unmanaged {
		text += " (unmanaged)"
	}
	return text + "\n"
}

// String draws the chain for a terminal.
func (d Drawing) String() string {
	var text strings.Builder
	above := "internet"
	for i, group := range d.Groups() {
		inbound := group.RulesByPeer(chain.Ingress)
		isAbove := slices.ContainsFunc(inbound, func(one PeerRules) bool { return one.PeerName == above })
		if i == 0 && isAbove {
			text.WriteString(above + "\n")
		}
		for _, one := range inbound {
			if one.PeerName == above {
				text.WriteString(one.write("   |  ", one.Traffic()))
			}
		}
		switch {
		case isAbove:
			text.WriteString("   v\n")
		case i > 0:
			text.WriteString("\n")
		}
		text.WriteString(PeerRules{DrawnRule: DrawnRule{Mark: group.Mark}}.write("", group.Title))
		for _, one := range inbound {
			if one.PeerName != above {
				text.WriteString(one.write("   <-- ", one.PeerName+": "+one.Traffic()))
			}
		}
		group.writeDestinations(&text)
		above = group.Name
	}
	return text.String()
}

// writeDestinations lists the destinations of a group, one line for each mark.
func (g DrawnGroup) writeDestinations(text *strings.Builder) {
	var kinds []DrawnRule
	words := map[DrawnRule][]string{}
	stays := g.Mark == Removed
	for _, rule := range g.Rules {
		if rule.Direction != chain.Egress {
			continue
		}
		kind := DrawnRule{Mark: rule.Mark, Unmanaged: rule.Unmanaged}
		if words[kind] == nil {
			kinds = append(kinds, kind)
		}
		word := rule.PeerName + ": " + chain.Traffic(rule.Protocol, rule.Ports)
		if rule.Key() == chain.AllTrafficV4() {
			word = "anywhere"
		}
		words[kind] = append(words[kind], word)
		stays = stays || rule.Mark != Removed
	}
	if len(kinds) == 0 || !stays {
		text.WriteString("   --> nowhere\n")
	}
	for _, kind := range kinds {
		text.WriteString(PeerRules{DrawnRule: kind}.write("   --> ", strings.Join(words[kind], ", ")))
	}
}

// RulesByPeer groups the rules of one direction by peer and mark. Peers and marks are in the
// order of their first rules.
func (g DrawnGroup) RulesByPeer(direction chain.Direction) []PeerRules {
	peers, places := map[string]int{}, map[DrawnRule]int{}
	var byPeer [][]PeerRules
	for _, rule := range g.Rules {
		if rule.Direction != direction {
			continue
		}
		peer, known := peers[rule.PeerName]
		if !known {
			peer = len(byPeer)
			peers[rule.PeerName] = peer
			byPeer = append(byPeer, nil)
		}
		kind := DrawnRule{PeerName: rule.PeerName, Mark: rule.Mark, Unmanaged: rule.Unmanaged}
		place, known := places[kind]
		if !known {
			place = len(byPeer[peer])
			places[kind] = place
			byPeer[peer] = append(byPeer[peer], PeerRules{DrawnRule: rule})
		}
		byPeer[peer][place].Rules = append(byPeer[peer][place].Rules, rule.Rule)
	}
	return slices.Concat(byPeer...)
}

// Traffic returns the protocols and ports that the rules allow.
func (d PeerRules) Traffic() string { return chain.TrafficList(d.Rules) }

// Groups lists the groups of both states. Those that After lacks are last.
func (d Drawing) Groups() []DrawnGroup {
	identities := d.After.Identities()
	for _, identity := range d.Before.Identities() {
		if !d.After.Has(identity) {
			identities = append(identities, identity)
		}
	}
	names := namesOf(identities)
	groups := make([]DrawnGroup, 0, len(identities))
	for _, identity := range identities {
		group := DrawnGroup{Identity: identity, Name: names[identity], Rules: d.rules(identity, names)}
		switch {
		case !d.After.Has(identity) || slices.Contains(d.Retired, identity):
			group.Mark = Removed
		case !d.Before.Has(identity):
			group.Mark = Added
		}
		group.Title = d.title(group)
		groups = append(groups, group)
	}
	return groups
}

// namesOf names groups by their tiers. If a tier has two groups, the names are longer:
// then one group replaces the other, and the picture must tell their rules apart.
func namesOf(identities []chain.Identity) map[chain.Identity]string {
	tiers, taken, names := map[string]int{}, map[string]bool{}, map[chain.Identity]string{}
	for _, identity := range identities {
		tiers[identity.Tier]++
	}
	for _, identity := range identities {
		name := identity.Tier
		if tiers[identity.Tier] > 1 {
			name = identity.String()
		}
		// A group that gets another description keeps its name, so two names may be equal.
		for n, plain := 2, name; taken[name]; n++ {
			name = fmt.Sprintf("%s/%d", plain, n)
		}
		names[identity], taken[name] = name, true
	}
	return names
}

func (d Drawing) title(group DrawnGroup) string {
	words := []string{"[" + group.Name + "]"}
	if group.GroupName != "" && !strings.Contains(group.Name, "("+group.GroupName+")") {
		words = append(words, group.GroupName)
	}
	if id := d.IDs[group.Identity]; id != "" {
		words = append(words, id)
	}
	if notes := d.Notes[group.Identity]; len(notes) > 0 {
		words = append(words, "("+strings.Join(notes, "; ")+")")
	}
	return strings.Join(words, " ")
}

// rules lists the rules of a group in both states. Those that After lacks are last. It
// omits a rule for all of IPv6 if its twin for IPv4 has the same mark.
func (d Drawing) rules(identity chain.Identity, names map[chain.Identity]string) []DrawnRule {
	before, after := concrete(d.Before, identity), concrete(d.After, identity)
	was, _ := d.Before.Find(identity)
	is, _ := d.After.Find(identity)
	unmanaged, isBefore, isAfter := setOf(slices.Concat(was.Unmanaged, is.Unmanaged)), setOf(before), setOf(after)
	var rules []DrawnRule
	drawn := map[DrawnRule]bool{}
	for _, rule := range slices.Concat(after, before) {
		one := DrawnRule{Rule: rule, PeerName: peerName(rule.Peer, identity, names), Unmanaged: unmanaged[rule.Key()]}
		switch {
		case !isAfter[rule.Key()]:
			one.Mark = Removed
		case !isBefore[rule.Key()]:
			one.Mark = Added
		}
		same := one
		if same.Rule = rule.Key(); rule.Peer.Kind == chain.PeerGroup {
			same.PeerName = "" // which may contain the account or not
		}
		if !drawn[same] {
			drawn[same] = true
			rules = append(rules, one)
		}
	}
	return slices.DeleteFunc(rules, func(one DrawnRule) bool {
		one.Rule, one.Peer = one.Key(), twin(one.Peer)
		one.PeerName = peerName(one.Peer, identity, names)
		return one.Peer != chain.Peer{} && drawn[one]
	})
}

// concrete returns the rules of a group, with peer tiers replaced by their groups.
func concrete(state chain.State, identity chain.Identity) []chain.Rule {
	group, _ := state.Find(identity)
	var rules []chain.Rule
	for _, rule := range group.Rules {
		if rule.Peer.Kind == chain.PeerTier && state.HasTier(rule.Peer.Tier) {
			rules = append(rules, expander{present: state.Identities()}.rules([]chain.Rule{rule})...)
		} else {
			rules = append(rules, rule)
		}
	}
	return rules
}

// setOf returns the set of the rules' keys.
func setOf(rules []chain.Rule) map[chain.Rule]bool {
	all := make(map[chain.Rule]bool, len(rules))
	for _, rule := range rules {
		all[rule.Key()] = true
	}
	return all
}

// twin returns the IPv4 peer that corresponds to an IPv6 peer, or the zero Peer.
func twin(peer chain.Peer) chain.Peer {
	switch peer {
	case chain.CIDRPeer(chain.InternetV6):
		return chain.CIDRPeer(chain.InternetV4)
	case chain.Peer{Kind: chain.PeerVPC, ID: "ipv6"}:
		return chain.Peer{Kind: chain.PeerVPC, ID: "ipv4"}
	default:
		return chain.Peer{}
	}
}

func peerName(peer chain.Peer, self chain.Identity, names map[chain.Identity]string) string {
	switch {
	case peer.Kind == chain.PeerMember && peer.Member == self:
		return "itself"
	case peer.Kind == chain.PeerMember && names[peer.Member] != "":
		return names[peer.Member]
	case peer.Kind == chain.PeerMember:
		return peer.String()
	case twin(peer) != chain.Peer{}:
		return chain.PeerName(peer) + "-v6"
	default:
		return chain.PeerName(peer)
	}
}
