package lifecycle

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// run moves the chain.
func (m *departure) run() {
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
		p.over, p.cf.abandoned = true, true // no template has the groups; people have to undo an out-of-band change
		return
	}
	if !isMoved {
		p.moving.from, p.moving.isExact = nil, p.moving.isExact && !p.watch.hasOutOfBandChange()
		p.cf.goTo(m.from)
		m.check(m.from, m.to, "undone")
		p.watch.unchanged(m.outOfBand)
		return
	}
	p.cf.goTo(m.to)
	m.afterMove()
}

// keep removes the chain from its template but keeps its groups, in which dependents stay.
func (m *departure) keep() {
	m.useKept()
	m.cf.at(m.from, func() {
		if m.step.Move.Way == keptDeleted && m.to.StackID != m.from.StackID && len(m.cf.others()) == 0 {
			m.moving.byName = false // a deleted stack cannot be found by its name
			// An older event would delete what it finds once the stack is gone, even groups that
			// were retained.
			<-time.After(m.wait(maxAge))
			m.cf.Delete(Operation{Retain: true})
			return
		}
		m.cf.Update(Operation{Retain: true})
	})
	m.cf.abandoned = m.abandoned
	<-time.After(m.wait(seconds(longRest)))
}

// useKept makes dependents use groups that no template has, until the chain has them again.
func (m *departure) useKept() {
	tiers := m.cf.GroupIDs()
	m.cf.mu.Lock()
	m.cf.deploymentOf(m.to).tiers = tiers
	m.cf.mu.Unlock()
	m.cf.follow(m.to)
}

// create creates the chain in its new place and reports whether that succeeded.
func (m *departure) create(step Step) bool {
	p, way := m.player, m.step.Move.Way
	m.cf.goTo(m.to)
	m.cf.onlyTags = m.to
	operation := step.operation(p.properties(*p.chain), p.pace.Waits)
	operation.From, operation.Kept = &m.from, m.step.Move.isKept()
	operation.NoRollback = false // a half-finished move is not simulated
	operation.RemovesOld = m.to.StackID == m.from.StackID && (way == "" || way == stackDeleted)
	operation.Retains = operation.RemovesOld && step.Retain
	isMoved := p.cf.Create(operation)
	switch {
	case isMoved:
		return true
	case m.mustSucceed && step.undisturbed() && !p.watch.hasOutOfBandChange() && !p.cf.refused:
		p.watch.violate(Moving, "an undisturbed move failed: "+p.cf.StackStatus())
	}
	if m.to.StackID != m.from.StackID && strings.Contains(p.cf.StackStatus(), "ROLLBACK") && !strings.HasPrefix(p.cf.StackStatus(), "UPDATE_") {
		m.discard()
	}
	return false
}

// discard deletes the other stack, which had nothing but a failed Create.
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

// isStuck reports whether the Delete that undoes a move failed three times. Then the groups belong
// to the new chain, which CloudFormation has forgotten, until the chain is moved again.
func (m *departure) isStuck() bool {
	return !m.abandoned && m.cf.abandoned
}

