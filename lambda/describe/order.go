package describe

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"sgchain/lambda/chain"
)

func keys[K cmp.Ordered, V any](from map[K]V) []K { return slices.Sorted(maps.Keys(from)) }

// Outermost returns groups in the order of a chain. Each group comes after those that it allows, except within a cycle. A group that allows
// only one other group comes right after it. Groups without any relation are last.
//
// The order depends only on the groups. If several could be first, those that are open to the world are, then by name.
func Outermost(groups []Group) []Group {
	sorted := chain.Sorted(groups, compare(groups))
	links := linksOf(sorted)
	var order []Group
	// A cycle is in one component, and components form no cycles.
	components := links.components()
	waiting := make([]int, len(components))
	of := make([]int, len(sorted))
	for place, component := range components {
		for _, member := range component {
			of[member] = place
		}
	}
	inner := make([]map[int]bool, len(components))
	for from := range sorted {
		for _, to := range links[from] {
			if of[from] == of[to] {
				continue
			}
			if inner[of[from]] == nil {
				inner[of[from]] = map[int]bool{}
			}
			if !inner[of[from]][of[to]] {
				inner[of[from]][of[to]] = true
				waiting[of[to]]++
			}
		}
	}
	first := func(a, b int) int { return cmp.Compare(slices.Min(components[b]), slices.Min(components[a])) } // the loop takes the last one
	var ready []int
	for place := range components {
		if waiting[place] == 0 {
			ready = append(ready, place)
		}
	}
	chain.Sort(ready, first)
	for len(ready) > 0 {
		place := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		for _, member := range links.walk(components[place]) {
			order = append(order, sorted[member])
		}
		var next []int
		for _, to := range keys(inner[place]) {
			if waiting[to]--; waiting[to] == 0 {
				next = append(next, to)
			}
		}
		chain.Sort(next, first)
		ready = append(ready, next...)
	}
	return order
}

// compare orders groups without a relation.
func compare(groups []Group) func(a, b Group) int {
	related := map[string]bool{}
	for from, all := range linksOf(groups) {
		for _, to := range all {
			related[groups[from].ID], related[groups[to].ID] = true, true
		}
	}
	last := func(holds bool) int {
		if holds {
			return 0
		}
		return 1
	}
	return func(a, b Group) int {
		return cmp.Or(
			cmp.Compare(last(related[a.ID]), last(related[b.ID])), cmp.Compare(last(isPublic(a)), last(isPublic(b))),
			strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID),
		)
	}
}

func isPublic(group Group) bool {
	return slices.ContainsFunc(group.Rules, func(rule chain.Rule) bool { return rule.Direction == chain.Ingress && chain.IsInternet(rule.Peer) })
}

// links lists, for each group, the sorted indexes of the groups to which it sends traffic according to the rules of either.
type links [][]int

func linksOf(groups []Group) links {
	places := map[string]int{}
	for place, group := range groups {
		places[group.ID] = place
	}
	all := make(links, len(groups))
	add := func(from, to int) {
		if from != to {
			all[from] = append(all[from], to)
		}
	}
	for place, group := range groups {
		for _, rule := range group.Rules {
			other, isOne := places[rule.Peer.ID]
			switch {
			case rule.Peer.Kind != chain.PeerGroup || !isOne:
			case rule.Direction == chain.Ingress:
				add(other, place)
			default:
				add(place, other)
			}
		}
	}
	for place := range all {
		slices.Sort(all[place])
		all[place] = slices.Compact(all[place])
	}
	return all
}

// components returns the strongly connected components (Tarjan).
func (l links) components() [][]int {
	var components [][]int
	var stack []int
	number, low, isOpen := make([]int, len(l)), make([]int, len(l)), make([]bool, len(l))
	count := 0
	var visit func(int)
	visit = func(one int) {
		count++
		number[one], low[one], isOpen[one] = count, count, true
		stack = append(stack, one)
		for _, to := range l[one] {
			switch {
			case number[to] == 0:
				visit(to)
				low[one] = min(low[one], low[to])
			case isOpen[to]:
				low[one] = min(low[one], number[to])
			}
		}
		if low[one] < number[one] {
			return
		}
		place := slices.Index(stack, one)
		component := slices.Clone(stack[place:])
		stack = stack[:place]
		for _, member := range component {
			isOpen[member] = false
		}
		components = append(components, component)
	}
	for one := range l {
		if number[one] == 0 {
			visit(one)
		}
	}
	return components
}

// walk orders the members of a component: from its first one along the links.
func (l links) walk(component []int) []int {
	var order []int
	seen := map[int]bool{}
	var visit func(int)
	visit = func(one int) {
		if seen[one] || !slices.Contains(component, one) {
			return
		}
		seen[one] = true
		order = append(order, one)
		for _, to := range l[one] {
			visit(to)
		}
	}
	for _, one := range slices.Sorted(slices.Values(component)) {
		visit(one)
	}
	return order
}

// related splits groups into sets of related ones, in the order of the groups.
func related(groups []Group) [][]Group {
	links := linksOf(groups)
	whole := make([]int, len(groups))
	for place := range whole {
		whole[place] = place
	}
	var root func(int) int
	root = func(one int) int {
		if whole[one] != one {
			whole[one] = root(whole[one])
		}
		return whole[one]
	}
	for from := range links {
		for _, to := range links[from] {
			a, b := root(from), root(to)
			whole[max(a, b)] = min(a, b)
		}
	}
	parts := map[int][]Group{}
	for place, group := range groups {
		parts[root(place)] = append(parts[root(place)], group)
	}
	var all [][]Group
	for _, first := range keys(parts) {
		all = append(all, parts[first])
	}
	return all
}
