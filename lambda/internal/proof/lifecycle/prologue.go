package lifecycle

import (
	"maps"
	"slices"
	"time"
)

// Prologue is the common beginning of several histories. It is played once, and each history
// continues from a copy of it.
type Prologue struct {
	player *player
	ended  time.Time
}

// PlayPrologue plays the steps that histories share. They must end with nothing in progress,
// because a copy does not include that.
func PlayPrologue(h History, function Function, pace Pace) *Prologue {
	p := begin(h, function, pace, false)
	p.takeSteps(h.Steps)
	p.cf.Drain()
	return &Prologue{p, time.Now()}
}

// Play plays more steps after those of the prologue, as [Play] does, with a new function. Only one
// history of a prologue may be played at a time.
func (p *Prologue) Play(steps []Step, function Function) Outcome {
	was := p.player
	next := newPlayer(was.history, was.cf.World.Clone(), function, was.pace, false)
	next.watches()
	<-time.After(time.Until(p.ended)) // the virtual clock has started again
	next.before, next.over, next.chain, next.tagSources = was.before, was.over, was.chain, maps.Clone(was.tagSources)
	next.out = was.out.clone()
	next.cf.resume(was.cf)
	next.watch.resume(was.watch)
	return next.play(steps)
}

func (o *Outcome) clone() Outcome {
	return Outcome{Failure: o.Failure, Events: o.Events, Rows: maps.Clone(o.Rows), Kinds: maps.Clone(o.Kinds), Sent: slices.Clone(o.Sent), Runs: slices.Clone(o.Runs)}
}

// resume copies the state of a stack in which nothing is in progress.
func (c *CloudFormation) resume(was *CloudFormation) {
	c.encodings, c.serial, c.members = slices.Clip(was.encodings), was.serial, slices.Clone(was.members)
	c.here, c.main, c.abandoned, c.refused = was.here, was.main, was.abandoned, was.refused
	for id, one := range was.stacks {
		*c.stackOf(id) = *one
		c.stackOf(id).past = slices.Clip(one.past)
	}
	for place, one := range was.deployments {
		*c.deploymentOf(place) = *one
	}
}

// resume copies what another watch knows.
func (w *Watch) resume(was *Watch) {
	w.inPlay, w.past, w.before = slices.Clip(was.inPlay), slices.Clip(was.past), maps.Clone(was.before)
	w.exempt, w.edited, w.checks = maps.Clone(was.exempt), maps.Clone(was.edited), maps.Clone(was.checks)
	w.outOfBand, w.groupRemoved, w.ipv6Egress, w.leftOut, w.creates = was.outOfBand, was.groupRemoved, was.ipv6Egress, was.leftOut, was.creates
	w.releasing, w.released = was.releasing, maps.Clone(was.released)
	w.peers, w.gone, w.peerNames, w.failed = slices.Clip(was.peers), slices.Clip(was.gone), was.peerNames, was.failed
	for _, group := range was.adoptables {
		one := *group
		w.adoptables = append(w.adoptables, &one)
	}
}
