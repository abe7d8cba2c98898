package chain

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// LookUps is what has to be asked for before a state can be resolved.
type LookUps struct {
	VPCIDs    []string // whose ranges are wanted, sorted
	ListIDs   []string // prefix lists named by ID, sorted
	ListNames []string // prefix lists named by name, sorted
	GroupIDs  []string // security groups whose account nobody wrote, or the own one, sorted
	// GroupNames are security groups named by name, sorted. FormerNames are others that need not be there: a
	// look-up does not wait for them.
	GroupNames, FormerNames []GroupName
}

// Empty says whether nothing has to be asked for.
func (l LookUps) Empty() bool {
	return len(l.VPCIDs)+len(l.ListIDs)+len(l.ListNames)+len(l.GroupIDs)+len(l.GroupNames)+len(l.FormerNames) == 0
}

// Wanted lists what the rules of states name and only EC2 knows. Names are taken as
// they are in a Region: {region} stands for it. A group is not asked for where the author
// wrote another account: EC2 shows such a group only where it is shared, so that an empty
// answer would say nothing, and the account that a rule needs is known.
func Wanted(region, account string, states ...State) LookUps {
	vpcs, ids, names, groups := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	groupNames := map[GroupName]bool{}
	written := accounts(account, states...)
	for _, state := range states {
		for _, group := range state.Groups {
			for _, rule := range group.Rules {
				switch rule.Peer.Kind {
				case PeerVPC:
					vpcs[group.VPCID] = true
				case PeerPrefixList:
					ids[rule.Peer.ID] = true
				case PeerListName:
					names[listName(rule.Peer.ID, region)] = true
				case PeerGroup:
					if written[rule.Peer.ID] == "" {
						groups[rule.Peer.ID] = true
					}
				case PeerGroupName:
					groupNames[groupName(group.VPCID, rule.Peer)] = true
				case PeerCIDR, PeerTier, PeerMember:
				}
			}
		}
	}
	sorted := func(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }
	var byName []GroupName
	for name := range groupNames {
		byName = append(byName, name)
	}
	Sort(byName, CompareGroupNames)
	return LookUps{
		VPCIDs: sorted(vpcs), ListIDs: sorted(ids), ListNames: sorted(names), GroupIDs: sorted(groups),
		GroupNames: byName,
	}
}

// accounts is the other accounts that authors wrote before groups, by group ID.
func accounts(own string, states ...State) map[string]string {
	written := map[string]string{}
	for _, state := range states {
		for _, group := range state.Groups {
			for _, rule := range group.Rules {
				if peer := rule.Peer; peer.Kind == PeerGroup && peer.Account != "" && peer.Account != own {
					written[peer.ID] = peer.Account
				}
			}
		}
	}
	return written
}

// PrefixList is a managed prefix list.
type PrefixList struct {
	ID   string
	Name string
	IPv6 bool
	// Weight is how many rules a rule that names the list counts as, against the quota
	// of its group: the list's maximum number of entries (VPC user guide, "Security
	// group rules", "Security group size"); 0 where it is not known.
	Weight int
}

// Found is what was asked for.
type Found struct {
	Account string // the function's own
	Region  string
	VPCs    map[string][]netip.Prefix // ranges by VPC ID; one that is not there is missing
	Lists   []PrefixList
	// Missing is the groups that were asked for and are not there.
	Missing map[string]bool
	// Owners is whose groups are that EC2 showed, by group ID.
	Owners map[string]string
	// Named is the IDs of the groups, sorted, that have a name which was asked for.
	Named map[GroupName][]string
}

// With is what two look-ups found, of which either may have failed in part. What the later
// one says counts.
func (f Found) With(later Found) Found {
	both := Found{Account: later.Account, Region: later.Region, VPCs: map[string][]netip.Prefix{}, Owners: map[string]string{}, Missing: f.Missing, Named: map[GroupName][]string{}}
	for _, one := range []Found{f, later} {
		maps.Copy(both.VPCs, one.VPCs)
		maps.Copy(both.Owners, one.Owners)
		maps.Copy(both.Named, one.Named)
	}
	both.Lists = slices.Clone(later.Lists)
	for _, list := range f.Lists {
		if _, isThere := later.List(list.ID); !isThere {
			both.Lists = append(both.Lists, list)
		}
	}
	if later.Missing != nil {
		both.Missing = later.Missing
	}
	return both
}

// List is the prefix list of an ID.
func (f Found) List(id string) (PrefixList, bool) {
	place := slices.IndexFunc(f.Lists, func(list PrefixList) bool { return list.ID == id })
	if place < 0 {
		return PrefixList{}, false
	}
	return f.Lists[place], true
}

