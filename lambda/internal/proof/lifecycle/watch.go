package lifecycle

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"sgchain/lambda/internal/proof/world"
)

// The promises, by the names under which a broken one is reported.
const (
	NoGap     = "no gap"
	NoOpening = "no opening"
	AnyToAny  = "any to any"
	Moving    = "moving"
	Crash     = "crash anywhere"
	HandsOff  = "hands off"
	OneAnswer = "one answer"
)

// Promises lists them.
func Promises() []string {
	return []string{NoGap, NoOpening, AnyToAny, Crash, HandsOff, OneAnswer, Adoption, Fence, Moving, Release}
}

// Failure is a broken promise.
type Failure struct{ Promise, Text string }

func (f *Failure) Error() string { return f.Promise + ": " + f.Text }

// Watch holds the promises against the world after every call and every move of a
// dependent, by what the rules allow between members and from outside.
type Watch struct {
	cf *CloudFormation

	// look is held by who looks at the world and by a stranger who acts, each as a whole: else
	// what he changed is seen before it is known to be his.
	look  sync.Mutex
	court court // of who looks

	mu      sync.Mutex
	inPlay  []Chain         // one at rest, more while an operation has not ended well
	past    []Chain         // those before, as long as members live in groups from then
	before  map[string]bool // groups that were answered before this operation
	exempt  map[string]bool // flows that a stranger opened or shut
	hands   bool            // whether a stranger acted in this operation
	held    map[string]bool // groups on which his hand fell
	robbed  bool            // one of them was removed
	foreign []*handMade
	peers   []string          // groups of other accounts that are there, and one that doors name by its name
	gone    []string          // and those that their owners removed; names that lead nowhere, or to several
	called  map[string]string // how doors name a peer, by its ID, where that is another name
	ways    bool              // a stranger opened a way out by IPv6
	leftOut bool              // a way back left rules out, had no room for old and new ones together, or kept new ones in the place of old ones
	anew    bool              // the operation makes the chain
	// releasing is what becomes of tiers that are to be released, and released the groups that were.
	releasing releasing
	released  map[string]bool
	failed    *Failure
	checks    map[string]int
}

// NewWatch makes a watch over a stack and its world.
func NewWatch(cf *CloudFormation) *Watch {
	w := &Watch{cf: cf, exempt: map[string]bool{}, held: map[string]bool{}, released: map[string]bool{}, checks: map[string]int{}}
	cf.World.After = w.call
	cf.OnMove = w.moved
	cf.OnViolation, cf.OnAnswer = w.violate, w.Answered
	cf.Excused = w.meddled
	cf.OnLeftOut, cf.Freed = w.leavesOut, w.wasFreed
	return w
}

// Failed is the first broken promise, or nil.
func (w *Watch) Failed() *Failure {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}

// Checks counts how often each promise was held against the world.
func (w *Watch) Checks() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.checks
}

func (w *Watch) violate(promise, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed == nil {
		w.failed = &Failure{Promise: promise, Text: text}
		w.cf.step("BROKEN %s: %s", promise, text)
	}
}

func (w *Watch) count(promise string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.checks[promise]++
}

// Begin says that an operation towards a chain begins, which is made anew or changed.
func (w *Watch) Begin(chain Chain, anew bool) {
	w.look.Lock()
	defer w.look.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inPlay = append(w.inPlay, chain)
	w.hands = false
	w.begins(chain, anew)
	w.before = w.answered()
}

// answered is the groups that were answered last.
func (w *Watch) answered() map[string]bool {
	ids := map[string]bool{}
	for _, id := range w.cf.GroupIDs() {
		ids[id] = true
	}
	return ids
}

