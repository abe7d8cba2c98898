package lifecycle

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"sgchain/lambda/internal/proof/world"
)

// History is the life of a stack, as plain data. Times are in seconds.
type History struct {
	// Repairs lets the function repair.
	Repairs bool `json:",omitempty"`
	Habits  Habits
	World   Setting
	Steps   []Step
}

// Setting is what kind of EC2 it happens in.
type Setting struct {
	PageSize             int  `json:",omitempty"`
	Lag, TagLag, Newborn int  `json:",omitempty"`
	OneByOne             bool `json:",omitempty"`
	Default              bool `json:",omitempty"`
	IPv6                 bool `json:",omitempty"`
	// Quota is the account's quota of rules; 0 for EC2's own.
	Quota int `json:",omitempty"`
	// Foreign adds groups of other accounts.
	Foreign bool `json:",omitempty"`
}

// Step is one operation, or a stranger's hand between two.
type Step struct {
	// Do is create, update, remove, delete, repair, or what a stranger does: make a group
	// by hand, or a deed. An update of what is not there creates it.
	Do           string
	Chain        Chain
	SiblingFails bool     `json:",omitempty"`
	NoRollback   bool     `json:",omitempty"`
	Nested       bool     `json:",omitempty"`
	Retain       bool     `json:",omitempty"`
	Linger       int      `json:",omitempty"`
	Mishaps      []Mishap `json:",omitempty"`
	// Acts are what the function is asked to do meanwhile.
	Acts []Act `json:",omitempty"`
	Pick int   `json:",omitempty"`
	Rest int   `json:",omitempty"`
}

// End stands among the events sent where the stack is deleted at last.
const End = "the stack is deleted"

// VPC is where the chain lives.
const VPC = "vpc-0123456789abcdef0"

// Outcome is what a history came to.
type Outcome struct {
	Failure *Failure
	Events  int
	Rows    map[string]bool
	Kinds   map[string]bool
	Checks  map[string]int
	// Sent is the events as CloudFormation sent them, with its IDs named X, Y, ... in
	// the order in which they came up.
	Sent  []string
	Story []string
	// Runs is how many calls of EC2 each run made, in the order in which they ended.
	Runs []int
	// World is how the world was before the stack was deleted.
	World string
}

// Pace is how long things take that are not the function's.
type Pace struct {
	// Latency is that of calls of EC2, Moves what a dependent takes to move.
	Latency, Moves time.Duration
	// Limit is the function's timeout, Patience CloudFormation's.
	Limit, Patience time.Duration
	// Waits bounds the pauses of people, dependents and Lambda between two things.
	Waits time.Duration
}

// Virtual is the pace of a virtual clock: everything takes as long as in AWS.
func Virtual() Pace {
	return Pace{Latency: 97 * time.Millisecond, Moves: 5 * time.Second, Limit: 10 * time.Minute, Patience: 1020 * time.Second, Waits: time.Hour}
}

// Real is a pace at which somebody can wait for it.
func Real() Pace {
	return Pace{Moves: 50 * time.Millisecond, Limit: 45 * time.Second, Patience: time.Minute, Waits: 2 * time.Second}
}

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
	ec2World.AddPrefixList(officeList, "office", 3, false, lists[officeList]...)
	ec2World.AddPrefixList("pl-0fedcba9876543210", remoteList, 1, false, lists[remoteList]...)
	return ec2World
}

func newPlayer(h History, ec2World *world.World, function Function, pace Pace, story bool) *player {
	p := &player{history: h, pace: pace, out: Outcome{Rows: map[string]bool{}, Kinds: map[string]bool{}}}
	p.cf = &CloudFormation{
		World: ec2World, Function: function, Habits: h.Habits, Limit: pace.Limit, Patience: pace.Patience,
		RetryAfter: []time.Duration{p.wait(time.Minute), p.wait(2 * time.Minute)}, Moves: pace.Moves, Rests: p.wait(settledAfter), Waits: pace.Waits,
		Telling: story, Repairs: h.Repairs,
		OnRow: func(row string) { p.note(func() { p.out.Rows[row] = true }) },
		OnRun: func(calls int) { p.note(func() { p.out.Runs = append(p.out.Runs, calls) }) },
	}
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
	p.cf.OnHand, p.cf.OnOwner = p.watch.Hand, p.watch.removePeer
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

	mu sync.Mutex // of what is noted in out
}

