// Package world is an EC2 for tests: security groups, their rules and tags, and
// the network interfaces that use them. It enforces what EC2 enforces, prints
// itself as sorted text, counts calls, and can fail, lose an answer or let a
// stranger act at any call. It has the method signatures of the SDK and knows
// nothing of the code under test.
package world

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Fault is what goes wrong at one call.
type Fault struct {
	Err error
	// Lost lets the call take effect and loses only its answer.
	Lost bool
	// Late lets the call take effect that much later, whether anybody still waits
	// for its answer or not.
	Late time.Duration
}

// Call is one call that was made.
type Call struct {
	Operation string
	Write     bool
	Err       error
}

// World is an account's security groups in one Region. The zero value has no VPC;
// add one with AddVPC.
type World struct {
	// Latency is how long a call takes: under a virtual clock the elapsed time
	// divided by it is the number of dependent rounds.
	Latency time.Duration
	// PageSize bounds the pages of describe calls; 0 leaves it to the caller.
	PageSize int
	// Lag is how long a group is not shown after it was created.
	Lag time.Duration
	// BlinkAt is a call, counted from 1, that does not show every other group if it
	// describes groups: a read from a replica that lags.
	BlinkAt int
	// IgnoreFilters lets every describe call return everything, as some engines
	// do for filters that they do not know.
	IgnoreFilters bool
	// Before is called, unlocked, before call n takes effect, counted from 1.
	Before func(n int, operation string)
	// After is called, unlocked, after every call that took effect.
	After func(n int, call Call)

	mu         sync.Mutex
	vpcs       map[string]vpc
	groups     map[string]*group
	interfaces map[string]networkInterface
	faults     map[int]Fault
	calls      []Call
	serial     int
	inFlight   int
	widest     int
}

type vpc struct{ isDefault, hasIPv6 bool }

type group struct {
	id, name, description, vpcID string
	tags                         map[string]string
	rules                        []rule
	born                         time.Time
}

type networkInterface struct {
	description string
	groups      []string
}

// VPCOption says what kind of VPC is added.
type VPCOption func(*vpc)

// Default makes it the default VPC, where revoking a rule that is not there is no
// error.
func Default(v *vpc) { v.isDefault = true }

// IPv6 gives it an IPv6 range.
func IPv6(v *vpc) { v.hasIPv6 = true }

// AddVPC adds a VPC.
func (w *World) AddVPC(id string, options ...VPCOption) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var v vpc
	for _, option := range options {
		option(&v)
	}
	if w.vpcs == nil {
		w.vpcs, w.groups, w.interfaces = map[string]vpc{}, map[string]*group{}, map[string]networkInterface{}
	}
	w.vpcs[id] = v
}

// Attach puts a network interface on groups; with none, it removes it.
func (w *World) Attach(interfaceID, description string, groupIDs ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.interfaces, interfaceID)
	if len(groupIDs) > 0 {
		w.interfaces[interfaceID] = networkInterface{description: description, groups: groupIDs}
	}
}

// FailAt makes call n, counted from 1 over the life of the world, go wrong.
func (w *World) FailAt(n int, fault Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.faults == nil {
		w.faults = map[int]Fault{}
	}
	w.faults[n] = fault
}

// Calls lists the calls so far.
func (w *World) Calls() []Call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.calls)
}

// Widest is the most calls that were under way at once.
func (w *World) Widest() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.widest
}

// Forget empties the list of calls.
func (w *World) Forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls, w.faults, w.widest = nil, nil, 0
}

// call counts a call, lets its fault happen, and runs its effect.
func (w *World) call(ctx context.Context, operation string, write bool, effect func() error) error {
	w.mu.Lock()
	w.calls = append(w.calls, Call{Operation: operation, Write: write})
	n := len(w.calls)
	w.inFlight++
	w.widest = max(w.widest, w.inFlight)
	fault, fails := w.faults[n]
	w.mu.Unlock()
	err := w.take(ctx, n, operation, fault, fails, effect)
	w.mu.Lock()
	w.inFlight--
	if n <= len(w.calls) {
		w.calls[n-1].Err = err
	}
	w.mu.Unlock()
	if w.After != nil {
		w.After(n, Call{Operation: operation, Write: write, Err: err})
	}
	return err
}

