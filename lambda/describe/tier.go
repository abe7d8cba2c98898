package describe

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sgchain/lambda/chain"
)

// Tier is a tier of a chain that describes a group.
type Tier struct {
	GroupID string
	// Name is the tier's name. GroupName and Description are the group's. Description is empty if it is the chain's own, or if it cannot be
	// written.
	Name, GroupName, Description string
	// Ports and Sources are the short form; Sources is empty for the default. Ingress is the long form.
	Ports, Sources []string
	Ingress        []Entry
	// Egress lists the words all, chain and none, EgressTo other destinations.
	Egress      []string
	EgressTo    []Entry
	AllowPublic bool
}

// drafter writes the tiers of one chain.
type drafter struct {
	*oracle

	found      chain.Found
	ipv6       bool
	groups     []Group           // the future tiers, in order
	names      map[string]string // of the tiers, by the groups' IDs
	places     map[string]int    // of the tiers, by the groups' IDs
	lists      map[string][]string
	references map[string][]reference // the inbound rules of tiers that name a group, by its ID
}

// reference is an inbound rule of a tier that names another one.
type reference struct {
	group Group
	rule  chain.Rule
}

func newDrafter(oracle *oracle, groups []Group, names map[string]string, found chain.Found, ipv6 bool) *drafter {
	d := &drafter{oracle: oracle, found: found, ipv6: ipv6, groups: groups, names: names, places: map[string]int{}, lists: map[string][]string{}, references: map[string][]reference{}}
	for place, group := range groups {
		d.places[group.ID] = place
		for _, rule := range group.Rules {
			if rule.Peer.Kind == chain.PeerGroup && rule.Direction == chain.Ingress {
				d.references[rule.Peer.ID] = append(d.references[rule.Peer.ID], reference{group, rule})
			}
		}
	}
	for _, list := range found.Lists {
		d.lists[list.Name] = append(d.lists[list.Name], list.ID)
	}
	return d
}

// tiers writes all the tiers.
func (d *drafter) tiers() []Tier {
	tiers := make([]Tier, 0, len(d.groups))
	for place, group := range d.groups {
		tier := Tier{GroupID: group.ID, Name: d.names[group.ID], GroupName: group.Name}
		if text := descriptionOf(group); text != descriptionHead+tier.Name {
			tier.Description = text
		}
		d.inbound(&tier, place, group)
		d.outbound(&tier, group)
		tiers = append(tiers, tier)
	}
	return tiers
}

// inbound writes the inbound rules, in the short form if one pair of lists is enough.
func (d *drafter) inbound(tier *Tier, place int, group Group) {
	entries := entriesOf(d.lanes(group, inDirection(group.Rules, chain.Ingress)))
	switch {
	case len(entries) == 0:
	case len(entries) == 1 && entries[0].Description == "":
		tier.Ports, tier.Sources = entries[0].Ports, entries[0].Peers
		previous := "internet"
		if place > 0 {
			previous = d.names[d.groups[place-1].ID]
		}
		if slices.Equal(tier.Sources, []string{previous}) {
			tier.Sources = nil
		}
	default:
		tier.Ingress = entries
	}
}

// outbound writes the outbound rules, with words that cover several of them if that is shorter.
func (d *drafter) outbound(tier *Tier, group Group) {
	rules := inDirection(group.Rules, chain.Egress)
	if len(rules) == 0 {
		tier.Egress = []string{"none"}
		return
	}
	all, chained := d.everywhere(group, rules), d.chained(group, rules)
	shortest := -1
	for _, covered := range []struct {
		words []string
		rules []chain.Rule
	}{{[]string{"all"}, all}, {[]string{"chain"}, chained}, {[]string{"all", "chain"}, slices.Concat(all, chained)}, {nil, nil}} {
		if slices.Contains(covered.words, "all") && len(all) == 0 || slices.Contains(covered.words, "chain") && len(chained) == 0 {
			continue
		}
		rest := slices.DeleteFunc(slices.Clone(rules), func(rule chain.Rule) bool {
			return slices.ContainsFunc(covered.rules, func(other chain.Rule) bool { return other.Key() == rule.Key() })
		})
		if slices.Contains(covered.words, "all") && d.isIdle(covered.words, rest) {
			continue
		}
		entries := entriesOf(d.lanes(group, rest))
		if size := len(covered.words) + length(entries); shortest < 0 || size < shortest {
			shortest, tier.Egress, tier.EgressTo = size, covered.words, entries
		}
	}
}