// note keeps something of what happens, which it does in many goroutines.
func (p *player) note(keep func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	keep()
}

// strangers puts groups into the world that are none of ours: one without tags, and
// one of another chain of the same provider.
func (p *player) strangers() {
	c := p.cf.World.Client("stranger")
	ctx := p.cf.background()
	for name, stack := range map[string]string{"stranger": "", "of another chain": strings.Replace(StackID, "Shop", "Other", 1)} {
		in := &ec2.CreateSecurityGroupInput{GroupName: aws.String(name), Description: aws.String(name), VpcId: aws.String(VPC)}
		if stack != "" {
			in.TagSpecifications = []types.TagSpecification{{ResourceType: types.ResourceTypeSecurityGroup, Tags: []types.Tag{
				{Key: aws.String("sgchain:stack-id"), Value: aws.String(stack)},
				{Key: aws.String("sgchain:logical-id"), Value: aws.String(LogicalID)},
				{Key: aws.String("sgchain:tier"), Value: aws.String("A")},
				{Key: aws.String("sgchain:chain"), Value: aws.String("1:sgchain-0")},
			}}}
		}
		if _, err := c.CreateSecurityGroup(ctx, in); err != nil {
			panic(err) // the world is empty and the group is well formed
		}
	}
	p.before = p.foreign()
}

// foreign prints the groups that lack our tags, but for those that hands made.
func (p *player) foreign() string {
	var all []string
	for _, block := range strings.SplitAfter(p.cf.World.String(), "\n") {
		if !strings.HasPrefix(block, " ") && !strings.HasPrefix(block, "interface ") {
			all = append(all, "")
		}
		if len(all) > 0 {
			all[len(all)-1] += block
		}
	}
	return strings.Join(slices.DeleteFunc(all, func(block string) bool {
		return strings.Contains(block, "sgchain:stack-id="+StackID) || strings.HasPrefix(block, "by-hand-") || strings.HasPrefix(block, groupName("")) || strings.Contains(block, " of account ")
	}), "")
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
	case byHand:
		p.out.Kinds[byHand] = true
		p.makeByHand(step.Pick)
	case byOwner:
		p.out.Kinds[byOwner] = true
		p.watch.removePeer(step.Pick)
	case "repair":
		p.repair()
	case "update", "create":
		p.build(step)
	case "remove":
		if p.chain != nil {
			p.watch.Begin(*p.chain, false)
			p.cf.Update(step.operation(nil, p.pace.Waits))
			if step.Retain {
				p.over = true // what is retained is its owner's
			}
			p.chain = nil
			p.watch.Empty()
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
	case !whole || len(p.watch.inPlay) != 1:
	case err != nil:
		p.watch.violate(AnyToAny, "a repair at rest failed: "+err.Error())
	default:
		p.watch.Settle(*p.chain, true) // a repair leaves groups alone that were just adopted
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
		Properties: properties, SiblingFails: s.SiblingFails, NoRollback: s.NoRollback,
		Nested: s.Nested, Retain: s.Retain, Linger: min(seconds(s.Linger), waits), Mishaps: s.Mishaps,
	}
}

// undisturbed says whether nothing went wrong in a step: then it has to succeed.
func (s Step) undisturbed() bool {
	return !s.SiblingFails && !slices.ContainsFunc(s.Mishaps, func(one Mishap) bool { return !one.isDate() })
}

