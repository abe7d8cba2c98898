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
	// Way is what happens to the old place. If empty, the old resource is removed from its
	// template: within the stack in the same operation, otherwise right after.
	Way string `json:",omitempty"`
	// ByName identifies the other stack by its name.
	ByName bool `json:",omitempty"`
	// Late is when, in milliseconds after the Create was sent, an update of the chain begins.
	Late int `json:",omitempty"`
	// Reuses creates another chain in the place that the chain left.
	Reuses bool `json:",omitempty"`
}

// What happens to the old resource.
const (
	kept         = "kept"               // it is removed from its template before, with its groups retained
	keptDeleted  = "kept, stack gone"   // its stack is deleted before, with its groups retained
	stackDeleted = "stack deleted"      // its stack is deleted afterwards
	left         = "left"               // it stays in its template by mistake, and is removed later
	leftUpdated  = "left and updated"   // the same, and it is updated before it is removed
	leftLong     = "left, both updated" // the same, and both resources are updated
	leftUndone   = "left and undone"    // the same, and the move is undone by removing the new resource
	overlapping  = "while it changes"   // it is updated while the chain is created in another stack
)

// isKept reports whether no template has the chain while it moves.
func (m *Move) isKept() bool { return m.Way == kept || m.Way == keptDeleted }

// moving is what a player knows of moves.
type moving struct {
	from    *Place // the place that MovedFrom names
	byName  bool
	stacks  int  // how many other stacks have existed
	isLeft  bool // whether the place that MovedFrom names still has its resource
	isExact bool // whether the chain matches its properties, as far as the player knows
}

// properties returns a chain's properties as the current template has them.
func (p *player) properties(chain Chain) map[string]any {
	properties := chain.Properties(VPC)
	if from := p.moving.from; from != nil {
		properties["MovedFrom"] = from.origin(p.cf.place(), p.moving.byName)
	}
	return properties
}

// origin formats a place as the MovedFrom of a chain in another place.
func (p Place) origin(of Place, byName bool) any {
	switch {
	case p.StackID == of.StackID:
		return p.LogicalID
	case byName:
		return map[string]any{"Stack": stackName(p.StackID), "LogicalId": p.LogicalID}
	}
	return map[string]any{"Stack": p.StackID, "LogicalId": p.LogicalID}
}

// forgets drops MovedFrom if the step says so, and reports whether that changes the properties.
func (p *player) forgets(step Step) bool {
	if !step.Forgets || p.moving.from == nil {
		return false
	}
	p.moving.from = nil
	return true
}

// forgetsAnother drops MovedFrom from a chain that is created again, if another chain is in the
// place that it names. The new chain must not take over that chain's groups. Removing the chain
// must not have given them to it either.
func (p *player) forgetsAnother(answered map[string]string) {
	if p.cf.abandoned { // the remaining groups carry marks of the move, which the next move must not use
		p.moving.from = nil
	}
	if p.moving.from == nil {
		return
	}
	from := *p.moving.from
	p.cf.mu.Lock()
	exists := p.cf.recorded(from).status != ""
	p.cf.mu.Unlock()
	if !exists {
		return
	}
	p.moving.from = nil
	for id := range p.holdings(from) {
		if slices.Contains(slices.Collect(maps.Values(answered)), id) {
			p.watch.violate(Moving, fmt.Sprintf("group %s was given to the chain in its former place", id))
		}
	}
}

