package chain

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// LookUps lists what must be looked up in EC2 before a state can be resolved. All lists are
// sorted.
type LookUps struct {
	VPCIDs    []string // of VPCs whose address ranges are needed
	ListIDs   []string // of prefix lists
	ListNames []string // of prefix lists
	GroupIDs  []string // of security groups that are not known to belong to another account
	// GroupNames are names of security groups. FormerNames are names of groups that may not
	// exist: a look-up does not wait for them.
	GroupNames, FormerNames []GroupName
}

// Empty reports whether no look-up is needed.
func (l LookUps) Empty() bool {
	return len(l.VPCIDs)+len(l.ListIDs)+len(l.ListNames)+len(l.GroupIDs)+len(l.GroupNames)+len(l.FormerNames) == 0
}

// Wanted lists the look-ups for the peers of some states. In names, {region} stands for the
// Region. Wanted leaves out a group with another account before it. EC2 shows such a group only
// if it is shared, so that an empty answer would mean nothing. Besides, the account that a rule
// needs is known already.
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

// accounts returns the other accounts that authors wrote before groups, by group ID.
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
	// Weight is the list's maximum number of entries, or 0 if it is unknown. A rule that names
	// the list counts as so many rules (VPC user guide, "Security group rules", "Security group
	// size").
	Weight int
}

// Found is the result of look-ups.
type Found struct {
	Account string // the function's own
	Region  string
	VPCs    map[string][]netip.Prefix // ranges by VPC ID, without VPCs that do not exist
	Lists   []PrefixList
	// Missing has the groups that were looked up and do not exist.
	Missing map[string]bool
	// Owners has the accounts of the groups that EC2 showed, by group ID.
	Owners map[string]string
	// Named has the IDs of the groups, sorted, that have a name which was looked up.
	Named map[GroupName][]string
}

// With combines the results of two look-ups, each of which may have failed in part. The later
// result takes precedence.
func (f Found) With(later Found) Found {
	both := Found{Account: later.Account, Region: later.Region, VPCs: map[string][]netip.Prefix{}, Owners: map[string]string{}, Missing: f.Missing, Named: map[GroupName][]string{}}
	for _, one := range []Found{f, later} {
		maps.Copy(both.VPCs, one.VPCs)
		maps.Copy(both.Owners, one.Owners)
		maps.Copy(both.Named, one.Named)
	}
	both.Lists = slices.Clone(later.Lists)
	for _, list := range f.Lists {
		if _, isKnown := later.List(list.ID); !isKnown {
			both.Lists = append(both.Lists, list)
		}
	}
	if later.Missing != nil {
		both.Missing = later.Missing
	}
	return both
}

// List returns the prefix list of an ID.
func (f Found) List(id string) (PrefixList, bool) {
	place := slices.IndexFunc(f.Lists, func(list PrefixList) bool { return list.ID == id })
	if place < 0 {
		return PrefixList{}, false
	}
	return f.Lists[place], true
}

// UnknownPeerError is returned for an ambiguous name, and for a peer that does not exist in the
// account. Such a peer is a prefix list, a security group, or the VPC that the word vpc stands for.
type UnknownPeerError struct {
	Tier, Peer string
	Kind       PeerKind
	VPCID      string
	// HaveName has the IDs of all groups or prefix lists with the peer's name.
	HaveName []string
}

func (e *UnknownPeerError) Error() string {
	cause := "this account and Region have no such prefix list"
	switch {
	case len(e.HaveName) > 0:
		cause = "several have this name: " + strings.Join(e.HaveName, ", ")
	case e.Kind == PeerGroupName:
		cause = "VPC " + e.VPCID + " has no security group of this name"
	case e.Kind == PeerVPC:
		cause = "this account and Region have no such VPC"
	case e.Kind == PeerGroup:
		cause = "this account and Region have no such security group"
	}
	return fmt.Sprintf("looking up peer (%s) of tier %s: %s", e.Peer, e.Tier, cause)
}

// Remedy tells what to change.
func (e *UnknownPeerError) Remedy() string {
	const unchanged = "Nothing was changed. "
	if len(e.HaveName) > 0 {
		return unchanged + "Write the ID of the intended one instead of the name."
	}
	switch e.Kind {
	case PeerGroupName:
		return unchanged + "Use the name of a security group in this VPC (letter case counts), the ID of one in another VPC, or remove the peer."
	case PeerVPC:
		return unchanged + "Set VpcId to a VPC of this account and Region."
	case PeerGroup:
		return unchanged + "Use an existing security group, write the account before a group of another account, or remove the peer."
	default:
		return unchanged + "Use an existing prefix list (aws ec2 describe-managed-prefix-lists), or remove the peer."
	}
}

// Resolve replaces the word vpc by the VPC's ranges, and names of prefix lists and groups by their
// IDs. A group of another account gets the account that EC2 showed, or else the account that the
// author wrote.
//
// The errors are of type [*UnknownPeerError], one for each unknown peer. The state is returned
// without the rules of unknown peers that have no ID.
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

// unknown returns the error for a peer.
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

// peers returns what a peer stands for. The result is false if the peer is unknown.
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
		return peers, known // even without ranges: the VPC may lack IPv6
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

// owned returns the peer of a group with the group's account, if that is another account.
func (f Found) owned(peer Peer, written map[string]string) Peer {
	if peer.Account = cmp.Or(f.Owners[peer.ID], written[peer.ID]); peer.Account == f.Account {
		peer.Account = ""
	}
	return peer
}