func (p *player) build(step Step) {
	properties := step.Chain.Properties(VPC)
	if p.chain != nil && reflect.DeepEqual(step.Chain, *p.chain) {
		return // CloudFormation sends nothing where no property changes
	}
	p.watch.Begin(step.Chain, p.chain == nil)
	p.cf.refused = false
	var ok bool
	operation := step.operation(properties, p.pace.Waits)
	if old := p.chain; old == nil {
		ok = p.cf.Create(operation)
	} else {
		operation.Forgives = func() bool { return p.watch.noWayBack(*old, step.Chain) }
		ok = p.cf.Update(operation)
	}
	switch {
	case ok:
		p.watch.Settle(step.Chain, false)
		p.tags(p.chain, step.Chain)
		p.chain = &step.Chain
	case step.undisturbed() && !p.cf.refused && !p.watch.lost(step.Chain):
		p.watch.violate(AnyToAny, "an operation in which nothing went wrong failed: "+p.cf.StackStatus())
	case p.chain == nil && p.cf.StackStatus() != "UPDATE_ROLLBACK_COMPLETE" && p.cf.StackStatus() != "CREATE_FAILED" && p.cf.StackStatus() != "UPDATE_FAILED":
		p.over = true // only the stack's deletion is left
	case p.cf.StackStatus() == "UPDATE_ROLLBACK_COMPLETE" && p.chain != nil && !p.out.Rows["16 skipped"]:
		p.watch.Settle(*p.chain, true)
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
			if got != want && (want != "" || before[key] != "") {
				p.watch.violate(AnyToAny, fmt.Sprintf("the tag %s of tier %s is %q and not %q", key, one.Name, got, want))
			}
		}
	}
}

// end deletes the stack, once nobody else uses its groups.
func (p *player) end() {
	p.cf.World.RemoveHands()
	p.cf.step("STEP delete the stack")
	p.note(func() { p.out.Sent, p.out.World = append(p.out.Sent, End), p.cf.World.String() })
	if !p.cf.Delete(Operation{Linger: p.wait(30 * time.Second)}) {
		p.watch.violate(Crash, "the stack cannot be deleted: "+p.cf.StackStatus())
	}
}

// nothingLeft holds the world after the end against what it was before.
func (p *player) nothingLeft() {
	p.watch.count(Crash)
	text := p.cf.World.String()
	switch {
	case strings.Contains(text, "sgchain:stack-id="+StackID) && !p.cf.abandoned && (p.chain != nil || !p.watch.Robbed()):
		p.watch.violate(Crash, "groups are left behind")
	case strings.Contains(p.cf.World.String(), "sgchain:adopted") && !p.cf.abandoned:
		p.watch.violate(Adoption, "a group that somebody made by hand is not released")
	case p.foreign() != p.before:
		p.watch.violate(HandsOff, "a stranger's group has changed")
	}
}

// Draw makes a history from a seed.
func Draw(seed, index uint64) History {
	r := &drawer{Rand: rand.New(rand.NewPCG(seed, index))} //nolint:gosec // chance that can be repeated
	h := History{
		Habits: Habits{
			CleanupShows: pick(r, "new", "old"), RemovedShows: pick(r, "deleting", "absent"), RollbackCarries: pick(r, "new", "old"),
			GoneShows: pick(r, "deleted", "absent"), CleanupBrings: pick(r, "old", "new"), Undated: r.oneIn(4), InventsAlways: r.oneIn(3), CreatesFirst: r.oneIn(2),
		},
		World: Setting{
			PageSize: pick(r, 0, 0, 1, 2), Lag: pick(r, 0, 0, 0, 1, 3), TagLag: pick(r, 0, 0, 0, 2), Newborn: pick(r, 0, 0, 0, 2),
			OneByOne: r.oneIn(2), Default: r.oneIn(4), IPv6: r.oneIn(4),
		},
	}
	if r.oneIn(5) {
		h.World.Quota = 4 + r.IntN(6)
	}
	r.quota = h.World.Quota
	h.Repairs, r.adopts, r.keeps = r.oneIn(4), r.oneIn(4), r.oneIn(5)
	chain := r.chain()
	h.Steps = []Step{{Do: "create", Chain: chain, Rest: r.rest()}}
	if r.adopts {
		h.Steps = slices.Insert(h.Steps, 0, r.handMade(), r.handMade())
	}
	first := len(h.Steps) - 1
	if r.oneIn(6) {
		h.Steps[first].Mishaps = r.mishaps()
		h.Steps[first].SiblingFails, h.Steps[first].NoRollback = r.oneIn(8), r.oneIn(3)
	}
	if r.oneIn(40) {
		h.Steps[first].SiblingFails, h.Steps[first].Mishaps = true, []Mishap{{}, {Denied: true}}
	}
	for range 2 + r.IntN(4) {
		step := Step{Do: "update", Rest: r.rest()}
		switch n := r.IntN(20); {
		case n == 0:
			step.Do, step.Retain = "remove", r.oneIn(4)
		case n <= 2:
			h.Steps = append(h.Steps, r.between(step, h.Repairs))
			continue
		default:
			// Back to where it was, now and then: X -> Y -> X.
			if step.Chain = r.variant(chain); r.oneIn(4) {
				step.Chain = h.Steps[first+r.IntN(len(h.Steps)-first)].Chain
			}
			if len(step.Chain.Tiers) == 0 {
				step.Chain = r.chain()
			}
			chain = step.Chain
		}
		step.SiblingFails, step.NoRollback, step.Nested, step.Retain = r.oneIn(5), r.oneIn(12), r.oneIn(8), step.Retain || r.oneIn(20)
		if r.oneIn(3) {
			step.Linger = 1 + r.IntN(r.longest())
		}
		if r.oneIn(2) {
			step.Mishaps = r.mishaps()
		}
		if h.Repairs && r.oneIn(2) {
			step.Acts = r.acts()
		}
		if r.oneIn(60) { // the rollback fails until it is skipped
			step.SiblingFails, step.Mishaps = true, []Mishap{{}, {Denied: true}, {Denied: true}, {Denied: true}}
		}
		h.Steps = append(h.Steps, step)
	}
	later(&h, seed, index)
	return h
}

