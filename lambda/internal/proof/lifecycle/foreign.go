package lifecycle

import (
	"slices"
	"strings"

	"sgchain/lambda/internal/proof/world"
)

// The other VPCs of histories in which chains name groups of other accounts: one is peered
// with the chain's, one is behind a transit gateway.
const (
	peeredVPC  = "vpc-0fedcba9876543210"
	transitVPC = "vpc-0aaaabbbbccccdddd"
)

// foreignGroups are groups of another account that doors may name: one of the chain's own
// VPC that is shared with the chain's account and one that is not, and one of each of the
// other VPCs.
var foreignGroups = func() []string {
	ec2World := &world.World{}
	ec2World.AddVPC(VPC)
	return addForeign(ec2World)
}()

// addForeign adds those groups to a world. Their IDs depend on nothing but their names.
func addForeign(ec2World *world.World) []string {
	ec2World.AddVPC(peeredVPC)
	ec2World.AddVPC(transitVPC)
	ec2World.Peer(VPC, peeredVPC)
	ec2World.Transit(VPC, transitVPC)
	return []string{
		ec2World.AddForeign(world.OtherAccount, "shared", VPC, true),
		ec2World.AddForeign(world.OtherAccount, "of the VPC's owner", VPC, false),
		ec2World.AddForeign(world.OtherAccount, "peered", peeredVPC, false),
		ec2World.AddForeign(world.OtherAccount, "behind a gateway", transitVPC, false),
	}
}

// foreignSources are the ways in which a door may name one of them: with the account, and by
// ID alone where EC2 shows the group.
func foreignSources(id string) []string {
	sources := []string{world.OtherAccount + "/" + id}
	if id == foreignGroups[0] {
		sources = append(sources, id)
	}
	return sources
}

// Foreign lists those groups as doors name them, with the account.
func Foreign() []string {
	var sources []string
	for _, id := range foreignGroups {
		sources = append(sources, world.OtherAccount+"/"+id)
	}
	return sources
}

// groupOf is the group that a source names, whoever owns it.
func groupOf(source string) string { return source[strings.LastIndex(source, "/")+1:] }

// names reports whether a door of the chain names a group of another account.
func (c Chain) names(group string) bool {
	return slices.ContainsFunc(c.Tiers, func(one Tier) bool {
		return slices.ContainsFunc(slices.Concat(one.Doors, one.Ways), func(door Door) bool {
			return slices.ContainsFunc(door.Sources, func(source string) bool { return groupOf(source) == group })
		})
	})
}

// removePeer lets the owner of a foreign group remove it, where he can. Nobody is owed
// anything by a group that is gone.
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

// lost reports whether a chain names a group that its owner removed: EC2 then refuses a rule
// for it, and keeps one that is there.
func (w *Watch) lost(chain Chain) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.gone, chain.names)
}

// peersFlows shows what members, by their places, take from groups of other accounts.
func (w *Watch) peersFlows(members []Member, see func(at int, one flow, is bool)) {
	w.mu.Lock()
	peers, called := w.peers, w.called
	w.mu.Unlock()
	for at, member := range members {
		for _, peer := range peers {
			for _, port := range ports() {
				see(at, flow{target: member, peer: peer, called: called[peer], port: port}, w.cf.World.Allows(peer, member.Group, "tcp", int32(port))) //nolint:gosec // a port
			}
		}
	}
}
