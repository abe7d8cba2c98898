package lifecycle

import (
	"slices"
	"strings"
)

// judge goes through the flows of the members there are, and says of each that looks
// wrong whether all chains in play allow it, whether they may be taken to allow it, and
// whether the world does. Somebody who stayed in a group that an earlier operation
// left behind is owed nothing, and may do what any chain since then allowed. So may all after a
// way back that could not look up who had been let in: what the failed update let in serves them.
func (w *Watch) judge(verdict func(flow string, must, may, is bool)) {
	members := w.cf.Members()
	w.mu.Lock()
	inPlay, everyone, exempt, known, leftOut := w.inPlay, slices.Concat(w.inPlay, w.past), w.exempt, w.cf.GroupIDs(), w.leftOut
	standing := make([]standing, len(members))
	for i, one := range members {
		standing[i] = w.standingOf(one.Group, known)
	}
	w.mu.Unlock()
	if len(inPlay) == 0 {
		return
	}
	w.peersFlows(members, func(at int, one flow, is bool) {
		may := one.maybe(inPlay) || (leftOut && is && one.maybe(everyone))
		if standing[at].stale || standing[at].loose || is == may || (!is && (leftOut || standing[at].held || !one.owed(inPlay, true))) || exempt[one.String()] {
			return
		}
		verdict(one.String(), !is, may, is)
	})
	w.court.convene(members, inPlay, everyone, !strings.Contains(w.cf.StackStatus(), "ROLLBACK"))
	w.judgeWays(standing, leftOut, func(flow string, must, may, is bool) {
		if !exempt[flow] {
			verdict(flow, must, may, is)
		}
	})
}

// judgeWays goes through the flows between members and from outside.
func (w *Watch) judgeWays(standing []standing, leftOut bool, verdict func(flow string, must, may, is bool)) {
	look := w.cf.World.Look(questions, w.court.groups...)
	for i := range w.court.ways {
		one := &w.court.ways[i]
		is := one.is(look)
		source, target := at(standing, one.sourceAt), at(standing, one.targetAt)
		stale, loose := source.stale || target.stale, source.loose || target.loose
		must := !stale && !leftOut && !source.held && !target.held && w.court.kinds[i].owed
		may := loose || (!stale && w.court.kinds[i].may) || ((stale || leftOut) && is && w.court.ever(i))
		if (must && !is) || (is && !may) {
			verdict(one.String(), must, may, is)
		}
	}
}

// standing is what the watch knows of the group of a member: that an earlier operation left
// it behind, that a stranger's hand fell on it, that it may have more rules than the chain.
type standing struct{ stale, held, loose bool }

// standingOf is asked with the watch locked.
func (w *Watch) standingOf(group string, answered map[string]string) standing {
	known := w.before[group]
	for _, id := range answered {
		known = known || id == group
	}
	loose := false
	for _, made := range w.foreign {
		if made.id == group {
			loose = made.loose
		}
	}
	return standing{stale: !known, held: w.held[group], loose: loose}
}

// at is the standing of one end of a flow; somebody outside has none.
func at(all []standing, place int) standing {
	if place < 0 {
		return standing{}
	}
	return all[place]
}

func openOrShut(is bool) string {
	if is {
		return "open"
	}
	return "shut"
}

// flows checks every flow: open where all chains in play allow it, shut where none
// lets the target take it or none lets the source send it. (One that only the old
// chain sends and only the new one takes may be open for a while: rules are
// authorized before others are revoked.)
func (w *Watch) flows() {
	w.count(NoGap)
	w.count(NoOpening)
	w.judge(func(flow string, must, may, is bool) {
		switch {
		case must && !is:
			w.violate(NoGap, flow+" is shut")
		case is && !may:
			w.violate(NoOpening, flow+" is open")
		}
	})
}
