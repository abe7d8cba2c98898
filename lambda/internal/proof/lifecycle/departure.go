package lifecycle

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// depart moves the chain.
func (m *departure) depart() {
	p := m.player
	p.moving.from, p.moving.byName = &m.from, m.step.Move.ByName
	if m.step.Move.Way == overlapping {
		m.overlap()
		return
	}
	if m.step.Move.isKept() {
		m.keep()
	}
	isMoved := m.create(m.step)
	if !isMoved && (m.step.Move.isKept() || m.isStuck()) {
		m.mustSucceed = m.wasExact
		isMoved = m.create(Step{Rest: longRest})
	}
	if p.over || p.watch.Failed() != nil {
		return
	}
	if !isMoved && (m.step.Move.isKept() || m.isStuck()) {
		p.cf.goTo(p.cf.mainPlace())
		p.over, p.cf.abandoned = true, true // no template has the groups: people have to undo what a stranger did
		return
	}
	if !isMoved {
		p.moving.from, p.moving.isExact = nil, p.moving.isExact && !p.watch.meddled()
		p.cf.goTo(m.from)
		m.judge(m.from, m.to, "undone")
		p.watch.unchanged(m.meddled)
		return
	}
	p.cf.goTo(m.to)
	m.after()
}

// keep takes the chain out of its template, and keeps its groups, in which dependents stay.
func (m *departure) keep() {
	m.useKept()
	m.cf.at(m.from, func() {
		if m.step.Move.Way == keptDeleted && m.to.StackID != m.from.StackID && len(m.cf.others()) == 0 {
			m.moving.byName = false // nothing is found by the name of a stack that is gone
			// An event from before would sweep what it finds once the stack is gone, whatever was to be kept.
			<-time.After(m.wait(maxAge))
			m.cf.Delete(Operation{Retain: true})
			return
		}
		m.cf.Update(Operation{Retain: true})
	})
	m.cf.abandoned = m.abandoned
	<-time.After(m.wait(seconds(longRest)))
}

// useKept lets dependents use groups that no template has, until the chain has them again.
func (m *departure) useKept() {
	tiers := m.cf.GroupIDs()
	m.cf.mu.Lock()
	m.cf.siteOf(m.to).tiers = tiers
	m.cf.mu.Unlock()
	m.cf.follow(m.to)
}

// create makes the chain in its new place, and reports whether that succeeded.
func (m *departure) create(step Step) bool {
	p, way := m.player, m.step.Move.Way
	m.cf.goTo(m.to)
	m.cf.pure = m.to
	operation := step.operation(p.properties(*p.chain), p.pace.Waits)
	operation.From, operation.Kept = &m.from, m.step.Move.isKept()
	operation.NoRollback = false // what is half moved then is not played
	operation.Out = m.to.StackID == m.from.StackID && (way == "" || way == stackDeleted)
	operation.Retains = operation.Out && step.Retain
	isMoved := p.cf.Create(operation)
	switch {
	case isMoved:
		return true
	case m.mustSucceed && step.undisturbed() && !p.watch.meddled() && !p.cf.refused:
		p.watch.violate(Moving, "a move in which nothing went wrong failed: "+p.cf.StackStatus())
	}
	if m.to.StackID != m.from.StackID && strings.Contains(p.cf.StackStatus(), "ROLLBACK") && !strings.HasPrefix(p.cf.StackStatus(), "UPDATE_") {
		m.discard()
	}
	return false
}

// discard deletes the other stack, in which nothing but a failed Create was.
func (m *departure) discard() {
	p := m.player
	failed, isUsed := m.to, p.cf.mainPlace() == m.to
	p.moving.stacks++
	if m.to = Away(p.moving.stacks); isUsed {
		m.useKept()
	}
	p.cf.at(failed, func() {
		if !p.cf.Delete(Operation{}) {
			p.watch.violate(Crash, "the stack of a failed move cannot be deleted: "+p.cf.StackStatus())
		}
	})
	p.cf.abandoned = m.abandoned
	<-time.After(p.wait(seconds(longRest)))
}

// isStuck reports whether the Delete that takes a move back failed three times: the groups are the new
// chain's then, which CloudFormation has forgotten, until somebody moves the chain once more.
func (m *departure) isStuck() bool {
	return !m.abandoned && m.cf.abandoned
}

