package chain

import "slices"

// StaleRules finds the current rules for desired rules whose peers found does not have. It returns
// them by group, and as missing the desired rules for which no current rule exists.
//
// A rule may still name a peer that EC2 no longer shows (VPC peering guide, "Identify and resolve
// stale security group rules"). Such a rule stands for the author's rule if traffic and peer are
// the same. The word vpc and names can then no longer be turned into ranges and IDs. For them,
// the description tells which rules came from the author's rule.
func (s State) StaleRules(found Found, current State) (standing State, missing []Group) {
	written := accounts(found.Account, s)
	for _, group := range s.Groups {
		existing, _ := current.Find(group.Identity)
		var rules []Rule
		for _, rule := range group.Rules {
			if _, known := found.peers(group.VPCID, rule.Peer, written); known {
				continue
			}
			stale := slices.DeleteFunc(slices.Clone(existing.Rules), func(other Rule) bool { return !rule.becameStale(other) })
			if rules = append(rules, stale...); len(stale) == 0 {
				missing = append(missing, Group{Identity: group.Identity, Rules: []Rule{rule}})
			}
		}
		if len(rules) > 0 {
			standing.Groups = append(standing.Groups, Group{Identity: group.Identity, Rules: rules})
		}
	}
	return standing, missing
}

// RulesForTraffic returns the rules of the state that current groups have and that allow some of the
// traffic of missing rules, by group. The peer of a missing rule is unknown, so it may include
// the peer of any such rule.
func (s State) RulesForTraffic(missing []Group, current State) State {
	var kept State
	for _, group := range s.Groups {
		existing, _ := current.Find(group.Identity)
		isKept := func(rule Rule) bool {
			return slices.ContainsFunc(existing.Rules, rule.matches) &&
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

// matches reports whether a rule of EC2 is the same rule, or the same rule for one member of the
// tier that is its peer.
func (r Rule) matches(other Rule) bool {
	if r.Peer.Kind == PeerTier && other.Peer.Kind == PeerMember && other.Peer.Member.Tier == r.Peer.Tier {
		other.Peer = r.Peer
	}
	return other.Key() == r.Key()
}

// becameStale reports whether a rule of EC2 came from this rule, whose peer is unknown now.
func (r Rule) becameStale(other Rule) bool {
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

// With returns the state with the rules of another state added to its groups.
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

// WithMembers returns the state with members as peers instead of their group IDs.
func (s State) WithMembers(groupIDs map[Identity]string) State {
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
