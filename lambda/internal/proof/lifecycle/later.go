package lifecycle

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"sgchain/lambda/internal/proof/world"
)

// laterStream sets the draws of this file apart from those of Draw: what came later changes
// some histories of a seed, and leaves the others as they were.
const laterStream = 0x6c61746572

// later adds to one history in three what the first draws do not know: groups of other
// accounts and their removal, dates apart from changes of status, rights that are missing,
// refusals for good, answers that the SDK asks for again, and a way out by hand.
func later(h *History, seed, index uint64) {
	r := &drawer{Rand: rand.New(rand.NewPCG(seed^laterStream, index))} //nolint:gosec // chance that can be repeated
	if !r.oneIn(3) {
		return
	}
	*h = h.clone() // chains share their tiers
	first := slices.IndexFunc(h.Steps, func(one Step) bool { return one.Do == "create" })
	if h.World.Quota == 0 && r.oneIn(3) {
		r.foreign(h, first)
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
		mishap.Faults = append(mishap.Faults, Fault{Call: 1 + r.IntN(12), Kind: pick(r, repeated, repeated, refused, refusedOnce, wayOut), Pick: r.IntN(1 << 16)})
	}
	if r.oneIn(4) {
		step := Step{Do: string(world.AddIPv6Egress), Pick: r.IntN(1 << 16), Rest: r.rest()}
		h.Steps = slices.Insert(h.Steps, first+1+r.IntN(len(h.Steps)-first), step)
	}
}

// operations are the calls of EC2 whose right a role may lack.
var operations = []string{
	"DescribeSecurityGroups", "DescribeNetworkInterfaces", "DescribeVpcs", "DescribeManagedPrefixLists", "DescribeSecurityGroupRules",
	"CreateSecurityGroup", "CreateTags", "DeleteTags", "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress",
	"RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress", "UpdateSecurityGroupRuleDescriptionsIngress",
	"UpdateSecurityGroupRuleDescriptionsEgress", "DeleteSecurityGroup",
}

// somewhere is the mishap of an event of a step that is an operation.
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

// dates draws a request that is made some time after the change of status, or dated before
// it; often one that CloudFormation gives up while its run hangs.
func (r *drawer) dates(mishap *Mishap) {
	mishap.Dated = pick(r, 4, 4+r.IntN(20), -1-r.IntN(40))
	// The clocks of CloudFormation and of the function may differ by three seconds: what is
	// given up so soon after its date is not told from what undoes it.
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

// foreign lets doors name groups of another account, in either way of writing, and lets
// their owner remove one now and then.
func (r *drawer) foreign(h *History, first int) {
	h.World.Foreign = true
	ids := slices.Clone(foreignGroups)
	r.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	for i := range h.Steps {
		for _, id := range ids[:1+r.IntN(2)] {
			if tiers := h.Steps[i].Chain.Tiers; len(tiers) > 0 && !r.oneIn(4) {
				tiers[r.IntN(len(tiers))].admit(pick(r, ports()[:3]...), pick(r, foreignSources(id)...))
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

// admit lets a source in on a port.
func (t *Tier) admit(port int, source string) {
	place := slices.IndexFunc(t.Doors, func(door Door) bool { return door.Port == port })
	switch {
	case place < 0:
		t.Doors = append(t.Doors, Door{Port: port, Sources: []string{source}})
	case !slices.ContainsFunc(t.Doors[place].Sources, func(other string) bool { return groupOf(other) == groupOf(source) }):
		t.Doors[place].Sources = append(t.Doors[place].Sources, source)
	}
}

// naming lists the doors of a chain that name a group, as text.
func (c Chain) naming(group string) []string {
	var all []string
	for _, tier := range c.Tiers {
		for _, door := range tier.Doors {
			if slices.ContainsFunc(door.Sources, func(source string) bool { return groupOf(source) == group }) {
				all = append(all, fmt.Sprint(tier.Name, tier.Text, tier.Named, door.Port))
			}
		}
	}
	return all
}

// leavesOut notes that a way back leaves rules out, or takes old ones away before it adds new
// ones: nothing outside of the stack refuses it, and what is missing is the next update's.
func (w *Watch) leavesOut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leftOut = true
}

// noWayBack reports whether an update may have taken a rule away that EC2 will not have again:
// the owner of the group that it names removed that.
func (w *Watch) noWayBack(old, now Chain) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.gone, func(group string) bool {
		if !strings.HasPrefix(group, "sg-") {
			return false // what is named by a name stands in no way back
		}
		kept := now.naming(group)
		return slices.ContainsFunc(old.naming(group), func(door string) bool { return !slices.Contains(kept, door) })
	})
}
