package lifecycle

import (
	"math/rand/v2"
	"slices"

	"sgchain/lambda/internal/proof/world"
)

// Draw generates a history from a seed.
func Draw(seed, index uint64) History {
	r := &drawer{Rand: rand.New(rand.NewPCG(seed, index))} //nolint:gosec // repeatable randomness
	h := History{
		Habits: Habits{
			CleanupShows: pick(r, "new", "old"), RemovedShows: pick(r, "deleting", "absent"), RollbackCarries: pick(r, "new", "old"),
			GoneShows: pick(r, "deleted", "absent"), CleanupBrings: pick(r, "old", "new"), Undated: r.oneIn(4), InventsAlways: r.oneIn(3), CreatesFirst: r.oneIn(2),
		},
		World: Setting{
			PageSize: pick(r, 0, 0, 1, 2), Lag: pick(r, 0, 0, 0, 1, 3), TagLag: pick(r, 0, 0, 0, 2), Newborn: pick(r, 0, 0, 0, 2),
			OneByOne: r.oneIn(2), Default: r.oneIn(4), IPv6: r.oneIn(4),
		},
	}
	if r.oneIn(5) {
		h.World.Quota = 4 + r.IntN(6)
	}
	r.quota = h.World.Quota
	h.Repairs, r.adopts, r.keeps = r.oneIn(4), r.oneIn(4), r.oneIn(5)
	chain := r.chain()
	h.Steps = []Step{{Do: "create", Chain: chain, Rest: r.rest()}}
	if r.adopts {
		h.Steps = slices.Insert(h.Steps, 0, r.adoptableGroup(), r.adoptableGroup())
	}
	first := len(h.Steps) - 1
	if r.oneIn(6) {
		h.Steps[first].Mishaps = r.mishaps()
		h.Steps[first].SiblingFails, h.Steps[first].NoRollback = r.oneIn(8), r.oneIn(3)
	}
	if r.oneIn(40) {
		h.Steps[first].SiblingFails, h.Steps[first].Mishaps = true, []Mishap{{}, {Denied: true}}
	}
	for range 2 + r.IntN(4) {
		step := Step{Do: "update", Rest: r.rest()}
		switch n := r.IntN(20); {
		case n == 0:
			step.Do, step.Retain = "remove", r.oneIn(4)
		case n <= 2:
			h.Steps = append(h.Steps, r.between(step, h.Repairs))
			continue
		default:
			// Sometimes return to an earlier chain: X -> Y -> X.
			if step.Chain = r.variant(chain); r.oneIn(4) {
				step.Chain = h.Steps[first+r.IntN(len(h.Steps)-first)].Chain
			}
			if len(step.Chain.Tiers) == 0 {
				step.Chain = r.chain()
			}
			chain = step.Chain
		}
		r.disturb(&step, h.Repairs)
		h.Steps = append(h.Steps, step)
	}
	later(&h, seed, index)
	names(&h, seed, index)
	moves(&h, seed, index)
	releases(&h, seed, index)
	stackTags(&h, seed, index)
	return h
}

// disturb draws the mishaps of a step.
func (r *drawer) disturb(step *Step, repairs bool) {
	step.SiblingFails, step.NoRollback, step.Nested, step.Retain = r.oneIn(5), r.oneIn(12), r.oneIn(8), step.Retain || r.oneIn(20)
	if r.oneIn(3) {
		step.Linger = 1 + r.IntN(r.longest())
	}
	if r.oneIn(2) {
		step.Mishaps = r.mishaps()
	}
	if repairs && r.oneIn(2) {
		step.Acts = r.acts()
	}
	if r.oneIn(60) { // the rollback fails until it is skipped
		step.SiblingFails, step.Mishaps = true, []Mishap{{}, {Denied: true}, {Denied: true}, {Denied: true}}
	}
}

// between draws a step between two operations: a repair or an out-of-band change.
func (r *drawer) between(step Step, repairs bool) Step {
	switch {
	case repairs && r.oneIn(2):
		step.Do = "repair"
		return step
	case r.adopts && r.oneIn(3):
		return r.adoptableGroup()
	default:
		step.Do, step.Pick = string(pick(r, world.AddRule, world.RemoveRule, world.EditDescription, world.AddTag, world.AddGroup, world.RemoveGroup)), r.IntN(1<<16)
		return step
	}
}

// longest returns for how many seconds the last dependent may keep using an old group. A Delete
// waits for a group that it releases no longer than a Delete may last.
func (r *drawer) longest() int {
	if r.adopts {
		return 500
	}
	return 900
}

type drawer struct {
	*rand.Rand

	quota         int
	adopts, keeps bool
}

func pick[T any](r *drawer, from ...T) T { return from[r.IntN(len(from))] }

func (r *drawer) oneIn(n int) bool { return r.IntN(n) == 0 }

// rest draws the pause between two operations. CloudFormation itself takes some seconds to end one
// and to begin another, which is longer than reads lag.
func (r *drawer) rest() int { return pick(r, 5, 30, 65, 120, longRest) }