// between is what happens between two operations: a repair, or a stranger's deed.
func (r *drawer) between(step Step, repairs bool) Step {
	switch {
	case repairs && r.oneIn(2):
		step.Do = "repair"
		return step
	case r.adopts && r.oneIn(3):
		return r.handMade()
	default:
		step.Do, step.Pick = string(pick(r, world.AddRule, world.RemoveRule, world.EditDescription, world.AddTag, world.AddGroup, world.RemoveGroup)), r.IntN(1<<16)
		return step
	}
}

// longest is how long, in seconds, the last dependent may go on using an old group; one that
// is released is not waited for longer than a Delete lasts.
func (r *drawer) longest() int {
	if r.adopts {
		return 500
	}
	return 900
}

type drawer struct {
	*rand.Rand

	quota         int
	adopts, keeps bool
}

func pick[T any](r *drawer, from ...T) T { return from[r.IntN(len(from))] }

func (r *drawer) oneIn(n int) bool { return r.IntN(n) == 0 }

// rest is what passes between two operations. CloudFormation itself takes some seconds to
// end one and to begin another, more than reads lag.
func (r *drawer) rest() int { return pick(r, 5, 30, 65, 120, longRest) }

var tierNames = []string{"A", "B", "C", "D"}

// tagKeys are the keys of the author's tags.
var tagKeys = []string{"Cost", "Team"}

func (r *drawer) chain() Chain {
	names := slices.Clone(tierNames)
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	names = names[:1+r.IntN(len(names))]
	c := Chain{Quota: r.quota, IPv6: r.oneIn(4), Tags: r.tags(), Adopt: r.adopts && !r.oneIn(8), Keep: r.keeps && !r.oneIn(4)}
	for _, name := range names {
		c.Tiers = append(c.Tiers, r.tier(name, names))
	}
	return c
}

func (r *drawer) tags() map[string]string {
	if !r.oneIn(4) {
		return nil
	}
	return map[string]string{pick(r, tagKeys...): pick(r, "a", "b")}
}

func (r *drawer) tier(name string, names []string) Tier {
	t := Tier{Name: name, Named: r.oneIn(2), Text: pick(r, "", "", "first", "second"), Egress: pick(r, "all", "all", "chain", "chain", "none"), Tags: r.tags()}
	t.Doors = r.doors(name, names, 2)
	if t.Egress != "none" { // which stands alone
		t.Ways = r.doors(name, names, 8)
	}
	return t
}

