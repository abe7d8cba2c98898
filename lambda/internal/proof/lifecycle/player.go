package lifecycle

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"sgchain/lambda/internal/proof/world"
)

// Play lives a history with a function. With a story it keeps what happened, line by
// line.
func Play(h History, function Function, pace Pace, story bool) Outcome {
	return begin(h, function, pace, story).play(h.Steps)
}

// begin makes the world of a history, with strangers in it and nothing of the chain, and
// somebody who watches it.
func begin(h History, function Function, pace Pace, story bool) *player {
	p := newPlayer(h, newWorld(h.World, pace), function, pace, story)
	p.strangers() // whom nobody watches
	p.watches()
	if h.World.Foreign {
		p.watch.peers = addForeign(p.cf.World)
	}
	if h.World.Named {
		p.addNamed()
	}
	return p
}

func newWorld(setting Setting, pace Pace) *world.World {
	ec2World := &world.World{
		Latency: pace.Latency, PageSize: setting.PageSize, OneByOne: setting.OneByOne,
		Lag: seconds(setting.Lag), TagLag: seconds(setting.TagLag), Newborn: seconds(setting.Newborn), RuleQuota: setting.Quota,
	}
	var options []world.VPCOption
	if setting.Default {
		options = append(options, world.Default)
	}
	if setting.IPv6 {
		options = append(options, world.IPv6)
	}
	ec2World.AddVPC(VPC, options...)
	ec2World.AddPrefixList(officeList, officeName, 3, false, lists[officeList]...)
	ec2World.AddPrefixList("pl-0fedcba9876543210", remoteList, 1, false, lists[remoteList]...)
	return ec2World
}

func newPlayer(h History, ec2World *world.World, function Function, pace Pace, story bool) *player {
	p := &player{history: h, pace: pace, givers: map[tag]giver{}, out: Outcome{Rows: map[string]bool{}, Kinds: map[string]bool{}}}
	p.cf = New(CloudFormation{
		World: ec2World, Function: function, Habits: h.Habits, Limit: pace.Limit, Patience: pace.Patience,
		RetryAfter: []time.Duration{p.wait(time.Minute), p.wait(2 * time.Minute)}, Moves: pace.Moves, Rests: p.wait(settledAfter), Waits: pace.Waits,
		Telling: story, Repairs: h.Repairs, Movable: h.Moves,
		OnRow: func(row string) { p.note(func() { p.out.Rows[row] = true }) },
		OnRun: func(calls int) { p.note(func() { p.out.Runs = append(p.out.Runs, calls) }) },
	})
	started := time.Now()
	p.cf.OnStep = func(text string) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if event, found := strings.CutPrefix(text, "event "); found {
			p.out.Events++
			p.out.Sent = append(p.out.Sent, event)
		}
		if story {
			p.out.Story = append(p.out.Story, fmt.Sprintf("%8.3f  %s", time.Since(started).Seconds(), text))
		}
	}
	return p
}

func (p *player) watches() {
	p.watch = NewWatch(p.cf)
	p.cf.OnHand, p.cf.OnOwner, p.cf.OnNamesake = p.watch.Hand, p.watch.removePeer, p.watch.takeName
}

// live takes steps until a promise is broken or nothing more can be done.
func (p *player) live(steps []Step) {
	for i, step := range steps {
		if p.over || p.watch.Failed() != nil {
			break
		}
		if p.cf.Telling {
			p.cf.step("STEP %d %s %s", i, step.Do, printed(step.Chain))
		}
		if p.step(step); p.watch.Failed() != nil || p.over {
			break
		}
		<-time.After(p.wait(seconds(max(step.Rest, 1))))
		if p.cf.Telling {
			p.cf.step("world:\n%s", p.cf.World)
		}
	}
}

