package world

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// OtherAccount is another account than Account.
const OtherAccount = "210987654321"

// OwnedBy makes a VPC belong to another account, which shares it with this one. This account can
// create groups in it but does not see the owner's (VPC user guide, "Share your VPC subnets with
// other accounts").
func OwnedBy(account string) VPCOption {
	return func(v *vpc) { v.owner = account }
}

// ofAccount returns the noted account, or Account if it is empty.
func ofAccount(noted string) string {
	if noted == "" {
		return Account
	}
	return noted
}

// AddOtherAccountGroup creates a group of another account, as that account does, and returns its ID. Calls of
// this account see the group only if it is shared (VPC user guide, "Share security groups with AWS
// Organizations"). Rules may name it in any case.
func (w *World) AddOtherAccountGroup(account, name, vpcID string, shared bool) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	group := w.add(name, "a group of another account", vpcID, nil)
	group.owner, group.shared = account, shared
	return group.id
}

// Unshare ends the sharing of the group with a name. Rules that name the group stay.
func (w *World) Unshare(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, g := range w.byID {
		if g.name == name {
			g.shared = false
		}
	}
}

// RemoveOtherAccountGroup deletes a group as its owner does. EC2 refuses that if the group is in use in its
// own VPC. Rules in other VPCs do not prevent it; they stay and become stale (VPC peering guide,
// "Identify your stale security group rules").
func (w *World) RemoveOtherAccountGroup(id string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	g := w.existing(id)
	if g == nil || g.owner == "" {
		return groupNotFound(id)
	}
	return w.remove(g)
}

// DeleteGroup deletes a group of this account as a person does. EC2 refuses that while a rule or an
// interface uses the group.
func (w *World) DeleteGroup(id string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	g := w.existing(id)
	if g == nil || g.owner != "" {
		return groupNotFound(id)
	}
	return w.remove(g)
}

func (w *World) remove(g *group) error {
	if err := w.deletable(g); err != nil {
		return err
	}
	g.set(func(s *state) { *s = state{at: s.at, gone: true} })
	return nil
}

// Unpeer ends a connection by Peer or Transit. Rules that name groups on the other side stay.
func (w *World) Unpeer(one, other string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, pair := range [][2]string{{one, other}, {other, one}} {
		delete(w.peerings, pair)
		delete(w.transits, pair)
	}
}

// Transit connects two VPCs by a transit gateway with security group referencing. Groups can name
// each other as over a peering. EC2 does not show the owner of a group on the other side
// (aws-cloudformation/cloudformation-coverage-roadmap issue 2310).
func (w *World) Transit(one, other string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.transits == nil {
		w.transits = map[[2]string]bool{}
	}
	w.transits[[2]string{one, other}], w.transits[[2]string{other, one}] = true, true
}

// connected reports whether groups of two VPCs can name each other.
func (w *World) connected(one, other string) bool {
	pair := [2]string{one, other}
	return one == other || w.peerings[pair] || w.transits[pair]
}

// isVisible reports whether this account's calls show a group.
func (g *group) isVisible() bool { return g.owner == "" || g.shared }

// writable returns a group that a call may change. A group of another account does not exist for
// the call. If it is shared with this account, the call is refused.
func (w *World) writable(operation, id string) (*group, error) {
	g, err := w.known(id)
	switch {
	case err != nil:
		return nil, err
	case !g.isVisible():
		return nil, groupNotFound(id)
	case g.owner != "":
		return nil, Unauthorized(operation)
	default:
		return g, nil
	}
}

// pairOf returns a group as a rule of another group shows it. "For a referenced security group in
// another VPC, the account ID of the referenced security group is returned in the response. If the
// referenced security group is deleted, this value is not returned" (API reference,
// UserIdGroupPair).
func (w *World) pairOf(g *group, r rule, seen view) types.UserIdGroupPair {
	return types.UserIdGroupPair{GroupId: aws.String(r.peer), UserId: w.ownerOf(g, r.peer, seen)}
}

// referencedInfo does the same for DescribeSecurityGroupRules.
func (w *World) referencedInfo(g *group, r rule, seen view) *types.ReferencedSecurityGroup {
	return &types.ReferencedSecurityGroup{GroupId: aws.String(r.peer), UserId: w.ownerOf(g, r.peer, seen)}
}

// ofThisAccount counts the groups that count against this account's quota.
func ofThisAccount(groups []*group) int {
	count := 0
	for _, one := range groups {
		if one.owner == "" {
			count++
		}
	}
	return count
}

// ownerOf returns the account that EC2 shows for a group named by a rule, or nil.
func (w *World) ownerOf(g *group, peerID string, seen view) *string {
	peer := w.groups[peerID]
	switch {
	case peer == nil:
		return nil
	case peer.vpcID == g.vpcID:
	case peer.stateAt(seen.at).gone, w.transits[[2]string{g.vpcID, peer.vpcID}]:
		return nil
	}
	return aws.String(ofAccount(peer.owner))
}

// referenced checks that a rule may name a group. IDs are globally unique, so the account is
// optional; if present, it must be the owner's. Sources: VPC peering guide, "Update your security
// groups to reference peer security groups"; hashicorp/terraform-provider-aws issues 25811 and
// 30664. A rule whose group is gone is stale, but calls that revoke or describe it may still name
// it.
func (w *World) referenced(g *group, pair types.UserIdGroupPair, adds bool) error {
	id := aws.ToString(pair.GroupId)
	if !adds && g.latest().names(id) {
		return nil
	}
	target, err := w.known(id)
	switch account := aws.ToString(pair.UserId); {
	case err != nil:
		return err
	case account != "" && account != ofAccount(target.owner):
		return groupNotFound(id)
	case !w.connected(target.vpcID, g.vpcID):
		return DifferentNetworks()
	}
	return nil
}