// doors draws one of few ports.
func (r *drawer) doors(name string, names []string, few int) []Door {
	sources := append([]string{"internet", "10.0.0.0/8", "203.0.113.0/24", "self", "vpc", officeList, remoteList}, names...)
	var doors []Door
	for _, port := range ports()[:3] {
		if !r.oneIn(few) {
			continue
		}
		door := Door{Port: port}
		for range 1 + r.IntN(3) {
			if source := pick(r, sources...); !slices.Contains(door.Sources, source) && !(source == name && slices.Contains(door.Sources, "self")) && !(source == "self" && slices.Contains(door.Sources, name)) {
				door.Sources = append(door.Sources, source)
			}
		}
		doors = append(doors, door)
	}
	return doors
}

// variant is a chain with something changed, or another one.
func (r *drawer) variant(c Chain) Chain {
	if r.oneIn(3) || len(c.Tiers) == 0 {
		return r.chain()
	}
	tiers := slices.Clone(c.Tiers)
	var names []string
	for _, one := range tiers {
		names = append(names, one.Name)
	}
	for range 1 + r.IntN(2) {
		i := r.IntN(len(tiers))
		tiers[i] = r.tier(tiers[i].Name, names)
	}
	next := Chain{Tiers: tiers, Quota: c.Quota, IPv6: c.IPv6, Tags: c.Tags, Adopt: c.Adopt, Keep: c.Keep}
	if r.oneIn(6) {
		next.IPv6, next.Tags = r.oneIn(2), r.tags()
	}
	return next
}

// handMade is a group that somebody makes by hand, with some of eight sets of rules.
func (r *drawer) handMade() Step {
	return Step{Do: byHand, Pick: r.IntN(len(tierNames) << 5), Rest: r.rest()}
}

// acts are what a schedule and people ask for while an operation goes on.
func (r *drawer) acts() []Act {
	acts := make([]Act, 1+r.IntN(2))
	for i := range acts {
		acts[i] = Act{At: pick(r, r.IntN(30), r.IntN(300)), Do: pick(r, "repair", "repair", "repair", "check", "plan"), Late: pick(r, 0, 0, r.IntN(420))}
		if r.oneIn(2) {
			acts[i].Faults = []Fault{{Call: 1 + r.IntN(8), Kind: pick(r, "error", "lost", "crash", "late", "hang", "stale"), Seconds: 1 + r.IntN(8)}}
		}
	}
	return acts
}

func (r *drawer) mishaps() []Mishap {
	all := make([]Mishap, 1+r.IntN(3))
	for i := range all {
		if i > 0 && r.oneIn(2) {
			continue
		}
		switch r.IntN(8) {
		case 0:
			all[i].Again = []int{1 + r.IntN(300), 1 + r.IntN(20)}[:1+r.IntN(2)]
		case 1:
			all[i].Cancel = 1 + r.IntN(20)
			all[i].Faults = append(all[i].Faults, Fault{Call: 1 + r.IntN(8), Kind: "hang", Seconds: 1 + r.IntN(30)})
		case 2:
			all[i].Answer = pick(r, "lost", "late", "without ID")
		case 3:
			all[i].Denied = r.oneIn(2)
			all[i].Behind = r.IntN(3)
		default:
			for range 1 + r.IntN(2) {
				all[i].Faults = append(all[i].Faults, Fault{Call: 1 + r.IntN(12), Kind: pick(r, Kinds()...), Pick: r.IntN(1 << 16), Seconds: 1 + r.IntN(8)})
			}
		}
	}
	return all
}

// Shrink looks for a smaller history that fails as well, until there is none.
func Shrink(h History, fails func(History) bool) History {
	for {
		place := slices.IndexFunc(h.smaller(), fails)
		if place < 0 {
			return h
		}
		h = h.smaller()[place]
	}
}

