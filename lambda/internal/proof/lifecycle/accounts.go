package lifecycle

import (
	"slices"
	"strings"

	"sgchain/lambda/internal/proof/world"
)

// Other VPCs of histories whose chains name groups of other accounts. One is peered with the
// chain's VPC, one is behind a transit gateway.
const (
	peeredVPC  = "vpc-0fedcba9876543210"
	transitVPC = "vpc-0aaaabbbbccccdddd"
)

// otherAccountGroups are groups of another account that rules may name. Two are in the chain's VPC,
// of which one is shared with the chain's account. Each of the other VPCs has one.
var otherAccountGroups = func() []string {
	ec2World := &world.World{}
	ec2World.AddVPC(VPC)
	return addOtherAccountGroups(ec2World)
}()

// addOtherAccountGroups adds those groups to a simulated EC2. Their IDs depend on their names only.
func addOtherAccountGroups(ec2World *world.World) []string {
	ec2World.AddVPC(peeredVPC)
	ec2World.AddVPC(transitVPC)
	ec2World.Peer(VPC, peeredVPC)
	ec2World.Transit(VPC, transitVPC)
	return []string{
		ec2World.AddOtherAccountGroup(world.OtherAccount, "shared", VPC, true),
		ec2World.AddOtherAccountGroup(world.OtherAccount, "of the VPC's owner", VPC, false),
		ec2World.AddOtherAccountGroup(world.OtherAccount, "peered", peeredVPC, false),
		ec2World.AddOtherAccountGroup(world.OtherAccount, "behind a gateway", transitVPC, false),
	}
}

// otherAccountNames returns the forms in which a rule may name such a group: with the account, or
// by ID alone if EC2 shows the group.
func otherAccountNames(id string) []string {
	names := []string{world.OtherAccount + "/" + id}
	if id == otherAccountGroups[0] {
		names = append(names, id)
	}
	return names
}

// OtherAccountGroups lists those groups as rules name them, with the account.
func OtherAccountGroups() []string {
	var names []string
	for _, id := range otherAccountGroups {
		names = append(names, world.OtherAccount+"/"+id)
	}
	return names
}

// groupOf returns the group that a peer names, regardless of its owner.
func groupOf(source string) string { return source[strings.LastIndex(source, "/")+1:] }

// names reports whether a rule of the chain names a group of another account.
func (c Chain) names(group string) bool {
	return slices.ContainsFunc(c.Tiers, func(one Tier) bool {
		return slices.ContainsFunc(slices.Concat(one.Inbound, one.Outbound), func(rule Rule) bool {
			return slices.ContainsFunc(rule.Peers, func(source string) bool { return groupOf(source) == group })
		})
	})
}

// removePeer removes a group of another account as its owner does, if EC2 allows that. No flow from
// a removed group is required.
func (w *Watch) removePeer(pick int) {
	w.look.Lock()
	defer w.look.Unlock()
	w.mu.Lock()
	peers := w.peers
	w.mu.Unlock()
	if len(peers) == 0 {
		return
	}
	id := peers[pick%len(peers)]
	name, err := w.removeOne(id)
	w.cf.step("the owner removes the peer %s: %v", id, err)
	if err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.peers = slices.DeleteFunc(slices.Clone(peers), func(other string) bool { return other == id })
	w.gone = append(slices.Clip(w.gone), name)
}

// namesRemovedPeer reports whether a chain names a group that its owner removed. EC2 then refuses a
// new rule for it and keeps an existing one.
func (w *Watch) namesRemovedPeer(chain Chain) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.gone, chain.names)
}

// eachPeerFlow reports what members, by their indexes, accept from groups of other accounts.
func (w *Watch) eachPeerFlow(members []Member, report func(at int, one flow, is bool)) {
	w.mu.Lock()
	peers, names := w.peers, w.peerNames
	w.mu.Unlock()
	for at, member := range members {
		for _, peer := range peers {
			for _, port := range ports() {
				report(at, flow{target: member, peer: peer, name: names[peer], port: port}, w.cf.World.Allows(peer, member.Group, "tcp", int32(port))) //nolint:gosec // a port
			}
		}
	}
}