func (w *World) take(ctx context.Context, n int, operation string, fault Fault, fails bool, effect func() error) error {
	if w.Before != nil {
		w.Before(n, operation)
	}
	if fault.Late > 0 {
		<-time.After(fault.Late)
		w.mu.Lock()
		defer w.mu.Unlock()
		return errors.Join(effect(), ctx.Err())
	}
	if w.Latency > 0 {
		timer := time.NewTimer(w.Latency)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if fails && !fault.Lost {
		return fault.Err
	}
	w.mu.Lock()
	err := effect()
	w.mu.Unlock()
	if fails {
		return fault.Err
	}
	return err
}

// GroupID finds a group by its name.
func (w *World) GroupID(name string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, group := range w.groups {
		if strings.EqualFold(group.name, name) {
			return id
		}
	}
	return ""
}

// Groups lists the IDs of all groups, by name.
func (w *World) Groups() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.SortedFunc(maps.Keys(w.groups), func(a, b string) int { return cmp.Compare(w.groups[a].name, w.groups[b].name) })
}

// Tag reads a tag of a group.
func (w *World) Tag(groupID, key string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if group := w.groups[groupID]; group != nil {
		return group.tags[key]
	}
	return ""
}

// String prints the world: groups by name, then their tags and rules, peers by
// name. Generated hashes are left as they are.
func (w *World) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var blocks []string
	for _, group := range w.groups {
		var text strings.Builder
		fmt.Fprintf(&text, "%s %q in %s\n", group.name, group.description, group.vpcID)
		for _, key := range slices.Sorted(maps.Keys(group.tags)) {
			fmt.Fprintf(&text, "  tag %s=%s\n", key, group.tags[key])
		}
		lines := make([]string, 0, len(group.rules))
		for _, rule := range group.rules {
			lines = append(lines, "  "+rule.text(w.groups))
		}
		slices.Sort(lines)
		for _, line := range lines {
			text.WriteString(line + "\n")
		}
		blocks = append(blocks, text.String())
	}
	slices.Sort(blocks)
	return strings.Join(blocks, "")
}

// Strip leaves only the rules in a printed world, for comparisons in which the
// tags do not matter.
func Strip(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "  tag ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// Meddle is a stranger's hand, chosen by a number: on a group with ownership tags
// it adds a rule, removes one, or edits a description.
func (w *World) Meddle(hand int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var owned []string
	for id, group := range w.groups {
		if group.tags["sgchain:provider"] != "" {
			owned = append(owned, id)
		}
	}
	if len(owned) == 0 {
		return
	}
	slices.Sort(owned)
	target := w.groups[owned[hand%len(owned)]]
	kind, which := hand/7%3, hand/21
	switch {
	case kind == 0 || len(target.rules) == 0:
		port := int32(which % 1000)
		added := rule{egress: which%2 == 0, protocol: "tcp", from: port, to: port, peer: "198.51.100.0/24", description: "by hand"}
		if !slices.ContainsFunc(target.rules, added.same) {
			target.rules = append(target.rules, added)
		}
	case kind == 1:
		place := which % len(target.rules)
		target.rules = slices.Delete(target.rules, place, place+1)
	default:
		target.rules[which%len(target.rules)].description = "edited by hand"
	}
}

// Revoke is a stranger who removes the rules of a group that let a port in.
func (w *World) Revoke(name, protocol string, port int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, group := range w.groups {
		if group.name == name {
			group.rules = slices.DeleteFunc(group.rules, func(r rule) bool {
				return !r.egress && r.protocol == protocol && r.from <= port && port <= r.to
			})
		}
	}
}
