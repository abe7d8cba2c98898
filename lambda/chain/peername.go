package chain

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"unicode/utf8"
)

// The prefixes of peers that are named by their names instead of their IDs.
const (
	groupPrefix = "group/"
	listPrefix  = "list/"
)

var (
	// listText matches the names of prefix lists that can be used here. EC2 documents no limits
	// on their characters. A backslash would need escaping in a filter, and no name has control
	// characters.
	listText = lazily(`^[^\x5c\x00-\x1f\x7f-\x9f]+$`)
	listID   = lazily(`^pl-[0-9a-f]+$`)
)

// namedPeer splits group/NAME and list/NAME, and keeps the letter case of names.
func namedPeer(text string) (kind PeerKind, name string, isNamed bool) {
	before, name, _ := strings.Cut(text, "/")
	switch strings.ToLower(before) + "/" {
	case groupPrefix:
		return PeerGroupName, strings.TrimSpace(name), true
	case listPrefix:
		return PeerListName, strings.TrimSpace(name), true
	default:
		return 0, "", false
	}
}

// named reads a peer in the form group/NAME or list/NAME.
func (r *reader) named(path, text string, kind PeerKind, name string) []source {
	prefix, what, isID := groupPrefix, "security group", strings.HasPrefix(strings.ToLower(name), "sg-")
	if kind == PeerListName {
		prefix, what, isID = listPrefix, "prefix list", listID().MatchString(strings.ToLower(name))
	}
	switch {
	case name == "":
		r.problem(path, "%s lacks the name of a %s. Write %sNAME.", quoted(text), what, prefix)
	case isID:
		r.problem(path, "%s has an ID instead of a name. Write %s.", quoted(text), quoted(strings.ToLower(name)))
	case utf8.RuneCountInString(name) > maxText:
		r.problem(path, "has a name of %d characters. Use at most %d.", utf8.RuneCountInString(name), maxText)
	case kind == PeerGroupName && !ec2Text().MatchString(name):
		r.problem(path, "%s has characters that no security group's name can have. Use letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*.", quoted(text))
	case kind == PeerListName && !listText().MatchString(name):
		r.problem(path, "%s has a backslash or a control character. Write the ID of this prefix list (pl-...).", quoted(text))
	default:
		return []source{{Peer{Kind: kind, ID: prefix + name}, inDescription(prefix + name)}}
	}
	return nil
}

// inDescription returns a named peer in the form for descriptions of rules, in which EC2 allows
// fewer characters than in names. Part of a hash then tells two names apart: a rule whose peer
// can no longer be looked up is recognized by its description.
func inDescription(text string) string {
	if len(text) <= maxPeer && pairText().MatchString(text) {
		return text
	}
	plain := strings.Map(func(r rune) rune {
		if pairText().MatchString(string(r)) {
			return r
		}
		return '_'
	}, text)
	hash := sha256.Sum256([]byte(text))
	const hashed = 8
	return plain[:min(len(plain), maxPeer-hashed-len(" #"))] + " #" + hex.EncodeToString(hash[:])[:hashed]
}

// notOwnNames refuses peers that name a group of the chain itself by its GroupName.
func (r *reader) notOwnNames(tiers []Tier) {
	for i, tier := range tiers {
		for _, rule := range slices.Concat(tier.Ingress, tier.Egress.Rules) {
			if rule.Peer.Kind != PeerGroupName {
				continue
			}
			isNamed := func(other Tier) bool {
				return other.GroupName != "" && strings.EqualFold(groupPrefix+other.GroupName, rule.Peer.ID)
			}
			if place := slices.IndexFunc(tiers, isNamed); place >= 0 {
				r.problem(index("Tiers", i), "has the peer %s, which is the group of tier %s of this chain. Write %s instead.", quoted(rule.Peer.ID), tiers[place].Name, tiers[place].Name)
			}
		}
	}
}

// GroupName is the name of a security group in a VPC.
type GroupName struct{ VPCID, Name string }

// CompareGroupNames orders names of groups.
func CompareGroupNames(a, b GroupName) int {
	return cmp.Or(strings.Compare(a.VPCID, b.VPCID), strings.Compare(a.Name, b.Name))
}

// groupName returns the name of a peer in a VPC.
func groupName(vpcID string, peer Peer) GroupName {
	return GroupName{VPCID: vpcID, Name: strings.TrimPrefix(peer.ID, groupPrefix)}
}

// listName returns the name of a peer that is a prefix list, with the Region instead of {region}.
func listName(text, region string) string {
	return strings.ReplaceAll(strings.TrimPrefix(text, listPrefix), "{region}", region)
}

// HaveName returns the sorted IDs of all security groups in a VPC, or of all prefix lists, that
// have the name of a peer. It returns nil for a peer without a name.
func (f Found) HaveName(vpcID string, peer Peer) []string {
	switch peer.Kind {
	case PeerGroupName:
		return f.Named[groupName(vpcID, peer)]
	case PeerListName:
		var ids []string
		for _, list := range f.Lists {
			if list.Name == listName(peer.ID, f.Region) {
				ids = append(ids, list.ID)
			}
		}
		slices.Sort(ids)
		return slices.Compact(ids) // a list that is also named by its ID was found twice
	default:
		return nil
	}
}