// check compares the groups of two places with what the chain had.
func (m *departure) check(owner, other Place, how string) {
	p := m.player
	p.watch.count(Moving)
	p.cf.abandoned = m.abandoned
	if p.watch.GroupRemoved() {
		return
	}
	if owner == m.to && !maps.Equal(p.cf.GroupIDs(), m.answered) {
		p.watch.violate(Moving, fmt.Sprintf("%s: dependents are told of the groups %v, and used %v", how, p.cf.GroupIDs(), m.answered))
	}
	now, rest := p.holdings(owner), p.holdings(other)
	m.checkUnchanged(owner, now, how)
	for _, id := range slices.Sorted(maps.Keys(now)) {
		// An orphaned group of an earlier move returns to the place that it came from, if that has
		// a chain again.
		if owner == m.to && m.isOrphan(id) && p.cf.World.Tag(id, tagMovedFrom) != "settled" {
			p.watch.violate(Moving, fmt.Sprintf("%s: group %s has moved, but no dependent was told of it", how, id))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(rest)) {
		if !m.isOrphan(id) {
			p.watch.violate(Moving, fmt.Sprintf("%s: %v has the group %s", how, other, id))
		}
	}
}

// checkUnchanged compares the groups of a place with their earlier state.
func (m *departure) checkUnchanged(owner Place, now map[string]holding, how string) {
	p := m.player
	for id, was := range m.before {
		is, has := now[id]
		switch isGone := !slices.Contains(p.cf.World.Groups(), id); {
		case !has && m.isOrphan(id):
		case !has:
			p.watch.violate(Moving, fmt.Sprintf("%s: group %s no longer belongs to the chain (deleted: %v)", how, id, isGone))
		case owner == m.from && is.epoch != was.epoch:
			p.watch.violate(Moving, fmt.Sprintf("%s: group %s has the epoch %s, want %s", how, id, is.epoch, was.epoch))
		case m.staysExact() && (is.rules != was.rules || is.tags != was.tags):
			p.watch.violate(Moving, fmt.Sprintf("%s: group %s has changed from\n%+v to\n%+v", how, id, was, is))
		}
	}
}

// staysExact reports whether the groups must be unchanged. A repair during the move may fix what
// was wrong. If the old chain is updated during the move and a run of the move dies, its rollback
// may run without the groups. Then rules of the failed update stay until the next one.
func (m *departure) staysExact() bool {
	isAlone := m.step.Move.Way != overlapping || (m.wasExact && m.step.undisturbed())
	return isAlone && !m.watch.hasOutOfBandChange() && !m.history.Repairs
}

// isOrphan reports whether no dependent was told of a group: an earlier operation orphaned it.
func (m *departure) isOrphan(id string) bool {
	return !slices.Contains(slices.Collect(maps.Values(m.answered)), id)
}

// afterMove handles the place that the chain left.
func (m *departure) afterMove() {
	p := m.player
	if way := m.step.Move.Way; strings.HasPrefix(way, left) {
		m.leaveOld(way)
		return
	}
	if m.to.StackID != m.from.StackID && !m.step.Move.isKept() {
		<-time.After(p.wait(seconds(max(m.step.Rest, 1))))
		m.removeOld(m.step.Mishaps)
	}
	if p.watch.Failed() != nil {
		return
	}
	m.check(m.to, m.from, "moved")
	p.watch.Settle(*p.chain, true)
	p.reusePlace(m)
}

// removeOld removes the old resource from its template, or deletes its stack.
func (m *departure) removeOld(mishaps []Mishap) {
	operation := Operation{Mishaps: mishaps[min(1, len(mishaps)):]}
	m.cf.at(m.from, func() {
		if m.step.Move.Way == stackDeleted {
			if !m.cf.Delete(operation) && !m.watch.hasOutOfBandChange() {
				m.watch.violate(Moving, "the old stack cannot be deleted")
			}
			return
		}
		m.cf.Update(operation)
	})
}

// leaveOld plays what follows if the old resource stays in its template.
func (m *departure) leaveOld(way string) {
	p := m.player
	p.moving.isLeft = true
	defer func() { p.moving.isLeft = false }()
	<-time.After(p.wait(seconds(max(m.step.Rest, 1))))
	m.check(m.to, m.from, "moved, and left in the template")
	p.watch.Settle(*p.chain, true)
	p.cf.onlyTags = Place{}
	if way == leftLong {
		p.build(Step{Do: "update", Chain: p.chain.without(), Rest: longRest})
		<-time.After(p.wait(seconds(longRest)))
	}
	if way == leftLong || way == leftUpdated {
		m.updateOld()
		<-time.After(p.wait(seconds(longRest)))
	}
	if p.watch.Failed() != nil {
		return
	}
	if way == leftUndone {
		m.undo()
		return
	}
	m.removeOld(m.step.Mishaps)
	if way != leftLong {
		m.check(m.to, m.from, "removed later")
	}
}

// updateOld updates the old resource. The update has to be refused and its rollback has to succeed.
func (m *departure) updateOld() {
	p := m.player
	chain := p.chain.changed(m.step.Pick)
	chain.Tags = map[string]string{"Cost": "of the moved chain"}
	before, orphans := p.holdings(m.to), p.holdings(m.from)
	calls := len(p.cf.World.Calls())
	isUpdated := true
	p.cf.at(m.from, func() {
		isUpdated = p.cf.Update(Operation{Properties: chain.Properties(VPC)})
		if status := p.cf.StackStatus(); !isUpdated && status != "UPDATE_ROLLBACK_COMPLETE" {
			p.watch.violate(Moving, "the rollback of the old resource failed: "+status)
		}
	})
	switch now := p.holdings(m.to); {
	case p.watch.GroupRemoved() || p.watch.hasOutOfBandChange():
	case isUpdated:
		p.watch.violate(Moving, "an update of the old resource succeeded after its groups had moved")
	case !maps.Equal(before, now) || !maps.Equal(orphans, p.holdings(m.from)):
		p.watch.violate(Moving, fmt.Sprintf("an update of the old resource changed groups: before %v, after %v", before, now))
	}
	for _, call := range p.cf.World.Calls()[calls:] {
		if r := p.cf.requestOf(call); call.Write && r != nil && r.place == m.from {
			p.watch.violate(Moving, "an update of the old resource wrote: "+call.String())
		}
	}
}

// undo removes the new resource from its template while the old one exists. The old resource has to
// get its groups back.
func (m *departure) undo() {
	p := m.player
	p.cf.onlyTags = m.to
	p.cf.follow(m.from)
	p.cf.at(m.to, func() { p.cf.Update(Operation{Mishaps: m.step.Mishaps[min(1, len(m.step.Mishaps)):]}) })
	p.cf.goTo(m.from)
	p.moving.from = nil
	if m.isStuck() {
		p.over = true // the new resource has the groups, and CloudFormation has forgotten it
		return
	}
	m.check(m.from, m.to, "undone by removing the new resource")
}

// reusePlace creates another chain in the place that the chain left.
func (p *player) reusePlace(m *departure) {
	if !m.step.Move.Reuses || !p.cf.stackExists(m.from) {
		return
	}
	p.out.Kinds["another chain is created in the old place"] = true
	p.cf.onlyTags = Place{}
	before := p.holdings(m.to)
	<-time.After(p.wait(seconds(longRest)))
	chain := Chain{Tiers: []Tier{{Name: "A", Text: "another", Egress: "all"}, {Name: "B", Text: "another", Egress: "chain", Inbound: []Rule{{Port: 80, Peers: []string{"A"}}}}}}
	isCreated := false
	p.cf.at(m.from, func() { isCreated = p.cf.Create(Operation{Properties: chain.Properties(VPC)}) })
	switch {
	case p.watch.GroupRemoved() || p.watch.hasOutOfBandChange():
	case !isCreated:
		p.watch.violate(Moving, "no chain can be created in the old place")
	case !maps.Equal(before, p.holdings(m.to)):
		p.watch.violate(Moving, "creating a chain in the old place changed the moved chain")
	}
}

// checkMarks checks the marks of moved groups against the place that they came from. Once that
// place is gone, an update has to remove the marks.
func (p *player) checkMarks(step Step) {
	p.moving.isExact = !p.watch.hasOutOfBandChange()
	if p.moving.from == nil || !step.undisturbed() || p.watch.hasOutOfBandChange() {
		return
	}
	exists := p.moving.isLeft
	for tier, id := range p.cf.GroupIDs() {
		mark, stack := p.cf.World.Tag(id, tagMovedFrom), p.cf.World.Tag(id, "sgchain:moved-from-stack")
		if isSettled := stack == ""; mark != "" && isSettled == exists {
			p.watch.violate(Moving, fmt.Sprintf("tier %s (%s) has the marks %q and %q; its old place exists: %v", tier, id, mark, stack, exists))
		}
	}
}

// deleteOtherStacks deletes the stacks that do not have the chain.
func (p *player) deleteOtherStacks() {
	p.cf.mu.Lock()
	all := slices.Sorted(maps.Keys(p.cf.stacks))
	p.cf.mu.Unlock()
	for _, id := range all {
		place := Place{id, LogicalID}
		if id == p.cf.place().StackID || !p.cf.stackExists(place) {
			continue
		}
		isGone := false
		p.cf.at(place, func() { isGone = p.cf.Delete(Operation{}) })
		if !isGone {
			p.watch.violate(Crash, "the stack "+stackName(id)+" cannot be deleted")
		}
	}
}
