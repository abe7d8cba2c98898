package lifecycle

import (
	"net/netip"
	"slices"

	"sgchain/lambda/internal/proof/world"
)

// questions are checked for every group after every call: addresses outside on every port, one IPv6
// address, and members among each other.
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

// question returns the index of a question.
func question(address netip.Addr, port int) int {
	return slices.Index(questions.All, world.Question{Address: address, Port: int32(port)}) //nolint:gosec // a port
}

// probe is a flow between members, by their indexes. -1 means an address outside.
type probe struct {
	flow

	sourceAt, targetAt int
	question           int
}

// isAllowed reports whether the simulated EC2 allows the flow.
func (p *probe) isAllowed(look world.Look) bool {
	switch {
	case p.sourceAt < 0:
		return look.TakesFrom(p.question, p.targetAt)
	case p.targetAt < 0:
		return look.SendsTo(p.sourceAt, p.question)
	default:
		return look.Allows(p.sourceAt, p.targetAt, p.question, p.source.Group, p.target.Group)
	}
}

// probesOf lists the flows to check. It reuses the memory of a list that is no longer needed.
func probesOf(members []Member, all []probe) []probe {
	all = slices.Grow(all[:0], len(members)*(len(addresses)*(len(ports())+1)+1+len(members)*len(ports())))
	for at, member := range members {
		for _, address := range addresses {
			for _, port := range ports() {
				all = append(all, probe{flow: flow{target: member, address: address, port: port}, sourceAt: -1, targetAt: at, question: question(address, port)})
			}
			all = append(all, probe{flow: flow{source: member, address: address, port: 443}, sourceAt: at, targetAt: -1, question: question(address, 443)})
		}
		// Only inbound: a group with unrestricted egress keeps EC2's default rule for ::/0, even if
		// the chain has no IPv6.
		all = append(all, probe{flow: flow{target: member, address: outsideV6, port: 443}, sourceAt: -1, targetAt: at, question: question(outsideV6, 443)})
		for from, source := range members {
			for _, port := range ports() {
				all = append(all, probe{flow: flow{source: source, target: member, port: port}, sourceAt: from, targetAt: at, question: question(world.Inside(), port)})
			}
		}
	}
	return all
}

// groupsOf returns the group of each member.
func groupsOf(members []Member) []string {
	ids := make([]string, len(members))
	for i, one := range members {
		ids[i] = one.Group
	}
	return ids
}

// expectations caches what chains say about flows while the same chains are in play. It also caches
// the probes while the members stay the same. The lock Watch.look guards it.
type expectations struct {
	inPlay, everyone []Chain
	forward          bool
	known            map[flowKey]expectation
	members          []Member
	groups           []string
	probes           []probe
	expected         []expectation // of each probe
}

// flowKey is what decides whether a chain allows a flow: tiers and question.
type flowKey struct {
	source, target string
	question       int
}

// expectation says what the chains in play require and allow of a flow. everAllowed covers any
// chain since the stale groups were orphaned and is computed on demand.
type expectation struct{ required, allowed, everAllowed, hasEver bool }

// prepare updates the cache for members and chains.
func (c *expectations) prepare(members []Member, inPlay, everyone []Chain, forward bool) {
	changed := c.forward != forward || !sameChains(c.inPlay, inPlay) || !sameChains(c.everyone, everyone)
	if changed {
		c.inPlay, c.everyone, c.forward, c.known = slices.Clone(inPlay), everyone, forward, map[flowKey]expectation{}
	}
	moved := !slices.Equal(c.members, members)
	if moved {
		c.members, c.groups, c.probes = members, groupsOf(members), probesOf(members, c.probes)
	}
	if !changed && !moved {
		return
	}
	c.expected = slices.Grow(c.expected[:0], len(c.probes))[:len(c.probes)]
	for i := range c.probes {
		c.expected[i] = c.expect(&c.probes[i])
	}
}

// expect asks the chains in play about a probe.
func (c *expectations) expect(one *probe) expectation {
	key := flowKey{one.source.Tier, one.target.Tier, one.question}
	if expected, has := c.known[key]; has {
		return expected
	}
	expected := expectation{required: one.required(c.inPlay, c.forward), allowed: one.mayBeAllowed(c.inPlay)}
	c.known[key] = expected
	return expected
}

// everAllowed reports whether any chain so far may allow a probe.
func (c *expectations) mayEverBeAllowed(index int) bool {
	one := &c.expected[index]
	if !one.hasEver {
		one.everAllowed, one.hasEver = c.probes[index].mayBeAllowed(c.everyone), true
	}
	return one.everAllowed
}

// mayBeAllowed reports whether some chain lets the target receive the flow and some chain lets the
// source send it.
func (f flow) mayBeAllowed(chains []Chain) bool {
	return slices.ContainsFunc(chains, f.received) && slices.ContainsFunc(chains, f.sent)
}

// sameChains reports whether two lists have the identical chains. A chain never changes after its
// creation.
func sameChains(some, others []Chain) bool {
	return slices.EqualFunc(some, others, func(a, b Chain) bool {
		return a.IPv6 == b.IPv6 && len(a.Tiers) == len(b.Tiers) && (len(a.Tiers) == 0 || &a.Tiers[0] == &b.Tiers[0])
	})
}
