package lifecycle

import (
	"maps"
	"slices"
	"time"
)

// Prologue is what histories have in common that begin alike: it is lived once, and each of
// them goes on from a copy of it.
type Prologue struct {
	player *player
	ended  time.Time
}

// Live lives the steps that histories have in common. What they come to has to be at rest: a
// copy has nothing of what is still under way.
func Live(h History, function Function, pace Pace) *Prologue {
	p := begin(h, function, pace, false)
	p.live(h.Steps)
	p.cf.Drain()
	return &Prologue{p, time.Now()}
}

// Play lives more steps after those of the prologue, as [Play] does, with a function that
// remembers nothing of them. Only one history of a prologue is played at a time.
func (p *Prologue) Play(steps []Step, function Function) Outcome {
	was := p.player
	next := newPlayer(was.history, was.cf.World.Clone(), function, was.pace, false)
	next.watches()
	<-time.After(time.Until(p.ended)) // on a virtual clock that began anew
	next.before, next.over, next.chain, next.givers = was.before, was.over, was.chain, maps.Clone(was.givers)
	next.out = was.out.clone()
	next.cf.resume(was.cf)
	next.watch.resume(was.watch)
	return next.play(steps)
}

func (o *Outcome) clone() Outcome {
	return Outcome{Failure: o.Failure, Events: o.Events, Rows: maps.Clone(o.Rows), Kinds: maps.Clone(o.Kinds), Sent: slices.Clone(o.Sent), Runs: slices.Clone(o.Runs)}
}

// resume takes over what another one, at rest, has of the stack.
func (c *CloudFormation) resume(was *CloudFormation) {
	c.encodings, c.serial, c.members = slices.Clip(was.encodings), was.serial, slices.Clone(was.members)
	c.here, c.main, c.abandoned, c.refused = was.here, was.main, was.abandoned, was.refused
	for id, one := range was.stacks {
		*c.stackOf(id) = *one
		c.stackOf(id).past = slices.Clip(one.past)
	}
	for place, one := range was.sites {
		*c.siteOf(place) = *one
	}
}

// resume takes over what another watch knows.
func (w *Watch) resume(was *Watch) {
	w.inPlay, w.past, w.before = slices.Clip(was.inPlay), slices.Clip(was.past), maps.Clone(was.before)
	w.exempt, w.held, w.checks = maps.Clone(was.exempt), maps.Clone(was.held), maps.Clone(was.checks)
	w.hands, w.robbed, w.ways, w.leftOut, w.anew = was.hands, was.robbed, was.ways, was.leftOut, was.anew
	w.releasing, w.released = was.releasing, maps.Clone(was.released)
	w.peers, w.gone, w.called, w.failed = slices.Clip(was.peers), slices.Clip(was.gone), was.called, was.failed
	for _, made := range was.foreign {
		one := *made
		w.foreign = append(w.foreign, &one)
	}
}