// judge holds what two places have against what the chain had.
func (m *departure) judge(owner, other Place, how string) {
	p := m.player
	p.watch.count(Moving)
	p.cf.abandoned = m.abandoned
	if p.watch.Robbed() {
		return
	}
	if owner == m.to && !maps.Equal(p.cf.GroupIDs(), m.answered) {
		p.watch.violate(Moving, fmt.Sprintf("%s: dependents are told of %v, and used %v", how, p.cf.GroupIDs(), m.answered))
	}
	now, rest := p.holdings(owner), p.holdings(other)
	m.asBefore(owner, now, how)
	for _, id := range slices.Sorted(maps.Keys(now)) {
		// What was left behind after an earlier move is given back to the place that it came from, where
		// a chain is again by now.
		if owner == m.to && m.isSpare(id) && p.cf.World.Tag(id, tagMovedFrom) != "settled" {
			p.watch.violate(Moving, fmt.Sprintf("%s: group %s has moved, of which nobody was told", how, id))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(rest)) {
		if !m.isSpare(id) {
			p.watch.violate(Moving, fmt.Sprintf("%s: %v has the group %s", how, other, id))
		}
	}
}

// asBefore holds the groups that a place has against what they were.
func (m *departure) asBefore(owner Place, now map[string]holding, how string) {
	p := m.player
	for id, was := range m.before {
		is, has := now[id]
		switch isGone := !slices.Contains(p.cf.World.Groups(), id); {
		case !has && m.isSpare(id):
		case !has:
			p.watch.violate(Moving, fmt.Sprintf("%s: group %s is not the chain's any more (deleted: %v)", how, id, isGone))
		case owner == m.from && is.epoch != was.epoch:
			p.watch.violate(Moving, fmt.Sprintf("%s: group %s has the epoch %s, and had %s", how, id, is.epoch, was.epoch))
		case m.staysExact() && (is.rules != was.rules || is.tags != was.tags):
			p.watch.violate(Moving, fmt.Sprintf("%s: group %s has changed from\n%+v to\n%+v", how, id, was, is))
		}
	}
}

// staysExact reports whether the groups have to be what they were. A repair beside the move may put
// right what was wrong. Where the old chain is updated meanwhile, its way back may come while the
// groups are away, because a run of the move died: then rules of the failed update stay until the
// next one.
func (m *departure) staysExact() bool {
	isAlone := m.step.Move.Way != overlapping || (m.wasExact && m.step.undisturbed())
	return isAlone && !m.watch.meddled() && !m.history.Repairs
}

// isSpare reports whether no dependent was told of a group: an earlier operation left it behind.
func (m *departure) isSpare(id string) bool {
	return !slices.Contains(slices.Collect(maps.Values(m.answered)), id)
}

// after is what becomes of the place that the chain left.
func (m *departure) after() {
	p := m.player
	if way := m.step.Move.Way; strings.HasPrefix(way, left) {
		m.leftIn(way)
		return
	}
	if m.to.StackID != m.from.StackID && !m.step.Move.isKept() {
		<-time.After(p.wait(seconds(max(m.step.Rest, 1))))
		m.takeOut(m.step.Mishaps)
	}
	if p.watch.Failed() != nil {
		return
	}
	m.judge(m.to, m.from, "moved")
	p.watch.Settle(*p.chain, true)
	p.anew(m)
}

// takeOut takes the resource that the chain left out of its template, or deletes its stack.
func (m *departure) takeOut(mishaps []Mishap) {
	operation := Operation{Mishaps: mishaps[min(1, len(mishaps)):]}
	m.cf.at(m.from, func() {
		if m.step.Move.Way == stackDeleted {
			if !m.cf.Delete(operation) && !m.watch.meddled() {
				m.watch.violate(Moving, "the stack that the chain left cannot be deleted")
			}
			return
		}
		m.cf.Update(operation)
	})
}

// leftIn is what follows where the resource that the chain left stays in its template.
func (m *departure) leftIn(way string) {
	p := m.player
	p.moving.isLeft = true
	defer func() { p.moving.isLeft = false }()
	<-time.After(p.wait(seconds(max(m.step.Rest, 1))))
	m.judge(m.to, m.from, "moved, and left in the template")
	p.watch.Settle(*p.chain, true)
	p.cf.pure = Place{}
	if way == leftLong {
		p.build(Step{Do: "update", Chain: p.chain.without(), Rest: longRest})
		<-time.After(p.wait(seconds(longRest)))
	}
	if way == leftLong || way == leftUpdated {
		m.updateLeft()
		<-time.After(p.wait(seconds(longRest)))
	}
	if p.watch.Failed() != nil {
		return
	}
	if way == leftUndone {
		m.undo()
		return
	}
	m.takeOut(m.step.Mishaps)
	if way != leftLong {
		m.judge(m.to, m.from, "taken out later")
	}
}

// updateLeft updates the resource that the chain left: that is refused, and its rollback succeeds.
func (m *departure) updateLeft() {
	p := m.player
	chain := p.chain.changed(m.step.Pick)
	chain.Tags = map[string]string{"Cost": "of the chain that moved"}
	before, spare := p.holdings(m.to), p.holdings(m.from)
	calls := len(p.cf.World.Calls())
	isUpdated := true
	p.cf.at(m.from, func() {
		isUpdated = p.cf.Update(Operation{Properties: chain.Properties(VPC)})
		if status := p.cf.StackStatus(); !isUpdated && status != "UPDATE_ROLLBACK_COMPLETE" {
			p.watch.violate(Moving, "the chain that moved cannot be rolled back: "+status)
		}
	})
	switch now := p.holdings(m.to); {
	case p.watch.Robbed() || p.watch.meddled():
	case isUpdated:
		p.watch.violate(Moving, "the chain was updated whose groups had moved")
	case !maps.Equal(before, now) || !maps.Equal(spare, p.holdings(m.from)):
		p.watch.violate(Moving, fmt.Sprintf("an update of the chain that moved changed groups: %v, %v", before, now))
	}
	for _, call := range p.cf.World.Calls()[calls:] {
		if r := p.cf.requestOf(call); call.Write && r != nil && r.place == m.from {
			p.watch.violate(Moving, "an update of the chain that moved writes: "+call.String())
		}
	}
}

// undo takes the new resource out of its template while the old one is there: that has its groups
// again.
func (m *departure) undo() {
	p := m.player
	p.cf.pure = m.to
	p.cf.follow(m.from)
	p.cf.at(m.to, func() { p.cf.Update(Operation{Mishaps: m.step.Mishaps[min(1, len(m.step.Mishaps)):]}) })
	p.cf.goTo(m.from)
	p.moving.from = nil
	if m.isStuck() {
		p.over = true // the new resource has the groups, and CloudFormation has forgotten it
		return
	}
	m.judge(m.from, m.to, "undone by taking the new resource out")
}

// anew makes another chain in the place that the chain left.
func (p *player) anew(m *departure) {
	if !m.step.Move.Anew || !p.cf.isThere(m.from) {
		return
	}
	p.out.Kinds["another chain is made where the chain was"] = true
	p.cf.pure = Place{}
	before := p.holdings(m.to)
	<-time.After(p.wait(seconds(longRest)))
	chain := Chain{Tiers: []Tier{{Name: "A", Text: "anew", Egress: "all"}, {Name: "B", Text: "anew", Egress: "chain", Doors: []Door{{Port: 80, Sources: []string{"A"}}}}}}
	isMade := false
	p.cf.at(m.from, func() { isMade = p.cf.Create(Operation{Properties: chain.Properties(VPC)}) })
	switch {
	case p.watch.Robbed() || p.watch.meddled():
	case !isMade:
		p.watch.violate(Moving, "no chain can be made where the chain was")
	case !maps.Equal(before, p.holdings(m.to)):
		p.watch.violate(Moving, "a chain that is made where the chain was changes that one")
	}
}

// marks holds the marks of groups that moved against what is left of the place where they were: an
// update takes them away once that is gone.
func (p *player) marks(step Step) {
	p.moving.isExact = !p.watch.meddled()
	if p.moving.from == nil || !step.undisturbed() || p.watch.meddled() {
		return
	}
	isThere := p.moving.isLeft
	for tier, id := range p.cf.GroupIDs() {
		mark, stack := p.cf.World.Tag(id, tagMovedFrom), p.cf.World.Tag(id, "sgchain:moved-from-stack")
		if isSettled := stack == ""; mark != "" && isSettled == isThere {
			p.watch.violate(Moving, fmt.Sprintf("tier %s (%s) has the marks %q and %q, and that place is there: %v", tier, id, mark, stack, isThere))
		}
	}
}

// endOthers deletes the stacks that the chain is not in.
func (p *player) endOthers() {
	p.cf.mu.Lock()
	all := slices.Sorted(maps.Keys(p.cf.stacks))
	p.cf.mu.Unlock()
	for _, id := range all {
		place := Place{id, LogicalID}
		if id == p.cf.place().StackID || !p.cf.isThere(place) {
			continue
		}
		isGone := false
		p.cf.at(place, func() { isGone = p.cf.Delete(Operation{}) })
		if !isGone {
			p.watch.violate(Crash, "the stack "+stackName(id)+" cannot be deleted")
		}
	}
}
