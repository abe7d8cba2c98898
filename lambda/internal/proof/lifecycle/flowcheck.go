package lifecycle

import (
	"slices"
	"strings"
)

// eachWrongFlow reports the flows between members that look wrong: whether all chains in play
// require them, may allow them, and whether EC2 does. No flow is required of a member in an
// orphaned group, and it may do what any chain since then allowed. The same applies to all members
// after a rollback that could not look up who had access. What the failed update allows keeps
// serving them.
func (w *Watch) eachWrongFlow(report func(flow string, must, may, is bool)) {
	members := w.cf.Members()
	w.mu.Lock()
	inPlay, everyone, exempt, known, leftOut := w.inPlay, slices.Concat(w.inPlay, w.past), w.exempt, w.cf.GroupIDs(), w.leftOut
	states := make([]groupState, len(members))
	for i, one := range members {
		states[i] = w.groupStateOf(one.Group, known)
	}
	w.mu.Unlock()
	if len(inPlay) == 0 {
		return
	}
	w.eachPeerFlow(members, func(at int, one flow, is bool) {
		may := one.mayBeAllowed(inPlay) || (leftOut && is && one.mayBeAllowed(everyone))
		if states[at].stale || states[at].extraRules || is == may || (!is && (leftOut || states[at].edited || !one.required(inPlay, true))) || exempt[one.String()] {
			return
		}
		report(one.String(), !is, may, is)
	})
	w.expectations.prepare(members, inPlay, everyone, !strings.Contains(w.cf.StackStatus(), "ROLLBACK"))
	w.eachWrongProbe(states, leftOut, func(flow string, must, may, is bool) {
		if !exempt[flow] {
			report(flow, must, may, is)
		}
	})
}

// eachWrongProbe checks the flows between members and from outside.
func (w *Watch) eachWrongProbe(states []groupState, leftOut bool, report func(flow string, must, may, is bool)) {
	look := w.cf.World.Look(questions, w.expectations.groups...)
	for i := range w.expectations.probes {
		one := &w.expectations.probes[i]
		is := one.isAllowed(look)
		source, target := at(states, one.sourceAt), at(states, one.targetAt)
		stale, extraRules := source.stale || target.stale, source.extraRules || target.extraRules
		must := !stale && !leftOut && !source.edited && !target.edited && w.expectations.expected[i].required
		may := extraRules || (!stale && w.expectations.expected[i].allowed) || ((stale || leftOut) && is && w.expectations.mayEverBeAllowed(i))
		if (must && !is) || (is && !may) {
			report(one.String(), must, may, is)
		}
	}
}

// groupState is what the watch knows of a member's group. stale: an earlier operation orphaned it.
// edited: it had an out-of-band change. extraRules: it may have more rules than the chain.
type groupState struct{ stale, edited, extraRules bool }

// groupStateOf needs w.mu.
func (w *Watch) groupStateOf(group string, answered map[string]string) groupState {
	known := w.before[group]
	for _, id := range answered {
		known = known || id == group
	}
	extraRules := false
	for _, one := range w.adoptables {
		if one.id == group {
			extraRules = one.extraRules
		}
	}
	return groupState{stale: !known, edited: w.edited[group], extraRules: extraRules}
}

// at returns the state of one end of a flow; an address outside has none.
func at(all []groupState, index int) groupState {
	if index < 0 {
		return groupState{}
	}
	return all[index]
}

func openOrClosed(is bool) string {
	if is {
		return "open"
	}
	return "closed"
}

// checkFlows checks every flow. It must be open if all chains in play allow it. It must be closed
// if none lets the target receive it or none lets the source send it. A flow that only the old
// chain sends and only the new one receives may be open for a while. The reason is that rules are
// authorized before others are revoked.
func (w *Watch) checkFlows() {
	w.count(NoGap)
	w.count(NoOpening)
	w.eachWrongFlow(func(flow string, must, may, is bool) {
		switch {
		case must && !is:
			w.violate(NoGap, flow+" is closed")
		case is && !may:
			w.violate(NoOpening, flow+" is open")
		}
	})
}