// play takes steps, and ends the life of the stack.
func (p *player) play(steps []Step) Outcome {
	p.live(steps)
	if p.watch.Failed() == nil {
		p.end()
	}
	p.cf.Drain()
	if p.watch.Failed() == nil {
		p.nothingLeft()
	}
	if p.cf.Telling {
		p.cf.step("world:\n%s", p.cf.World)
	}
	p.out.Failure, p.out.Checks = p.watch.Failed(), p.watch.Checks()
	return p.out
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

func printed(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// wait is a pause at the player's pace.
func (p *player) wait(d time.Duration) time.Duration { return min(d, p.pace.Waits) }

type player struct {
	history History
	pace    Pace
	cf      *CloudFormation
	watch   *Watch
	out     Outcome
	before  string // the strangers' groups
	over    bool
	chain   *Chain // what is deployed
	moving  moving
	givers  map[tag]giver

	mu sync.Mutex // of what is noted in out
}

// note keeps something of what happens, which it does in many goroutines.
func (p *player) note(keep func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	keep()
}

func (p *player) step(step Step) {
	for _, mishap := range step.Mishaps {
		p.meets(mishap)
	}
	if step.SiblingFails {
		p.out.Kinds["another resource fails"] = true
	}
	for _, act := range step.Acts {
		p.out.Kinds[act.Do] = true
		p.cf.running.Go(func() {
			<-time.After(p.wait(seconds(act.At)))
			_ = p.cf.Act(act) // what it says is for people; the watch sees what it does
		})
	}
	switch step.Do {
	case "repair", "update", "create", "remove", doMove:
	default:
		p.moving.isExact = false // until an update has looked
	}
	switch step.Do {
	case byHand:
		p.out.Kinds[byHand] = true
		p.makeByHand(step.Pick)
	case byOwner:
		p.out.Kinds[byOwner] = true
		p.watch.removePeer(step.Pick)
	case namesake:
		p.out.Kinds[namesake] = true
		p.watch.takeName()
	case byHandTag:
		p.tagByHand(step.Pick)
	case retagged:
		p.retag(step)
	case madeAgain:
		p.out.Kinds[madeAgain] = true
		p.watch.remakePeer()
	case "repair":
		p.repair()
	case "update", "create":
		p.build(step)
	case doMove:
		p.move(step)
	case "remove":
		if p.chain != nil {
			p.watch.Begin(*p.chain, false)
			answered := p.cf.GroupIDs()
			p.cf.Update(step.operation(nil, p.pace.Waits))
			if step.Retain {
				p.over = true // what is retained is its owner's
			}
			p.chain = nil
			p.tagsUnsure() // adopted groups keep theirs, and nobody knows whose they are
			p.watch.Empty()
			p.forgetsAnother(answered)
		}
	default:
		p.out.Kinds["hand "+step.Do] = true
		p.watch.Hand(world.Hand{Deed: world.Deed(step.Do), Pick: step.Pick})
	}
}

// byHand is the step in which somebody makes the group of a tier by hand.
const byHand = "make a group by hand"

// repair lets the function repair while nothing else happens: then everything is as the
// properties say.
func (p *player) repair() {
	if p.chain == nil || !p.history.Repairs {
		return
	}
	p.out.Kinds["repair at rest"] = true
	whole := strings.HasSuffix(p.cf.StackStatus(), "_COMPLETE") && !p.out.Rows["16 skipped"] && p.cf.ID() != ""
	<-time.After(p.wait(10 * time.Minute)) // it leaves alone what changed a short while ago
	err := p.cf.Act(Act{Do: "repair"})
	switch {
	case !whole || len(p.watch.inPlay) != 1 || (err != nil && p.watch.lost(*p.chain)):
	case err != nil:
		p.watch.violate(AnyToAny, "a repair at rest failed: "+err.Error())
	default:
		p.watch.Settle(*p.chain, true) // a repair leaves groups alone that were just adopted
		p.stackTags(*p.chain, p.cf.StackTags())
	}
}

func (p *player) meets(m Mishap) {
	for _, fault := range m.Faults {
		p.out.Kinds[fault.Kind] = true
	}
	for kind, met := range map[string]bool{
		"duplicate": len(m.Again) > 0, "status denied": m.Denied, "status behind": m.Behind > 0, "answer lost": m.Answer == "lost",
		"dated": m.Dated != 0, "right missing": len(m.Lacks) > 0,
		"answer late": m.Answer == "late", "answer without ID": m.Answer == "without ID", "cancelled": m.Cancel > 0,
	} {
		if met {
			p.out.Kinds[kind] = true
		}
	}
}

// isDate reports whether a mishap is none but that of a date apart from the change of status.
func (m Mishap) isDate() bool { return m.Dated != 0 && reflect.DeepEqual(m, Mishap{Dated: m.Dated}) }

func (s Step) operation(properties map[string]any, waits time.Duration) Operation {
	return Operation{
		Properties: properties, Tags: s.stackTags(), SiblingFails: s.SiblingFails, NoRollback: s.NoRollback,
		Nested: s.Nested, Retain: s.Retain, Linger: min(seconds(s.Linger), waits), Mishaps: s.Mishaps,
	}
}

// undisturbed says whether nothing went wrong in a step: then it has to succeed.
func (s Step) undisturbed() bool {
	return !s.SiblingFails && !slices.ContainsFunc(s.Mishaps, func(one Mishap) bool { return !one.isDate() })
}

func (p *player) build(step Step) {
	if p.chain != nil && reflect.DeepEqual(step.Chain, *p.chain) && !p.forgets(step) {
		p.retag(step)
		return // CloudFormation sends nothing where no property changes
	}
	if step.Crowd == fullCrowd {
		p.out.Kinds[crowded] = true
	}
	properties := p.properties(step.Chain)
	p.watch.leaves(p.chain, step.Chain)
	p.watch.Begin(step.Chain, p.chain == nil)
	p.cf.refused, p.cf.crowded = false, false
	var ok bool
	operation := step.operation(properties, p.pace.Waits)
	if old := p.chain; old == nil {
		ok = p.cf.Create(operation)
	} else {
		operation.Forgives = func() bool { return p.watch.noWayBack(*old, step.Chain) }
		ok = p.cf.Update(operation)
	}
	p.watch.hasLeft(ok)
	switch {
	case ok:
		p.watch.Settle(step.Chain, false)
		p.tags(p.chain, step.Chain)
		p.stackTagsAfter(step, step.Chain, p.cf.StackTags())
		p.chain = &step.Chain
		p.marks(step)
	case step.undisturbed() && !p.cf.refused && !p.cf.crowded && !p.watch.lost(step.Chain):
		p.watch.violate(AnyToAny, "an operation in which nothing went wrong failed: "+p.cf.StackStatus())
	case p.chain == nil && p.cf.StackStatus() != "UPDATE_ROLLBACK_COMPLETE" && p.cf.StackStatus() != "CREATE_FAILED" && p.cf.StackStatus() != "UPDATE_FAILED":
		p.over = true // only the stack's deletion is left
	case p.failed() && p.chain != nil && !p.out.Rows["16 skipped"]:
		p.watch.Settle(*p.chain, true)
		p.tagsFailed(step.Chain, step.stackTags())
		p.stackTagsAfter(step, *p.chain, p.cf.shown)
	default:
		p.tagsUnsure()
	}
}

// tags holds the groups' tags against the author's: those that he wants, and those that he
// wanted until now. Of others nobody knows whose they are.
func (p *player) tags(old *Chain, now Chain) {
	if p.watch.meddled() {
		return
	}
	for _, one := range now.Tiers {
		if p.watch.isLoose(p.cf.GroupIDs()[one.Name]) {
			continue // a tag that was there stays at first
		}
		before := map[string]string{}
		if old != nil {
			if was, ok := old.tier(one.Name); ok {
				before = old.tags(was)
			}
		}
		for _, key := range tagKeys {
			want, got := now.tags(one)[key], p.cf.World.Tag(p.cf.GroupIDs()[one.Name], key)
			if want == "" && p.cf.StackTags()[key] != "" {
				continue // stackTags judges those
			}
			if got != want && (want != "" || before[key] != "") {
				p.watch.violate(AnyToAny, fmt.Sprintf("the tag %s of tier %s is %q and not %q", key, one.Name, got, want))
			}
		}
	}
}

// end deletes the stack, once nobody else uses its groups.
func (p *player) end() {
	p.cf.World.RemoveOutOfBandInterfaces()
	p.cf.step("STEP delete the stack")
	p.note(func() { p.out.Sent, p.out.World = append(p.out.Sent, End), p.cf.World.String() })
	if !p.cf.Delete(Operation{Linger: p.wait(30 * time.Second)}) {
		p.watch.violate(Crash, "the stack cannot be deleted: "+p.cf.StackStatus())
	}
	p.endOthers()
}