// isIdle reports whether the word all covers another destination: the CDK construct refuses that.
func (d *drafter) isIdle(words []string, rest []chain.Rule) bool {
	return (d.ipv6 && len(words) > 1) || slices.ContainsFunc(rest, func(rule chain.Rule) bool {
		return d.ipv6 || (rule.Peer.Kind == chain.PeerCIDR && rule.Peer.CIDR.Addr().Is4())
	})
}

// everywhere returns the outbound rules of a group that the word all covers, or none if it would mean something else.
func (d *drafter) everywhere(group Group, rules []chain.Rule) []chain.Rule {
	wanted := []chain.Rule{chain.AllTrafficV4()}
	if d.ipv6 {
		wanted = append(wanted, chain.AllTrafficV6())
	}
	var all []chain.Rule
	for _, rule := range rules {
		own := d.names[group.ID] + " to anywhere: " + chain.Traffic(rule.Protocol, rule.Ports)
		if slices.Contains(wanted, rule.Key()) && (rule.Description == "" || rule.Description == own) {
			all = append(all, rule)
		}
	}
	if len(all) < len(wanted) {
		return nil
	}
	return all
}

// chained returns the outbound rules of a group that the word chain covers: those for inbound rules of other tiers.
func (d *drafter) chained(group Group, rules []chain.Rule) []chain.Rule {
	there := map[chain.Rule]chain.Rule{}
	for _, rule := range rules {
		there[rule.Key()] = rule
	}
	var all []chain.Rule
	for _, reference := range d.references[group.ID] {
		head := d.names[group.ID] + " to " + d.names[reference.group.ID]
		description := cmp.Or(d.kept(reference.rule, head), head+": "+chain.Traffic(reference.rule.Protocol, reference.rule.Ports))
		wanted := reference.rule
		wanted.Direction, wanted.Peer = chain.Egress, chain.GroupPeer(reference.group.ID)
		rule, isThere := there[wanted.Key()]
		if !isThere || (rule.Description != "" && rule.Description != description) {
			return nil
		}
		all = append(all, rule)
	}
	return all
}

func inDirection(rules []chain.Rule, direction chain.Direction) []chain.Rule {
	return slices.DeleteFunc(slices.Clone(rules), func(rule chain.Rule) bool { return rule.Direction != direction })
}

// kept returns what must be written to keep the description of a rule; see [lane]. Head begins the chain's own description.
func (d *drafter) kept(rule chain.Rule, head string) string {
	if rule.Description == head+": "+chain.Traffic(rule.Protocol, rule.Ports) {
		return ""
	}
	return d.writable(rule)
}

// lanes writes rules of one direction of a group, one lane for each unless a word covers several.
func (d *drafter) lanes(group Group, rules []chain.Rule) []lane {
	var lanes []lane
	for _, alike := range byTraffic(rules) {
		lanes = append(lanes, d.laneOf(group, alike)...)
	}
	return lanes
}

// byTraffic groups rules by protocol and ports, sorted.
func byTraffic(rules []chain.Rule) [][]chain.Rule {
	var all [][]chain.Rule
	for _, rule := range chain.Sorted(rules, chain.CompareRules) {
		if last := len(all) - 1; last >= 0 && all[last][0].Protocol == rule.Protocol && all[last][0].Ports == rule.Ports {
			all[last] = append(all[last], rule)
			continue
		}
		all = append(all, []chain.Rule{rule})
	}
	return all
}

// laneOf writes rules of the same protocol and ports.
func (d *drafter) laneOf(group Group, rules []chain.Rule) []lane {
	var lanes []lane
	add := func(rule chain.Rule, word word) {
		lanes = append(lanes, lane{port: portOf(rule), ports: rule, word: word, description: d.kept(rule, d.head(group, rule.Direction, word.name))})
	}
	for _, word := range []word{{text: "internet", rank: rankWorld, name: "internet"}, {text: "vpc", rank: rankVPC, name: "vpc"}} {
		covered := d.coveredBy(group, rules, word)
		if len(covered) == 0 {
			continue
		}
		add(covered[0], word)
		rules = slices.DeleteFunc(slices.Clone(rules), func(rule chain.Rule) bool { return slices.Contains(covered, rule) })
	}
	for _, rule := range rules {
		words := d.words(group, rule.Peer)
		best := words[0]
		for _, other := range words[1:] {
			if d.kept(rule, d.head(group, rule.Direction, best.name)) != "" && d.kept(rule, d.head(group, rule.Direction, other.name)) == "" {
				best = other
			}
		}
		add(rule, best)
	}
	return lanes
}

