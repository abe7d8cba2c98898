package lifecycle

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// doMove is the step in which the chain moves to another place.
const doMove = "move"

// Move is how a chain moves.
type Move struct {
	// To is beside, for another resource of the same stack, or away, for another stack.
	To string
	// Way is what becomes of the place that the chain leaves. Where it is empty the resource is
	// taken out of its template in the same operation, or in one of its stack right after.
	Way string `json:",omitempty"`
	// ByName names the other stack by its name.
	ByName bool `json:",omitempty"`
	// Late is when, in milliseconds after the Create was sent, an update of the chain begins.
	Late int `json:",omitempty"`
	// Anew makes another chain where the chain was.
	Anew bool `json:",omitempty"`
}

// The ways.
const (
	kept         = "kept"               // it is taken out of its template before, and its groups stay
	keptDeleted  = "kept, stack gone"   // so do its groups when its stack is deleted before
	stackDeleted = "stack deleted"      // its stack is deleted afterwards
	left         = "left"               // it stays in its template by mistake, and is taken out later
	leftUpdated  = "left and updated"   // and is updated meanwhile
	leftLong     = "left, both updated" // and both are updated meanwhile
	leftUndone   = "left and undone"    // and the move is undone by taking the new resource out
	overlapping  = "while it changes"   // it is updated while the chain is made in another stack
)

// isKept reports whether no template has the chain while it moves.
func (m *Move) isKept() bool { return m.Way == kept || m.Way == keptDeleted }

// moving is what a player knows of moves.
type moving struct {
	from    *Place // what MovedFrom names
	byName  bool
	stacks  int  // how many stacks of the other name there were
	isLeft  bool // the place that it names has its chain still
	isExact bool // the chain is what its properties say, for all that the player knows
}

// properties are a chain's as the template of the moment has them.
func (p *player) properties(chain Chain) map[string]any {
	properties := chain.Properties(VPC)
	if from := p.moving.from; from != nil {
		properties["MovedFrom"] = from.origin(p.cf.place(), p.moving.byName)
	}
	return properties
}

// origin is a place as MovedFrom has it for the chain of another place.
func (p Place) origin(of Place, byName bool) any {
	switch {
	case p.StackID == of.StackID:
		return p.LogicalID
	case byName:
		return map[string]any{"Stack": stackName(p.StackID), "LogicalId": p.LogicalID}
	}
	return map[string]any{"Stack": p.StackID, "LogicalId": p.LogicalID}
}

// forgets leaves MovedFrom out from now on, if the step says so, and reports whether that changes
// the properties.
func (p *player) forgets(step Step) bool {
	if !step.Forgets || p.moving.from == nil {
		return false
	}
	p.moving.from = nil
	return true
}

// forgetsAnother leaves MovedFrom out of a chain that is made again, where another chain is in the
// place that it names: nothing of that is to be taken over, and nothing was given to it when the chain
// was taken out.
func (p *player) forgetsAnother(answered map[string]string) {
	if p.cf.abandoned { // what is left of it has marks of the move, and is not what the next one is to be
		p.moving.from = nil
	}
	if p.moving.from == nil {
		return
	}
	from := *p.moving.from
	p.cf.mu.Lock()
	isThere := p.cf.recorded(from).status != ""
	p.cf.mu.Unlock()
	if !isThere {
		return
	}
	p.moving.from = nil
	for id := range p.holdings(from) {
		if slices.Contains(slices.Collect(maps.Values(answered)), id) {
			p.watch.violate(Moving, fmt.Sprintf("group %s was given to another chain, which is where it was once", id))
		}
	}
}

// target is the place to which a chain moves; ok is false where that is taken, or its stack is gone.
func (p *player) target(from Place, to string) (Place, bool) {
	place := Place{from.StackID, Home.LogicalID}
	switch {
	case to == "beside" && from.LogicalID == Home.LogicalID:
		place.LogicalID = Beside.LogicalID
	case to == "beside":
	case from.StackID != Home.StackID:
		place = Home
	case p.moving.stacks > 0 && p.cf.isThere(Away(p.moving.stacks)):
		place = Away(p.moving.stacks)
	default:
		p.moving.stacks++
		place = Away(p.moving.stacks)
	}
	p.cf.mu.Lock()
	defer p.cf.mu.Unlock()
	return place, p.cf.recorded(place).status == "" && (place.StackID != Home.StackID || !p.cf.stackOf(place.StackID).isGone())
}

func (r *record) isGone() bool { return r.status == "" || r.status == deletedStack }

// isThere reports whether a place's stack is there.
func (c *CloudFormation) isThere(place Place) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.stackOf(place.StackID).isGone()
}

// move moves the chain, and judges what comes of it.
func (p *player) move(step Step) {
	from := p.cf.mainPlace()
	to, ok := p.target(from, step.Move.To)
	if p.chain == nil || p.over || !ok || !strings.HasSuffix(p.cf.StackStatus(), "_COMPLETE") || p.hasSpares(from, step) || p.settlesBeside(step) {
		return
	}
	p.out.Kinds["move "+step.Move.To] = true
	p.out.Kinds["move "+cmp.Or(step.Move.Way, "at once")] = true
	m := &departure{player: p, step: step, from: from, to: to, before: p.holdings(from), answered: p.cf.GroupIDs(), abandoned: p.cf.abandoned}
	m.meddled = p.watch.meddled()
	m.wasExact = p.isExact(from)
	m.mustSucceed = m.wasExact && step.undisturbed()
	p.watch.Begin(*p.chain, false)
	p.cf.refused = false
	m.depart()
	p.moving.isExact = p.moving.isExact && !p.watch.meddled()
	p.cf.pure = Place{}
}

