package lifecycle

import (
	"net/netip"
	"slices"

	"sgchain/lambda/internal/proof/world"
)

// questions is what is asked of groups at every look: who is outside on every port, one
// address of IPv6, and members among each other.
var questions = func() *world.Questions {
	all := &world.Questions{}
	for _, address := range addresses {
		for _, port := range ports() {
			all.All = append(all.All, world.Question{Address: address, Port: int32(port)})
		}
	}
	all.All = append(all.All, world.Question{Address: outsideV6, Port: 443})
	for _, port := range ports() {
		all.All = append(all.All, world.Question{Address: world.Inside(), Port: int32(port)})
	}
	return all
}()

// question is the place of one among them.
func question(address netip.Addr, port int) int {
	return slices.Index(questions.All, world.Question{Address: address, Port: int32(port)}) //nolint:gosec // a port
}

// way is a flow between members by their places, -1 where the end is somebody outside.
type way struct {
	flow

	sourceAt, targetAt int
	question           int
}

// is reports whether the world lets a way.
func (o *way) is(look world.Look) bool {
	switch {
	case o.sourceAt < 0:
		return look.TakesFrom(o.question, o.targetAt)
	case o.targetAt < 0:
		return look.SendsTo(o.sourceAt, o.question)
	default:
		return look.Allows(o.sourceAt, o.targetAt, o.question, o.source.Group, o.target.Group)
	}
}

// waysOf lists the flows that are looked at, in the place of others that are not needed any more.
func waysOf(members []Member, all []way) []way {
	all = slices.Grow(all[:0], len(members)*(len(addresses)*(len(ports())+1)+1+len(members)*len(ports())))
	for at, member := range members {
		for _, address := range addresses {
			for _, port := range ports() {
				all = append(all, way{flow: flow{target: member, address: address, port: port}, sourceAt: -1, targetAt: at, question: question(address, port)})
			}
			all = append(all, way{flow: flow{source: member, address: address, port: 443}, sourceAt: at, targetAt: -1, question: question(address, 443)})
		}
		// Into groups only: a group that may send anything keeps the rule for ::/0 that EC2
		// gave it, whether the chain has IPv6 or not.
		all = append(all, way{flow: flow{target: member, address: outsideV6, port: 443}, sourceAt: -1, targetAt: at, question: question(outsideV6, 443)})
		for from, source := range members {
			for _, port := range ports() {
				all = append(all, way{flow: flow{source: source, target: member, port: port}, sourceAt: from, targetAt: at, question: question(world.Inside(), port)})
			}
		}
	}
	return all
}

// groupsOf is the groups of members, one for each.
func groupsOf(members []Member) []string {
	ids := make([]string, len(members))
	for i, one := range members {
		ids[i] = one.Group
	}
	return ids
}

// court remembers what chains say to flows, as long as the same chains are asked, and the
// ways between members, as long as they are the same members. The one who looks holds it.
type court struct {
	inPlay, everyone []Chain
	forward          bool
	said             map[kind]verdict
	members          []Member
	groups           []string
	ways             []way
	kinds            []verdict // of each way
}

// kind is what chains know of a flow: tiers, and what is asked.
type kind struct {
	source, target string
	question       int
}

// verdict is what the chains in play say to a flow, and what any chain since the stale
// groups were left says, where somebody asked.
type verdict struct{ owed, may, mayEver, asked bool }

// convene prepares for a look at members under chains.
func (c *court) convene(members []Member, inPlay, everyone []Chain, forward bool) {
	anew := c.forward != forward || !sameChains(c.inPlay, inPlay) || !sameChains(c.everyone, everyone)
	if anew {
		c.inPlay, c.everyone, c.forward, c.said = slices.Clone(inPlay), everyone, forward, map[kind]verdict{}
	}
	moved := !slices.Equal(c.members, members)
	if moved {
		c.members, c.groups, c.ways = members, groupsOf(members), waysOf(members, c.ways)
	}
	if !anew && !moved {
		return
	}
	c.kinds = slices.Grow(c.kinds[:0], len(c.ways))[:len(c.ways)]
	for i := range c.ways {
		c.kinds[i] = c.hear(&c.ways[i])
	}
}

// hear asks the chains in play about a way.
func (c *court) hear(one *way) verdict {
	of := kind{one.source.Tier, one.target.Tier, one.question}
	if said, has := c.said[of]; has {
		return said
	}
	said := verdict{owed: one.owed(c.inPlay, c.forward), may: one.maybe(c.inPlay)}
	c.said[of] = said
	return said
}

// ever says whether any chain so far allows a way, or may be taken to.
func (c *court) ever(place int) bool {
	said := &c.kinds[place]
	if !said.asked {
		said.mayEver, said.asked = c.ways[place].maybe(c.everyone), true
	}
	return said.mayEver
}

// maybe says whether one chain lets the target take a flow and one lets the source send it.
func (f flow) maybe(chains []Chain) bool {
	return slices.ContainsFunc(chains, f.taken) && slices.ContainsFunc(chains, f.sent)
}

// sameChains reports whether two lists have the very same chains. A chain is never changed.
func sameChains(some, others []Chain) bool {
	return slices.EqualFunc(some, others, func(a, b Chain) bool {
		return a.IPv6 == b.IPv6 && len(a.Tiers) == len(b.Tiers) && (len(a.Tiers) == 0 || &a.Tiers[0] == &b.Tiers[0])
	})
}