// Settle says that an operation ended well, with a chain, or was taken back: nothing else is
// in play any more, and members reach each other exactly as it says.
func (w *Watch) Settle(chain Chain, back bool) {
	w.look.Lock()
	defer w.look.Unlock()
	w.mu.Lock()
	w.past = append(w.past, w.inPlay...)
	w.held = map[string]bool{}
	w.inPlay, w.before = []Chain{chain}, w.answered()
	w.leftOut = w.leftOut && back
	if !w.leftOut && !slices.ContainsFunc(w.cf.Members(), func(m Member) bool { return !w.before[m.Group] }) {
		w.past = nil
	}
	if !w.hands && !chain.Keep {
		w.exempt = map[string]bool{}
	}
	w.settles(chain, back)
	w.mu.Unlock()
	w.count(AnyToAny)
	w.judge(func(flow string, _, _, is bool) {
		w.violate(AnyToAny, fmt.Sprintf("at rest, %s is %s", flow, openOrShut(is)))
	})
	w.waysOut(chain)
	w.unmarked()
}

// unchanged says that an operation came to nothing, which left everything as it was: what strangers
// did before it, too.
func (w *Watch) unchanged(meddled bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inPlay, w.before, w.hands = w.inPlay[:len(w.inPlay)-1], w.answered(), w.hands || meddled
}

// Empty says that the chain is gone for good.
func (w *Watch) Empty() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.past = append(w.past, w.inPlay...)
	w.inPlay = nil
}

// meddled says whether a stranger acted in this operation.
func (w *Watch) meddled() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hands
}

// Robbed says whether a stranger ever removed a group: the newest generation may have
// gone with it, and the chain is then taken for the one before (docs/lifecycle.md).
func (w *Watch) Robbed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.robbed
}

// Hand lets a stranger act. What he changes is nobody's fault until the next
// operation that he leaves alone.
func (w *Watch) Hand(hand world.Hand) {
	w.look.Lock()
	defer w.look.Unlock()
	before := w.snapshot()
	held := w.cf.World.Play(hand)
	w.cf.step("a stranger: %s (%d)", hand.Deed, hand.Pick)
	after := w.snapshot()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hands = true
	w.robbed = w.robbed || hand.Deed == world.RemoveGroup
	w.ways = w.ways || hand.Deed == world.AddIPv6Egress
	for _, made := range w.foreign {
		made.kept = false
	}
	// What he took away may have been what the rest of this operation relies on.
	w.held[held] = true
	for flow, was := range before {
		if after[flow] != was {
			w.exempt[flow] = true
		}
	}
}

// Answered counts an answer that was held against what CloudFormation takes.
func (w *Watch) Answered() { w.count(OneAnswer) }

func (w *Watch) call(call world.Call) {
	if w.cf.Telling {
		w.cf.step("%.200s", call)
	}
	if !call.Write || call.Client == somebody {
		return
	}
	if call.Err != nil && strings.Contains(call.Err.Error(), noRoom) && strings.Contains(w.cf.StackStatus(), "ROLLBACK") {
		w.leavesOut()
	}
	w.look.Lock()
	defer w.look.Unlock()
	w.count(HandsOff)
	for id, tags := range call.Touched {
		if !w.owns(call, tags) && !w.mayWrite(call, id) {
			w.violate(HandsOff, fmt.Sprintf("%s touches group %s, which is not ours: %v", call, id, tags))
		}
	}
	w.alone(call)
	w.onlyTags(call)
	w.freed(call)
	w.flows()
	w.adopted()
}

// moved looks at the flows after a dependent moved.
func (w *Watch) moved() {
	w.look.Lock()
	defer w.look.Unlock()
	w.flows()
}

// snapshot is all flows between all groups of the chain, whether anybody lives there
// by now or not.
func (w *Watch) snapshot() map[string]bool {
	var groups []Member
	for _, id := range w.cf.World.Groups() {
		if isOurs(w.cf.World.Tag(id, tagStackID)) {
			groups = append(groups, Member{Tier: w.cf.World.Tag(id, "sgchain:tier"), Group: id})
		}
	}
	all := map[string]bool{}
	look := w.cf.World.Look(questions, groupsOf(groups)...)
	for _, one := range waysOf(groups, nil) {
		all[one.String()] = one.is(look)
	}
	w.peersFlows(groups, func(_ int, one flow, is bool) { all[one.String()] = is })
	return all
}