// head returns the beginning of the chain's description of a rule.
func (d *drafter) head(group Group, direction chain.Direction, name string) string {
	if direction == chain.Egress {
		return d.names[group.ID] + " to " + name
	}
	return name + " to " + d.names[group.ID]
}

// coveredBy returns those of the rules, all of the same traffic, that the word internet or vpc covers. It returns none if the word would mean
// something else, or if it would lose a description.
func (d *drafter) coveredBy(group Group, rules []chain.Rule, word word) []chain.Rule {
	if len(rules) == 0 {
		return nil
	}
	ranges := []netip.Prefix{chain.InternetV4, chain.InternetV6}
	if word.rank == rankVPC {
		ranges = d.found.VPCs[group.VPCID]
	}
	var covered []chain.Rule
	asked := 0
	for _, prefix := range ranges {
		isV6 := prefix.Addr().Is6()
		switch protocol := rules[0].Protocol; {
		case isV6 && (!d.ipv6 || protocol == chain.ICMP), !isV6 && protocol == chain.ICMPv6:
			continue
		}
		asked++
		for _, rule := range rules {
			if rule.Peer == chain.CIDRPeer(prefix) {
				covered = append(covered, rule)
			}
		}
	}
	if len(covered) < asked {
		return nil
	}
	for _, rule := range covered {
		description := d.kept(rule, d.head(group, rule.Direction, word.name))
		ownWord := d.kept(rule, d.head(group, rule.Direction, rule.Peer.String()))
		if description != d.kept(covered[0], d.head(group, rule.Direction, word.name)) || (word.rank == rankVPC && description != "" && ownWord == "") {
			return nil
		}
	}
	return covered
}

// words lists the words for a peer, the best one first.
func (d *drafter) words(group Group, peer chain.Peer) []word {
	one := func(text string, rank int, name string) []word { return []word{{text, rank, peer, name}} }
	switch peer.Kind {
	case chain.PeerGroup:
		place, isTier := d.places[peer.ID]
		switch {
		case peer.ID == group.ID:
			return one("self", rankSelf, d.names[peer.ID])
		case isTier:
			return one(d.names[peer.ID], rankTier+place, d.names[peer.ID])
		default:
			return one(peer.String(), rankGroup, peer.String())
		}
	case chain.PeerPrefixList:
		byID := one(peer.ID, rankList, peer.ID)
		list, _ := d.found.List(peer.ID)
		if len(d.lists[list.Name]) != 1 || !d.isListName(list.Name) {
			return byID
		}
		words := one(list.Name, rankList, list.Name)
		if general := strings.ReplaceAll(list.Name, "."+d.found.Region+".", ".{region}."); general != list.Name {
			words = append(words, one(general, rankList, general)...)
		}
		return append(words, byID...)
	default:
		switch peer.CIDR {
		case chain.InternetV4:
			if d.ipv6 {
				return one("internet-v4", rankWorldV4, "internet")
			}
			return one("internet", rankWorld, "internet")
		case chain.InternetV6:
			return one("internet-v6", rankWorldV6, "internet")
		}
		return one(peer.String(), rankRange, peer.String())
	}
}

// unwritable returns why a rule of a group cannot be written, or "".
func (d *drafter) unwritable(group Group, rule chain.Rule) string {
	text := d.words(group, rule.Peer)[0].text
	peer := text
	if rule.Peer.Kind == chain.PeerGroup {
		peer = someGroup
		if d.found.Missing[rule.Peer.ID] && rule.Peer.Account == "" {
			return fmt.Sprintf("%s no longer exists in this account and Region, so the provider would refuse it. Revoke the rule", rule.Peer.ID)
		}
	}
	if rule.Peer.Kind == chain.PeerPrefixList {
		peer = "pl-0"
		if _, isThere := d.found.List(rule.Peer.ID); !isThere {
			return fmt.Sprintf("this account cannot see prefix list %s, so the provider would refuse it. Revoke the rule", rule.Peer.ID)
		}
	}
	read := d.rule(portOf(rule), peer)
	if rule.Peer.Kind != chain.PeerCIDR {
		rule.Peer = read.Peer
	}
	if read.Protocol != rule.Protocol || read.Ports != rule.Ports || read.Peer != rule.Peer {
		return "a chain cannot express these ports or this peer"
	}
	return ""
}
