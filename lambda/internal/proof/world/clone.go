package world

import (
	"maps"
	"slices"
)

// Clone returns an independent copy of the world. No call may be in progress. The copy starts with
// an empty list of calls and without After.
func (w *World) Clone() *World {
	w.mu.Lock()
	defer w.mu.Unlock()
	next := &World{
		Latency: w.Latency, PageSize: w.PageSize, Lag: w.Lag, TagLag: w.TagLag, Newborn: w.Newborn, IgnoreFilters: w.IgnoreFilters,
		OneByOne: w.OneByOne, Throttles: w.Throttles, RuleQuota: w.RuleQuota, GroupQuota: w.GroupQuota,
		vpcs: maps.Clone(w.vpcs), groups: make(map[string]*group, len(w.groups)), interfaces: maps.Clone(w.interfaces), lists: maps.Clone(w.lists),
		peerings: maps.Clone(w.peerings), transits: maps.Clone(w.transits), buckets: make(map[string]*bucket, len(w.buckets)), serial: w.serial, noMoreInterfaces: w.noMoreInterfaces,
	}
	for id, g := range w.groups {
		next.groups[id] = g.clone()
	}
	for _, g := range w.byID {
		next.byID = append(next.byID, next.groups[g.id])
	}
	for operation, b := range w.buckets {
		one := *b
		next.buckets[operation] = &one
	}
	return next
}

// clone copies a group. Its states never change, and their cached results are read-only.
func (g *group) clone() *group {
	next := *g
	next.ruleIDs, next.states = maps.Clone(g.ruleIDs), slices.Clone(g.states)
	for i := range next.states {
		remembered := *next.states[i].memo
		next.states[i].memo = &remembered
	}
	return &next
}
