package lifecycle

import (
	"encoding/json"
	"slices"
)

// Shrink searches for a smaller history that still fails, until no smaller one does.
func Shrink(h History, fails func(History) bool) History {
	for {
		place := slices.IndexFunc(h.smaller(), fails)
		if place < 0 {
			return h
		}
		h = h.smaller()[place]
	}
}

// smaller lists histories with one thing less.
func (h History) smaller() []History {
	var all []History
	try := func(change func(*History)) {
		next := h.clone()
		if change(&next); next.size() < h.size() {
			all = append(all, next)
		}
	}
	for i := len(h.Steps) - 1; i > 0; i-- {
		try(func(n *History) { n.Steps = slices.Delete(n.Steps, i, i+1) })
	}
	for i, step := range h.Steps {
		try(func(n *History) { n.Steps[i].Mishaps = nil })
		try(func(n *History) { n.Steps[i].Acts = nil })
		try(func(n *History) { n.Steps[i].Chain.Keep, n.Steps[i].Chain.NoStackTags = false, false })
		try(func(n *History) { n.Steps[i].StackTags, n.Steps[i].FillerTags = nil, 0 })
		for j := range step.Acts {
			try(func(n *History) { n.Steps[i].Acts = slices.Delete(n.Steps[i].Acts, j, j+1) })
			try(func(n *History) { n.Steps[i].Acts[j].Faults = nil })
		}
		try(func(n *History) { n.Steps[i].Chain.Release = nil })
		try(func(n *History) { n.Steps[i].SiblingFails = false })
		try(func(n *History) { n.Steps[i].NoRollback = false })
		try(func(n *History) { n.Steps[i].Nested, n.Steps[i].Retain = false, false })
		try(func(n *History) { n.Steps[i].Linger = 0 })
		if step.Move != nil {
			try(func(n *History) { n.Steps[i].Move.Way = "" })
			try(func(n *History) { n.Steps[i].Move.Reuses, n.Steps[i].Move.ByName = false, false })
			try(func(n *History) { n.Steps[i].Move.To = "away" })
		}
		try(func(n *History) { n.Steps[i].Forgets = false })
		try(func(n *History) { n.Steps[i].Rest = longRest })
		if i > 0 && len(h.Steps[i-1].Chain.Tiers) > 0 {
			try(func(n *History) { n.Steps[i].Chain = n.Steps[i-1].Chain })
		}
		for j, mishap := range step.Mishaps {
			try(func(n *History) { n.Steps[i].Mishaps[j] = Mishap{} })
			for k := range mishap.Faults {
				try(func(n *History) { f := &n.Steps[i].Mishaps[j].Faults; *f = slices.Delete(*f, k, k+1) })
			}
			for k := range mishap.Again {
				try(func(n *History) { a := &n.Steps[i].Mishaps[j].Again; *a = slices.Delete(*a, k, k+1) })
			}
		}
		all = append(all, h.smallerChains(i)...)
	}
	try(func(n *History) { n.Repairs = false })
	try(func(n *History) { n.World = Setting{OtherAccounts: n.World.OtherAccounts, Named: n.World.Named} })
	try(func(n *History) {
		n.World = Setting{Lag: n.World.Lag, OtherAccounts: n.World.OtherAccounts, Named: n.World.Named}
	})
	try(func(n *History) {
		n.World = Setting{Quota: n.World.Quota, OtherAccounts: n.World.OtherAccounts, Named: n.World.Named}
	})
	try(func(n *History) { n.Habits = Habits{} })
	try(func(n *History) { n.Habits.Undated = false })
	return all
}

// size measures how much there is to read in a history; unusual pauses count.
func (h History) size() int {
	size := len(printed(h))
	for _, step := range h.Steps {
		if step.Rest != longRest {
			size += len(printed(longRest)) + 1
		}
	}
	return size
}

// longRest is a pause after which everything delayed has arrived.
const longRest = 400

func (h History) smallerChains(i int) []History {
	var all []History
	if c := h.Steps[i].Chain; c.IPv6 || c.Tags != nil {
		next := h.clone()
		next.Steps[i].Chain.IPv6, next.Steps[i].Chain.Tags = false, nil
		all = append(all, next)
	}
	for t, tier := range h.Steps[i].Chain.Tiers {
		edit := func(change func(*Chain)) {
			next := h.clone()
			change(&next.Steps[i].Chain)
			all = append(all, next)
		}
		if len(h.Steps[i].Chain.Tiers) > 1 && !slices.ContainsFunc(h.Steps[i].Chain.Tiers, func(other Tier) bool {
			return other.Name != tier.Name && slices.ContainsFunc(slices.Concat(other.Inbound, other.Outbound), func(d Rule) bool { return slices.Contains(d.Peers, tier.Name) })
		}) {
			edit(func(c *Chain) { c.Tiers = slices.Delete(c.Tiers, t, t+1) })
		}
		if tier.Egress != "all" {
			edit(func(c *Chain) { c.Tiers[t].Egress = "all" })
		}
		if tier.Tags != nil {
			edit(func(c *Chain) { c.Tiers[t].Tags = nil })
		}
		if tier.Outbound != nil {
			edit(func(c *Chain) { c.Tiers[t].Outbound = nil })
		}
		for d, rule := range tier.Inbound {
			edit(func(c *Chain) { c.Tiers[t].Inbound = slices.Delete(c.Tiers[t].Inbound, d, d+1) })
			for s := range rule.Peers {
				if len(rule.Peers) > 1 {
					edit(func(c *Chain) { x := &c.Tiers[t].Inbound[d].Peers; *x = slices.Delete(*x, s, s+1) })
				}
			}
		}
	}
	return all
}

func (h History) clone() History {
	var next History
	if err := json.Unmarshal([]byte(printed(h)), &next); err != nil {
		panic(err) // it was encoded just now
	}
	return next
}
