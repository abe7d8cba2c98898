package chain

import "slices"

// Standing returns the rules that groups have in place of those whose peers found does not
// know, by group, and as missing the rules that no group has. A peer that EC2 does not show
// any more may still be named by a rule (VPC peering guide, "Identify and resolve stale
// security group rules"); such a rule stands for the one that the author wrote where traffic and
// peer are the same. The word vpc and names cannot be turned into ranges and IDs any
// more: there the description tells which rules were made of them.
func (s State) Standing(found Found, current State) (standing State, missing []Group) {
	written := accounts(found.Account, s)
	for _, group := range s.Groups {
		was, _ := current.Find(group.Identity)
		var rules []Rule
		for _, rule := range group.Rules {
			if _, known := found.peers(group.VPCID, rule.Peer, written); known {
				continue
			}
			there := slices.DeleteFunc(slices.Clone(was.Rules), func(other Rule) bool { return !rule.standsAs(other) })
			if rules = append(rules, there...); len(there) == 0 {
				missing = append(missing, Group{Identity: group.Identity, Rules: []Rule{rule}})
			}
		}
		if len(rules) > 0 {
			standing.Groups = append(standing.Groups, Group{Identity: group.Identity, Rules: rules})
		}
	}
	return standing, missing
}

// InPlaceOf returns the rules of the state that current groups have and that let pass some of the traffic of missing rules, by group. What
// the peer of a missing rule is nobody could say, so that the peer of any such rule may be a part of it.
func (s State) InPlaceOf(missing []Group, current State) State {
	var kept State
	for _, group := range s.Groups {
		there, _ := current.Find(group.Identity)
		isKept := func(rule Rule) bool {
			return slices.ContainsFunc(there.Rules, rule.isThere) &&
				slices.ContainsFunc(missing, func(one Group) bool {
					lacks := one.Rules[0]
					return one.Identity == group.Identity && lacks.Direction == rule.Direction && covers(rule, lacks.Protocol, lacks.Ports)
				})
		}
		rules := slices.DeleteFunc(slices.Clone(group.Rules), func(rule Rule) bool { return !isKept(rule) })
		if len(rules) > 0 {
			kept.Groups = append(kept.Groups, Group{Identity: group.Identity, Rules: rules})
		}
	}
	return kept
}

// isThere reports whether a rule of EC2 is the rule, or that for one member of the tier that it names.
func (r Rule) isThere(other Rule) bool {
	if r.Peer.Kind == PeerTier && other.Peer.Kind == PeerMember && other.Peer.Member.Tier == r.Peer.Tier {
		other.Peer = r.Peer
	}
	return other.Key() == r.Key()
}

// standsAs reports whether a rule of EC2 is what a rule with an unknown peer has become.
func (r Rule) standsAs(other Rule) bool {
	if r.Direction != other.Direction || r.Protocol != other.Protocol || r.Ports != other.Ports {
		return false
	}
	switch r.Peer.Kind {
	case PeerVPC:
		isV6 := other.Peer.CIDR.Addr().Is6()
		return other.Peer.Kind == PeerCIDR && isV6 == (r.Peer.ID == familyV6) && r.Description == other.Description
	case PeerListName:
		return other.Peer.Kind == PeerPrefixList && r.Description == other.Description
	case PeerGroupName:
		return other.Peer.Kind == PeerGroup && r.Description == other.Description
	default:
		return r.Key().Peer == other.Key().Peer
	}
}

// With returns the state with the rules of another one added to its groups.
func (s State) With(more State) State {
	if len(more.Groups) == 0 {
		return s
	}
	groups := slices.Clone(s.Groups)
	for i, group := range groups {
		if added, found := more.Find(group.Identity); found {
			groups[i].Rules = slices.Concat(added.Rules, group.Rules)
		}
	}
	return State{Groups: groups}.Normalize()
}

// Owning returns the state with members in the place of peers that name them by their IDs.
func (s State) Owning(groupIDs map[Identity]string) State {
	members := make(map[string]Identity, len(groupIDs))
	for identity, id := range groupIDs {
		members[id] = identity
	}
	groups := slices.Clone(s.Groups)
	for i, group := range groups {
		groups[i].Rules = slices.Clone(group.Rules)
		for j, rule := range group.Rules {
			if member, isOwn := members[rule.Peer.ID]; isOwn && rule.Peer.Kind == PeerGroup {
				groups[i].Rules[j].Peer = MemberPeer(member)
			}
		}
	}
	return State{Groups: groups}.Normalize()
}