// smaller lists histories with one thing less.
func (h History) smaller() []History {
	var all []History
	try := func(change func(*History)) {
		next := h.clone()
		if change(&next); next.size() < h.size() {
			all = append(all, next)
		}
	}
	for i := len(h.Steps) - 1; i > 0; i-- {
		try(func(n *History) { n.Steps = slices.Delete(n.Steps, i, i+1) })
	}
	for i, step := range h.Steps {
		try(func(n *History) { n.Steps[i].Mishaps = nil })
		try(func(n *History) { n.Steps[i].Acts = nil })
		try(func(n *History) { n.Steps[i].Chain.Keep = false })
		for j := range step.Acts {
			try(func(n *History) { n.Steps[i].Acts = slices.Delete(n.Steps[i].Acts, j, j+1) })
			try(func(n *History) { n.Steps[i].Acts[j].Faults = nil })
		}
		try(func(n *History) { n.Steps[i].SiblingFails = false })
		try(func(n *History) { n.Steps[i].NoRollback = false })
		try(func(n *History) { n.Steps[i].Nested, n.Steps[i].Retain = false, false })
		try(func(n *History) { n.Steps[i].Linger = 0 })
		try(func(n *History) { n.Steps[i].Rest = longRest })
		if i > 0 && len(h.Steps[i-1].Chain.Tiers) > 0 {
			try(func(n *History) { n.Steps[i].Chain = n.Steps[i-1].Chain })
		}
		for j, mishap := range step.Mishaps {
			try(func(n *History) { n.Steps[i].Mishaps[j] = Mishap{} })
			for k := range mishap.Faults {
				try(func(n *History) { f := &n.Steps[i].Mishaps[j].Faults; *f = slices.Delete(*f, k, k+1) })
			}
			for k := range mishap.Again {
				try(func(n *History) { a := &n.Steps[i].Mishaps[j].Again; *a = slices.Delete(*a, k, k+1) })
			}
		}
		all = append(all, h.smallerChains(i)...)
	}
	try(func(n *History) { n.Repairs = false })
	try(func(n *History) { n.World = Setting{Foreign: n.World.Foreign} })
	try(func(n *History) { n.World = Setting{Lag: n.World.Lag, Foreign: n.World.Foreign} })
	try(func(n *History) { n.World = Setting{Quota: n.World.Quota, Foreign: n.World.Foreign} })
	try(func(n *History) { n.Habits = Habits{} })
	try(func(n *History) { n.Habits.Undated = false })
	return all
}

// size is how much there is to read in a history; odd pauses count.
func (h History) size() int {
	size := len(printed(h))
	for _, step := range h.Steps {
		if step.Rest != longRest {
			size += len(printed(longRest)) + 1
		}
	}
	return size
}

// longRest is a pause in which everything that is late has come.
const longRest = 400

func (h History) smallerChains(i int) []History {
	var all []History
	if c := h.Steps[i].Chain; c.IPv6 || c.Tags != nil {
		next := h.clone()
		next.Steps[i].Chain.IPv6, next.Steps[i].Chain.Tags = false, nil
		all = append(all, next)
	}
	for t, tier := range h.Steps[i].Chain.Tiers {
		edit := func(change func(*Chain)) {
			next := h.clone()
			change(&next.Steps[i].Chain)
			all = append(all, next)
		}
		if len(h.Steps[i].Chain.Tiers) > 1 && !slices.ContainsFunc(h.Steps[i].Chain.Tiers, func(other Tier) bool {
			return other.Name != tier.Name && slices.ContainsFunc(slices.Concat(other.Doors, other.Ways), func(d Door) bool { return slices.Contains(d.Sources, tier.Name) })
		}) {
			edit(func(c *Chain) { c.Tiers = slices.Delete(c.Tiers, t, t+1) })
		}
		if tier.Egress != "all" {
			edit(func(c *Chain) { c.Tiers[t].Egress = "all" })
		}
		if tier.Tags != nil {
			edit(func(c *Chain) { c.Tiers[t].Tags = nil })
		}
		if tier.Ways != nil {
			edit(func(c *Chain) { c.Tiers[t].Ways = nil })
		}
		for d, door := range tier.Doors {
			edit(func(c *Chain) { c.Tiers[t].Doors = slices.Delete(c.Tiers[t].Doors, d, d+1) })
			for s := range door.Sources {
				if len(door.Sources) > 1 {
					edit(func(c *Chain) { x := &c.Tiers[t].Doors[d].Sources; *x = slices.Delete(*x, s, s+1) })
				}
			}
		}
	}
	return all
}

func (h History) clone() History {
	var next History
	if err := json.Unmarshal([]byte(printed(h)), &next); err != nil {
		panic(err) // it was printed just now
	}
	return next
}