// departure is a move under way.
type departure struct {
	*player

	step        Step
	from, to    Place
	before      map[string]holding
	answered    map[string]string // the groups that dependents use
	wasExact    bool
	mustSucceed bool
	meddled     bool // whether a stranger acted since the last operation began
	abandoned   bool // whether something was before the move
}

// holding is what a group had: its author's tags, its epoch and its rules.
type holding struct{ epoch, tags, rules string }

// holdings are the groups of a place, by ID.
func (p *player) holdings(place Place) map[string]holding {
	all := map[string]holding{}
	for _, id := range p.cf.World.Groups() {
		if (Place{p.cf.World.Tag(id, tagStackID), p.cf.World.Tag(id, tagLogicalID)}) != place {
			continue
		}
		one := holding{epoch: p.cf.World.Tag(id, "sgchain:chain"), rules: strings.Join(slices.Sorted(maps.Keys(p.cf.World.RuleTags(id))), "\n")}
		for _, key := range append(slices.Clone(tagKeys), "Name", "sgchain:tier", tagAdopted, tagProvider) {
			one.tags += key + "=" + p.cf.World.Tag(id, key) + "\n"
		}
		all[id] = one
	}
	return all
}

// hasSpares reports whether an earlier operation left groups behind that the Delete of the old
// resource cannot take away: something uses them, they were adopted, or no Delete comes. Their rules keep those that
// moved from being deleted: people have to end that (docs/lifecycle.md).
func (p *player) hasSpares(place Place, step Step) bool {
	isKept := step.Move.isKept() || step.Retain
	answered := slices.Collect(maps.Values(p.cf.GroupIDs()))
	for id := range p.holdings(place) {
		if !slices.Contains(answered, id) && (isKept || p.cf.World.IsUsed(id) || p.cf.World.Tag(id, tagAdopted) != "") {
			return true
		}
	}
	return false
}

// settlesBeside reports whether an update would take the marks of an earlier move away while another
// chain writes new ones. Whose come last is not told apart where the two begin within a second.
func (p *player) settlesBeside(step Step) bool {
	for _, id := range p.cf.GroupIDs() {
		if step.Move.Way == overlapping && p.cf.World.Tag(id, "sgchain:moved-from-stack") != "" {
			return true
		}
	}
	return false
}

// without is a chain with the same groups and fewer rules, or other tags.
func (c Chain) without() Chain {
	tiers := slices.Clone(c.Tiers)
	tiers[len(tiers)-1].Doors = nil
	c.Tiers, c.Tags = tiers, map[string]string{"Team": "of a chain that moved"}
	return c
}

// isExact reports whether the groups of a place are those that were answered, and as the properties
// say for all that the player knows: only then a move has to succeed.
func (p *player) isExact(place Place) bool {
	p.watch.mu.Lock()
	leftOut := p.watch.leftOut
	p.watch.mu.Unlock()
	answered, owned := p.cf.GroupIDs(), p.holdings(place)
	for _, id := range answered {
		if _, has := owned[id]; !has || p.watch.isLoose(id) {
			return false
		}
	}
	return p.moving.isExact && !leftOut && !p.watch.lost(*p.chain) && len(answered) == len(owned)
}

// failed reports whether an operation was rolled back, and notes what that leaves.
func (p *player) failed() bool {
	p.moving.isExact = p.moving.isExact && !p.watch.meddled() && !p.out.Rows["16 skipped"]
	return p.cf.StackStatus() == "UPDATE_ROLLBACK_COMPLETE"
}

// movesStream sets the draws of moves apart from all others.
const movesStream = 0x6d6f766573

// moves lets the chain of one history in four move.
func moves(h *History, seed, index uint64) {
	r := &drawer{Rand: rand.New(rand.NewPCG(seed^movesStream, index))} //nolint:gosec // chance that can be repeated
	if !r.oneIn(4) {
		return
	}
	*h = h.clone() // chains share their tiers
	h.Moves = true
	first := slices.IndexFunc(h.Steps, func(one Step) bool { return one.Do == "create" })
	for range 1 + r.IntN(3) {
		h.Steps = slices.Insert(h.Steps, first+1+r.IntN(len(h.Steps)-first), r.move(h.Repairs))
	}
	for i := range h.Steps {
		h.Steps[i].Forgets = h.Steps[i].Do == "update" && r.oneIn(3)
	}
}

// move draws a move, and what goes wrong with it.
func (r *drawer) move(repairs bool) Step {
	one := Move{
		To: pick(r, "beside", "away"), Way: pick(r, "", "", "", kept, keptDeleted, stackDeleted, left, leftUpdated, leftLong, leftUndone, overlapping), ByName: r.oneIn(2), Anew: r.oneIn(5),
	}
	step := Step{Do: doMove, Move: &one, Pick: r.IntN(2), Rest: r.rest(), SiblingFails: r.oneIn(4), Retain: r.oneIn(10)}
	if r.oneIn(2) {
		step.Mishaps = r.mishaps()
		if r.oneIn(4) {
			step.Mishaps[0].Lacks = []string{pick(r, operations...)}
		}
		if r.oneIn(3) {
			step.Mishaps[0].Faults = append(step.Mishaps[0].Faults, Fault{Call: 1 + r.IntN(6), Kind: pick(r, repeated, refused, refusedOnce, wayOut), Pick: r.IntN(1 << 16)})
		}
	}
	if one.Way == overlapping {
		one.To, one.Late = "away", r.IntN(9000)
	}
	if one.isKept() { // no template has the chain then, and who takes a move back gives it to nobody but in a rollback
		step.Mishaps = step.Mishaps[:min(1, len(step.Mishaps))]
	}
	if repairs && r.oneIn(2) {
		step.Acts = r.acts()
	}
	return step
}
