package plan

import (
	"fmt"

	"sgchain/lambda/chain"
)

// OwnGroups refuses a desired chain that names one of its own groups by ID. Such a
// rule would keep that group from being replaced.
func OwnGroups(change Change, groupIDs map[chain.Identity]string) error {
	for _, group := range change.New.Groups {
		for _, rule := range group.Rules {
			for identity, id := range groupIDs {
				if rule.Peer.Kind == chain.PeerGroup && rule.Peer.ID == id {
					return &OwnGroupError{Tier: group.Tier, GroupID: id, Named: identity.Tier}
				}
			}
		}
	}
	return nil
}

// OwnGroupError reports a peer that is a group of the same chain, named by its ID.
type OwnGroupError struct{ Tier, GroupID, Named string }

func (e *OwnGroupError) Error() string {
	return fmt.Sprintf("reading peers of tier %s: %s is the group of tier %s of this chain", e.Tier, e.GroupID, e.Named)
}

// Remedy returns what to do about it.
func (e *OwnGroupError) Remedy() string {
	return "Nothing was changed. Name the tier " + e.Named + " instead, so that the rule follows when the group is replaced."
}