var tierNames = []string{"A", "B", "C", "D"}

// tagKeys are the keys of the author's tags.
var tagKeys = []string{"Cost", "Team"}

func (r *drawer) chain() Chain {
	names := slices.Clone(tierNames)
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	names = names[:1+r.IntN(len(names))]
	c := Chain{Quota: r.quota, IPv6: r.oneIn(4), Tags: r.tags(), Adopt: r.adopts && !r.oneIn(8), Keep: r.keeps && !r.oneIn(4)}
	for _, name := range names {
		c.Tiers = append(c.Tiers, r.tier(name, names))
	}
	return c
}

func (r *drawer) tags() map[string]string {
	if !r.oneIn(4) {
		return nil
	}
	return map[string]string{pick(r, tagKeys...): pick(r, "a", "b")}
}

func (r *drawer) tier(name string, names []string) Tier {
	t := Tier{Name: name, Named: r.oneIn(2), Text: pick(r, "", "", "first", "second"), Egress: pick(r, "all", "all", "chain", "chain", "none"), Tags: r.tags()}
	t.Inbound = r.rules(name, names, 2)
	if t.Egress != "none" { // "none" excludes outbound rules
		t.Outbound = r.rules(name, names, 8)
	}
	return t
}

// rules draws rules for a few ports, each with a chance of one in few.
func (r *drawer) rules(name string, names []string, few int) []Rule {
	peers := append([]string{"internet", "10.0.0.0/8", "203.0.113.0/24", "self", "vpc", officeList, remoteList}, names...)
	var rules []Rule
	for _, port := range ports()[:3] {
		if !r.oneIn(few) {
			continue
		}
		rule := Rule{Port: port}
		for range 1 + r.IntN(3) {
			if peer := pick(r, peers...); !slices.Contains(rule.Peers, peer) && !(peer == name && slices.Contains(rule.Peers, "self")) && !(peer == "self" && slices.Contains(rule.Peers, name)) {
				rule.Peers = append(rule.Peers, peer)
			}
		}
		rules = append(rules, rule)
	}
	return rules
}

// variant returns a changed chain, or a new one.
func (r *drawer) variant(c Chain) Chain {
	if r.oneIn(3) || len(c.Tiers) == 0 {
		return r.chain()
	}
	tiers := slices.Clone(c.Tiers)
	var names []string
	for _, one := range tiers {
		names = append(names, one.Name)
	}
	for range 1 + r.IntN(2) {
		i := r.IntN(len(tiers))
		tiers[i] = r.tier(tiers[i].Name, names)
	}
	next := Chain{Tiers: tiers, Quota: c.Quota, IPv6: c.IPv6, Tags: c.Tags, Adopt: c.Adopt, Keep: c.Keep}
	if r.oneIn(6) {
		next.IPv6, next.Tags = r.oneIn(2), r.tags()
	}
	return next
}

// adoptableGroup draws the out-of-band creation of a group, with one of several sets of rules.
func (r *drawer) adoptableGroup() Step {
	return Step{Do: createGroup, Pick: r.IntN(len(tierNames) << 5), Rest: r.rest()}
}

// acts draws the actions that a schedule and people request during an operation.
func (r *drawer) acts() []Act {
	acts := make([]Act, 1+r.IntN(2))
	for i := range acts {
		acts[i] = Act{At: pick(r, r.IntN(30), r.IntN(300)), Do: pick(r, "repair", "repair", "repair", "check", "plan"), Late: pick(r, 0, 0, r.IntN(420))}
		if r.oneIn(2) {
			acts[i].Faults = []Fault{{Call: 1 + r.IntN(8), Kind: pick(r, "error", "lost", "crash", "late", "hang", "stale"), Seconds: 1 + r.IntN(8)}}
		}
	}
	return acts
}

func (r *drawer) mishaps() []Mishap {
	all := make([]Mishap, 1+r.IntN(3))
	for i := range all {
		if i > 0 && r.oneIn(2) {
			continue
		}
		switch r.IntN(8) {
		case 0:
			all[i].Again = []int{1 + r.IntN(300), 1 + r.IntN(20)}[:1+r.IntN(2)]
		case 1:
			all[i].Cancel = 1 + r.IntN(20)
			all[i].Faults = append(all[i].Faults, Fault{Call: 1 + r.IntN(8), Kind: "hang", Seconds: 1 + r.IntN(30)})
		case 2:
			all[i].Answer = pick(r, "lost", "late", "without ID")
		case 3:
			all[i].Denied = r.oneIn(2)
			all[i].Behind = r.IntN(3)
		default:
			for range 1 + r.IntN(2) {
				all[i].Faults = append(all[i].Faults, Fault{Call: 1 + r.IntN(12), Kind: pick(r, Kinds()...), Pick: r.IntN(1 << 16), Seconds: 1 + r.IntN(8)})
			}
		}
	}
	return all
}