// target returns the place to which a chain moves. ok is false if that place is in use or its stack
// is gone.
func (p *player) target(from Place, to string) (Place, bool) {
	place := Place{from.StackID, Home.LogicalID}
	switch {
	case to == "beside" && from.LogicalID == Home.LogicalID:
		place.LogicalID = Beside.LogicalID
	case to == "beside":
	case from.StackID != Home.StackID:
		place = Home
	case p.moving.stacks > 0 && p.cf.stackExists(Away(p.moving.stacks)):
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

// stackExists reports whether a place's stack exists.
func (c *CloudFormation) stackExists(place Place) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.stackOf(place.StackID).isGone()
}

// move moves the chain and checks the result.
func (p *player) move(step Step) {
	from := p.cf.mainPlace()
	to, ok := p.target(from, step.Move.To)
	if p.chain == nil || p.over || !ok || !strings.HasSuffix(p.cf.StackStatus(), "_COMPLETE") || p.hasOrphans(from, step) || p.overlapsSettling(step) {
		return
	}
	p.out.Kinds["move "+step.Move.To] = true
	p.out.Kinds["move "+cmp.Or(step.Move.Way, "at once")] = true
	m := &departure{player: p, step: step, from: from, to: to, before: p.holdings(from), answered: p.cf.GroupIDs(), abandoned: p.cf.abandoned}
	m.outOfBand = p.watch.hasOutOfBandChange()
	m.wasExact = p.isExact(from)
	m.mustSucceed = m.wasExact && step.undisturbed()
	p.watch.Begin(*p.chain, false)
	p.cf.refused = false
	m.run()
	p.moving.isExact = p.moving.isExact && !p.watch.hasOutOfBandChange()
	p.cf.onlyTags = Place{}
}

// departure is a move in progress.
type departure struct {
	*player

	step        Step
	from, to    Place
	before      map[string]holding
	answered    map[string]string // the groups that dependents use
	wasExact    bool
	mustSucceed bool
	outOfBand   bool // whether an out-of-band change happened since the last operation began
	abandoned   bool // the value of CloudFormation.abandoned before the move
}

// holding is the state of a group: its author's tags, its epoch and its rules.
type holding struct{ epoch, tags, rules string }

// holdings returns the groups of a place, by ID.
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

// hasOrphans reports whether an earlier operation orphaned groups that the Delete of the old
// resource cannot remove. They are in use, they were adopted, or no Delete comes. Their rules
// prevent the deletion of moved groups, which people have to resolve (docs/lifecycle.md).
func (p *player) hasOrphans(place Place, step Step) bool {
	isKept := step.Move.isKept() || step.Retain
	answered := slices.Collect(maps.Values(p.cf.GroupIDs()))
	for id := range p.holdings(place) {
		if !slices.Contains(answered, id) && (isKept || p.cf.World.IsUsed(id) || p.cf.World.Tag(id, tagAdopted) != "") {
			return true
		}
	}
	return false
}

// overlapsSettling reports whether an update would remove the marks of an earlier move while
// another chain writes new ones. If both begin within a second, the order of their marks is
// unknown.
func (p *player) overlapsSettling(step Step) bool {
	for _, id := range p.cf.GroupIDs() {
		if step.Move.Way == overlapping && p.cf.World.Tag(id, "sgchain:moved-from-stack") != "" {
			return true
		}
	}
	return false
}

// without returns a chain with the same groups, fewer rules and other tags.
func (c Chain) without() Chain {
	tiers := slices.Clone(c.Tiers)
	tiers[len(tiers)-1].Inbound = nil
	c.Tiers, c.Tags = tiers, map[string]string{"Team": "of the moved chain"}
	return c
}

// isExact reports whether a place has exactly the answered groups, in the state of the properties
// as far as the player knows. Only then must a move succeed.
func (p *player) isExact(place Place) bool {
	p.watch.mu.Lock()
	leftOut := p.watch.leftOut
	p.watch.mu.Unlock()
	answered, owned := p.cf.GroupIDs(), p.holdings(place)
	for _, id := range answered {
		if _, has := owned[id]; !has || p.watch.hasExtraRules(id) {
			return false
		}
	}
	return p.moving.isExact && !leftOut && !p.watch.namesRemovedPeer(*p.chain) && len(answered) == len(owned)
}

// failed reports whether an operation was rolled back, and notes whether the chain is still exact.
func (p *player) failed() bool {
	p.moving.isExact = p.moving.isExact && !p.watch.hasOutOfBandChange() && !p.out.Rows["16 skipped"]
	return p.cf.StackStatus() == "UPDATE_ROLLBACK_COMPLETE"
}

// movesStream separates the draws of moves from all others.
const movesStream = 0x6d6f766573

// moves makes the chain of one history in four move.
func moves(h *History, seed, index uint64) {
	r := &drawer{Rand: rand.New(rand.NewPCG(seed^movesStream, index))} //nolint:gosec // repeatable randomness
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

// move draws a move and its mishaps.
func (r *drawer) move(repairs bool) Step {
	one := Move{
		To: pick(r, "beside", "away"), Way: pick(r, "", "", "", kept, keptDeleted, stackDeleted, left, leftUpdated, leftLong, leftUndone, overlapping), ByName: r.oneIn(2), Reuses: r.oneIn(5),
	}
	step := Step{Do: doMove, Move: &one, Pick: r.IntN(2), Rest: r.rest(), SiblingFails: r.oneIn(4), Retain: r.oneIn(10)}
	if r.oneIn(2) {
		step.Mishaps = r.mishaps()
		if r.oneIn(4) {
			step.Mishaps[0].Lacks = []string{pick(r, operations...)}
		}
		if r.oneIn(3) {
			step.Mishaps[0].Faults = append(step.Mishaps[0].Faults, Fault{Call: 1 + r.IntN(6), Kind: pick(r, repeated, refused, refusedOnce, ipv6Egress), Pick: r.IntN(1 << 16)})
		}
	}
	if one.Way == overlapping {
		one.To, one.Late = "away", r.IntN(9000)
	}
	if one.isKept() { // no template has the chain then, and only a rollback can undo the move
		step.Mishaps = step.Mishaps[:min(1, len(step.Mishaps))]
	}
	if repairs && r.oneIn(2) {
		step.Acts = r.acts()
	}
	return step
}
