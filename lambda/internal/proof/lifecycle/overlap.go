package lifecycle

import (
	"fmt"
	"reflect"
	"slices"
	"time"
)

// overlap moves the chain to another stack while it is updated in its own: one of the two fails, and
// the groups are the other one's.
func (m *departure) overlap() {
	p := m.player
	next := p.chain.changed(m.step.Pick)
	if reflect.DeepEqual(next, *p.chain) {
		next = next.without()
	}
	p.watch.Begin(next, false)
	var isUpdated bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		<-time.After(p.wait(time.Duration(m.step.Move.Late) * time.Millisecond))
		isUpdated = m.cf.beside(m.from).Update(Operation{Properties: next.Properties(VPC)})
	}()
	m.mustSucceed, m.cf.overlaps = false, true
	isMoved := m.create(m.step)
	<-ended
	<-time.After(p.wait(seconds(longRest)))
	m.cf.overlaps = false
	p.out.Kinds[fmt.Sprintf("move while it changes: moved %v, changed %v", isMoved, isUpdated)] = true
	p.cf.goTo(p.cf.mainPlace())
	switch {
	case p.watch.Failed() != nil:
	case isMoved && isUpdated && !p.watch.Robbed():
		p.watch.violate(Moving, "a chain was moved and changed at once")
	case isMoved:
		p.cf.pure = Place{}
		m.takeOut(nil)
		m.judge(m.to, m.from, "moved while the old chain was to change")
	case isUpdated:
		p.chain, p.moving.from = &next, nil
		p.watch.Settle(next, true)
	case m.isStuck():
		p.over = true // CloudFormation has forgotten whose the groups are
	default:
		p.moving.from = nil
		p.over = !m.staysExact() // of what the failed update left, nothing is expected any more
		m.judge(m.from, m.to, "neither moved nor changed")
	}
}

// changed is a chain with another door, or with another group in the place of one.
func (c Chain) changed(pick int) Chain {
	tiers := slices.Clone(c.Tiers)
	last := &tiers[len(tiers)-1]
	if pick%2 == 0 && !last.Named {
		last.Text += "changed"
	} else {
		last.Doors = append(slices.DeleteFunc(slices.Clone(last.Doors), func(one Door) bool { return one.Port == 6060 }), Door{6060, []string{"203.0.113.0/28"}})
	}
	c.Tiers = tiers
	return c
}
