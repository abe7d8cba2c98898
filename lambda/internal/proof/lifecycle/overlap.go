package lifecycle

import (
	"fmt"
	"reflect"
	"slices"
	"time"
)

// overlap moves the chain to another stack during an update in its own. One of the two fails, and
// the other gets the groups.
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
	case isMoved && isUpdated && !p.watch.GroupRemoved():
		p.watch.violate(Moving, "a chain was both moved and updated")
	case isMoved:
		p.cf.onlyTags = Place{}
		m.removeOld(nil)
		m.check(m.to, m.from, "moved during an update of the old chain")
	case isUpdated:
		p.chain, p.moving.from = &next, nil
		p.watch.Settle(next, true)
	case m.isStuck():
		p.over = true // CloudFormation has forgotten who has the groups
	default:
		p.moving.from = nil
		p.over = !m.staysExact() // after a failed update, nothing more can be checked
		m.check(m.from, m.to, "neither moved nor changed")
	}
}

// changed returns a chain with another rule, or with one group replaced.
func (c Chain) changed(pick int) Chain {
	tiers := slices.Clone(c.Tiers)
	last := &tiers[len(tiers)-1]
	if pick%2 == 0 && !last.Named {
		last.Text += "changed"
	} else {
		last.Inbound = append(slices.DeleteFunc(slices.Clone(last.Inbound), func(one Rule) bool { return one.Port == 6060 }), Rule{6060, []string{"203.0.113.0/28"}})
	}
	c.Tiers = tiers
	return c
}
