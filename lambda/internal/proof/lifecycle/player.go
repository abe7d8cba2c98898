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

// Play plays a history against a function. With a story it records each event as a line.
func Play(h History, function Function, pace Pace, story bool) Outcome {
	return begin(h, function, pace, story).play(h.Steps)
}

// begin creates the simulated EC2 of a history, with groups of other owners but without the chain,
// and a watch over it.
func begin(h History, function Function, pace Pace, story bool) *player {
	p := newPlayer(h, newWorld(h.World, pace), function, pace, story)
	p.addOtherOwners() // before the watch starts
	p.watches()
	if h.World.OtherAccounts {
		p.watch.peers = addOtherAccountGroups(p.cf.World)
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
	p := &player{history: h, pace: pace, tagSources: map[tag]tagSource{}, out: Outcome{Rows: map[string]bool{}, Kinds: map[string]bool{}}}
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
	p.cf.OnChange, p.cf.OnOwner, p.cf.OnNamesake = p.watch.Change, p.watch.removePeer, p.watch.takeName
}

// takeSteps takes steps until a promise is broken or no further step is possible.
func (p *player) takeSteps(steps []Step) {
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

// play takes steps and finally deletes the stack.
func (p *player) play(steps []Step) Outcome {
	p.takeSteps(steps)
	if p.watch.Failed() == nil {
		p.end()
	}
	p.cf.Drain()
	if p.watch.Failed() == nil {
		p.checkNothingLeft()
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

// wait shortens a pause to the player's pace.
func (p *player) wait(d time.Duration) time.Duration { return min(d, p.pace.Waits) }

type player struct {
	history    History
	pace       Pace
	cf         *CloudFormation
	watch      *Watch
	out        Outcome
	before     string // the groups of other owners
	over       bool
	chain      *Chain // what is deployed
	moving     moving
	tagSources map[tag]tagSource

	mu sync.Mutex // guards out while goroutines note things
}

// note runs keep under the lock; many goroutines call it.
func (p *player) note(keep func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	keep()
}

func (p *player) step(step Step) {
	for _, mishap := range step.Mishaps {
		p.noteMishap(mishap)
	}
	if step.SiblingFails {
		p.out.Kinds["another resource fails"] = true
	}
	for _, act := range step.Acts {
		p.out.Kinds[act.Do] = true
		p.cf.running.Go(func() {
			<-time.After(p.wait(seconds(act.At)))
			_ = p.cf.Act(act) // the result is for people; the watch checks the effects
		})
	}
	switch step.Do {
	case "repair", "update", "create", "remove", doMove:
	default:
		p.moving.isExact = false // until an update has read the groups
	}
	switch step.Do {
	case createGroup:
		p.out.Kinds[createGroup] = true
		p.createAdoptable(step.Pick)
	case byOwner:
		p.out.Kinds[byOwner] = true
		p.watch.removePeer(step.Pick)
	case namesake:
		p.out.Kinds[namesake] = true
		p.watch.takeName()
	case addTag:
		p.tagOutOfBand(step.Pick)
	case retagged:
		p.retag(step)
	case createdAgain:
		p.out.Kinds[createdAgain] = true
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
				p.over = true // retained groups are no longer the chain's
			}
			p.chain = nil
			p.forgetTagSources() // adopted groups keep their tags, of unknown source
			p.watch.Empty()
			p.forgetsAnother(answered)
		}
	default:
		p.out.Kinds[changeKind+step.Do] = true
		p.watch.Change(world.OutOfBandChange{Deed: world.ChangeKind(step.Do), Pick: step.Pick})
	}
}

// createGroup is the step that creates the group of a tier out of band.
const createGroup = "create a group out of band"

// repair invokes the repair action while nothing else happens. Afterwards everything must match the
// properties.
func (p *player) repair() {
	if p.chain == nil || !p.history.Repairs {
		return
	}
	p.out.Kinds["repair in a COMPLETE status"] = true
	whole := strings.HasSuffix(p.cf.StackStatus(), "_COMPLETE") && !p.out.Rows["16 skipped"] && p.cf.ID() != ""
	<-time.After(p.wait(10 * time.Minute)) // a repair leaves recently changed groups alone
	err := p.cf.Act(Act{Do: "repair"})
	switch {
	case !whole || len(p.watch.inPlay) != 1 || (err != nil && p.watch.namesRemovedPeer(*p.chain)):
	case err != nil:
		p.watch.violate(AnyToAny, "a repair in a COMPLETE status failed: "+err.Error())
	default:
		p.watch.Settle(*p.chain, true) // a repair leaves groups alone that were just adopted
		p.checkStackTags(*p.chain, p.cf.StackTags())
	}
}

func (p *player) noteMishap(m Mishap) {
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

// isDate reports whether a mishap has no effect but a date that differs from the change of status.
func (m Mishap) isDate() bool { return m.Dated != 0 && reflect.DeepEqual(m, Mishap{Dated: m.Dated}) }

func (s Step) operation(properties map[string]any, waits time.Duration) Operation {
	return Operation{
		Properties: properties, Tags: s.stackTags(), SiblingFails: s.SiblingFails, NoRollback: s.NoRollback,
		Nested: s.Nested, Retain: s.Retain, Linger: min(seconds(s.Linger), waits), Mishaps: s.Mishaps,
	}
}

// undisturbed reports whether nothing went wrong in a step. Then it has to succeed.
func (s Step) undisturbed() bool {
	return !s.SiblingFails && !slices.ContainsFunc(s.Mishaps, func(one Mishap) bool { return !one.isDate() })
}

func (p *player) build(step Step) {
	if p.chain != nil && reflect.DeepEqual(step.Chain, *p.chain) && !p.forgets(step) {
		p.retag(step)
		return // CloudFormation sends no event if no property changes
	}
	if step.FillerTags == tooManyFillers {
		p.out.Kinds[tooManyTags] = true
	}
	properties := p.properties(step.Chain)
	p.watch.beginRelease(p.chain, step.Chain)
	p.watch.Begin(step.Chain, p.chain == nil)
	p.cf.refused, p.cf.tagsRefused = false, false
	var ok bool
	operation := step.operation(properties, p.pace.Waits)
	if old := p.chain; old == nil {
		ok = p.cf.Create(operation)
	} else {
		operation.MayFail = func() bool { return p.watch.cannotRollBack(*old, step.Chain) }
		ok = p.cf.Update(operation)
	}
	p.watch.endRelease(ok)
	switch {
	case ok:
		p.watch.Settle(step.Chain, false)
		p.checkTags(p.chain, step.Chain)
		p.stackTagsAfter(step, step.Chain, p.cf.StackTags())
		p.chain = &step.Chain
		p.checkMarks(step)
	case step.undisturbed() && !p.cf.refused && !p.cf.tagsRefused && !p.watch.namesRemovedPeer(step.Chain):
		p.watch.violate(AnyToAny, "an undisturbed operation failed: "+p.cf.StackStatus())
	case p.chain == nil && p.cf.StackStatus() != "UPDATE_ROLLBACK_COMPLETE" && p.cf.StackStatus() != "CREATE_FAILED" && p.cf.StackStatus() != "UPDATE_FAILED":
		p.over = true // the only next step is the stack's deletion
	case p.failed() && p.chain != nil && !p.out.Rows["16 skipped"]:
		p.watch.Settle(*p.chain, true)
		p.tagsFailed(step.Chain, step.stackTags())
		p.stackTagsAfter(step, *p.chain, p.cf.shown)
	default:
		p.forgetTagSources()
	}
}

// checkTags compares the groups' tags with the author's: the current ones, and the previous ones
// that must be gone. The source of other tags is unknown.
func (p *player) checkTags(old *Chain, now Chain) {
	if p.watch.hasOutOfBandChange() {
		return
	}
	for _, one := range now.Tiers {
		if p.watch.hasExtraRules(p.cf.GroupIDs()[one.Name]) {
			continue // an existing tag stays at first
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
				continue // checkStackTags handles those
			}
			if got != want && (want != "" || before[key] != "") {
				p.watch.violate(AnyToAny, fmt.Sprintf("tag %s of tier %s is %q, want %q", key, one.Name, got, want))
			}
		}
	}
}

// end deletes the stack once nothing else uses its groups.
func (p *player) end() {
	p.cf.World.RemoveOutOfBandInterfaces()
	p.cf.step("STEP delete the stack")
	p.note(func() { p.out.Sent, p.out.World = append(p.out.Sent, End), p.cf.World.String() })
	if !p.cf.Delete(Operation{Linger: p.wait(30 * time.Second)}) {
		p.watch.violate(Crash, "the stack cannot be deleted: "+p.cf.StackStatus())
	}
	p.deleteOtherStacks()
}
