package lifecycle

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"sgchain/lambda/internal/proof/world"
)

// laterStream separates the draws of this file from those of Draw. Thus later additions change some
// histories of a seed and leave the others as they were.
const laterStream = 0x6c61746572

// later adds newer kinds of trouble to one history in three. They are groups of other accounts and
// their removal, dates that differ from changes of status, and missing permissions. It also adds
// permanent refusals, calls that the SDK repeats, and out-of-band egress rules.
func later(h *History, seed, index uint64) {
	r := &drawer{Rand: rand.New(rand.NewPCG(seed^laterStream, index))} //nolint:gosec // repeatable randomness
	if !r.oneIn(3) {
		return
	}
	*h = h.clone() // chains share their tiers
	first := slices.IndexFunc(h.Steps, func(one Step) bool { return one.Do == "create" })
	if h.World.Quota == 0 && r.oneIn(3) {
		r.otherAccounts(h, first)
	}
	if r.oneIn(4) {
		r.dates(somewhere(h, r, first, 0))
	}
	if r.oneIn(4) {
		mishap := somewhere(h, r, first, r.IntN(2))
		mishap.Lacks = append(mishap.Lacks, pick(r, operations...))
	}
	if r.oneIn(2) {
		mishap := somewhere(h, r, first, r.IntN(2))
		mishap.Faults = append(mishap.Faults, Fault{Call: 1 + r.IntN(12), Kind: pick(r, repeated, repeated, refused, refusedOnce, ipv6Egress), Pick: r.IntN(1 << 16)})
	}
	if r.oneIn(4) {
		step := Step{Do: string(world.AddIPv6Egress), Pick: r.IntN(1 << 16), Rest: r.rest()}
		h.Steps = slices.Insert(h.Steps, first+1+r.IntN(len(h.Steps)-first), step)
	}
}

// operations are the EC2 calls that a role may lack permission for.
var operations = []string{
	"DescribeSecurityGroups", "DescribeNetworkInterfaces", "DescribeVpcs", "DescribeManagedPrefixLists", "DescribeSecurityGroupRules",
	"CreateSecurityGroup", "CreateTags", "DeleteTags", "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress",
	"RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress", "UpdateSecurityGroupRuleDescriptionsIngress",
	"UpdateSecurityGroupRuleDescriptionsEgress", "DeleteSecurityGroup",
}

// somewhere returns the mishap of an event in a random operation.
func somewhere(h *History, r *drawer, first, event int) *Mishap {
	step := &h.Steps[first+r.IntN(len(h.Steps)-first)]
	if step.Do != "create" && step.Do != "update" && step.Do != "remove" {
		step = &h.Steps[first]
	}
	for len(step.Mishaps) <= event {
		step.Mishaps = append(step.Mishaps, Mishap{})
	}
	return &step.Mishaps[event]
}

// dates draws a request whose date is after the change of status or before it. CloudFormation often
// gives that request up while its run hangs.
func (r *drawer) dates(mishap *Mishap) {
	mishap.Dated = pick(r, 4, 4+r.IntN(20), -1-r.IntN(40))
	// The clocks of CloudFormation and of the function may differ by three seconds. A request that
	// is given up so soon after its date looks like the one that undoes it.
	if mishap.Cancel > 0 && mishap.Cancel < 6 {
		mishap.Cancel += 6
	}
	if r.oneIn(2) {
		mishap.Cancel = 12 + r.IntN(16)
		for range 2 {
			mishap.Faults = append(mishap.Faults, Fault{Call: 1 + r.IntN(8), Kind: "hang", Seconds: 5 + r.IntN(25)})
		}
	}
}

// otherAccounts makes rules name groups of another account in either form. Sometimes their owner
// removes one.
func (r *drawer) otherAccounts(h *History, first int) {
	h.World.OtherAccounts = true
	ids := slices.Clone(otherAccountGroups)
	r.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	for i := range h.Steps {
		for _, id := range ids[:1+r.IntN(2)] {
			if tiers := h.Steps[i].Chain.Tiers; len(tiers) > 0 && !r.oneIn(4) {
				tiers[r.IntN(len(tiers))].admit(pick(r, ports()[:3]...), pick(r, otherAccountNames(id)...))
			}
		}
	}
	switch place := first + r.IntN(len(h.Steps)-first); r.IntN(3) {
	case 0:
		h.Steps = slices.Insert(h.Steps, place+1, Step{Do: byOwner, Pick: r.IntN(4), Rest: r.rest()})
	case 1:
		mishap := somewhere(h, r, first, r.IntN(2))
		mishap.Faults = append(mishap.Faults, Fault{Call: 1 + r.IntN(8), Kind: byOwner, Pick: r.IntN(4)})
	}
}

// admit allows a peer on a port.
func (t *Tier) admit(port int, source string) {
	place := slices.IndexFunc(t.Inbound, func(rule Rule) bool { return rule.Port == port })
	switch {
	case place < 0:
		t.Inbound = append(t.Inbound, Rule{Port: port, Peers: []string{source}})
	case !slices.ContainsFunc(t.Inbound[place].Peers, func(other string) bool { return groupOf(other) == groupOf(source) }):
		t.Inbound[place].Peers = append(t.Inbound[place].Peers, source)
	}
}

// naming lists the inbound rules of a chain that name a group, as text.
func (c Chain) naming(group string) []string {
	var all []string
	for _, tier := range c.Tiers {
		for _, rule := range tier.Inbound {
			if slices.ContainsFunc(rule.Peers, func(source string) bool { return groupOf(source) == group }) {
				all = append(all, fmt.Sprint(tier.Name, tier.Text, tier.Named, rule.Port))
			}
		}
	}
	return all
}

// noteLeftOut notes that a rollback leaves rules out, or revokes old rules before it authorizes new
// ones. Nothing outside of the stack refuses it, and the next update adds what is missing.
func (w *Watch) noteLeftOut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leftOut = true
}

// cannotRollBack reports whether an update may have revoked a rule that EC2 no longer accepts,
// because the group that it names was removed.
func (w *Watch) cannotRollBack(old, now Chain) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.gone, func(group string) bool {
		if !strings.HasPrefix(group, "sg-") {
			return false // a peer that is named by its name does not prevent a rollback
		}
		kept := now.naming(group)
		return slices.ContainsFunc(old.naming(group), func(rule string) bool { return !slices.Contains(kept, rule) })
	})
}