// UnknownPeerError is a peer that the account does not have: a prefix list, a security
// group, or the VPC whose ranges are meant. A name that several have is unknown, too.
type UnknownPeerError struct {
	Tier, Peer string
	Kind       PeerKind
	VPCID      string
	// HaveName are the IDs of what has the name, where the peer is named by one.
	HaveName []string
}

func (e *UnknownPeerError) Error() string {
	cause := "there is none in this account and Region"
	switch {
	case len(e.HaveName) > 0:
		cause = "several have this name: " + strings.Join(e.HaveName, ", ")
	case e.Kind == PeerGroupName:
		cause = "there is no security group of this name in VPC " + e.VPCID
	}
	return fmt.Sprintf("looking up peer (%s) of tier %s: %s", e.Peer, e.Tier, cause)
}

// Remedy is one sentence of what to do.
func (e *UnknownPeerError) Remedy() string {
	if len(e.HaveName) > 0 {
		return "Nothing was changed; write the ID of the one that is meant in the place of its name."
	}
	switch e.Kind {
	case PeerGroupName:
		return "Nothing was changed; write the name of a security group of this VPC, in its letter case, or the ID of a group of another VPC, or leave the peer out."
	case PeerVPC:
		return "Nothing was changed; set VpcId to a VPC of this account and Region."
	case PeerGroup:
		return "Nothing was changed; name a security group that is there, write the account before one of another account, or leave the peer out."
	default:
		return "Nothing was changed; name a prefix list that is there (aws ec2 describe-managed-prefix-lists), or leave the peer out."
	}
}

// Resolve replaces what only EC2 knows: the word vpc by the VPC's ranges, names of
// prefix lists by their IDs. A group gets the account that EC2 showed, or else the one that
// the author wrote; one of the own account gets none. The errors are of type [*UnknownPeerError], one for each peer that was
// not found; the state comes back without these.
func (s State) Resolve(found Found) (State, []error) {
	var problems []error
	resolved := State{Groups: slices.Clone(s.Groups)}
	written := accounts(found.Account, s)
	for i, group := range resolved.Groups {
		var rules []Rule
		for _, rule := range group.Rules {
			peers, known := found.peers(group.VPCID, rule.Peer, written)
			if !known {
				unknown := found.unknown(group, rule.Peer)
				if !slices.ContainsFunc(problems, func(other error) bool { return other.Error() == unknown.Error() }) {
					problems = append(problems, unknown)
				}
			}
			for _, peer := range peers {
				rule.Peer = peer
				rules = append(rules, rule)
			}
		}
		resolved.Groups[i].Rules = rules
	}
	return resolved.Normalize(), problems
}

// unknown describes a peer that is not there.
func (f Found) unknown(group Group, peer Peer) *UnknownPeerError {
	unknown := &UnknownPeerError{Tier: group.Tier, Peer: peer.ID, Kind: peer.Kind, VPCID: group.VPCID, HaveName: f.HaveName(group.VPCID, peer)}
	switch {
	case peer.Kind == PeerVPC:
		unknown.Peer = group.VPCID
	case peer.Kind == PeerListName && !strings.HasPrefix(peer.ID, listPrefix):
		unknown.Peer = listName(peer.ID, f.Region)
	}
	return unknown
}

// peers is what a peer stands for; false where it is unknown.
func (f Found) peers(vpcID string, peer Peer, written map[string]string) ([]Peer, bool) {
	switch peer.Kind {
	case PeerVPC:
		var peers []Peer
		for _, prefix := range f.VPCs[vpcID] {
			if prefix.Addr().Is6() == (peer.ID == familyV6) {
				peers = append(peers, CIDRPeer(prefix))
			}
		}
		_, known := f.VPCs[vpcID]
		return peers, known // and need not have IPv6
	case PeerPrefixList:
		_, known := f.List(peer.ID)
		return []Peer{peer}, known
	case PeerListName, PeerGroupName:
		ids := f.HaveName(vpcID, peer)
		if len(ids) != 1 {
			return nil, false
		}
		if peer.Kind == PeerListName {
			return []Peer{{Kind: PeerPrefixList, ID: ids[0]}}, true
		}
		return []Peer{f.owned(Peer{Kind: PeerGroup, ID: ids[0]}, written)}, true
	case PeerGroup:
		return []Peer{f.owned(peer, written)}, !f.Missing[peer.ID] || written[peer.ID] != ""
	case PeerCIDR, PeerTier, PeerMember:
	}
	return []Peer{peer}, true
}

// owned returns the peer of a group with the account that it belongs to, if that is another one.
func (f Found) owned(peer Peer, written map[string]string) Peer {
	if peer.Account = cmp.Or(f.Owners[peer.ID], written[peer.ID]); peer.Account == f.Account {
		peer.Account = ""
	}
	return peer
}
