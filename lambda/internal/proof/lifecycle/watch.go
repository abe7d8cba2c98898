package lifecycle

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"sgchain/lambda/internal/proof/world"
)

// The promises, by the names under which a violation is reported.
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

// Watch checks the promises after every call and every move of a dependent, by what the rules allow
// between members and from outside.
type Watch struct {
	cf *CloudFormation

	// look makes each look at the world and each out-of-band change atomic. Otherwise a look could
	// see a change before it is known as out-of-band.
	look         sync.Mutex
	expectations expectations // guarded by look

	mu           sync.Mutex
	inPlay       []Chain         // one in a COMPLETE status, more until an operation has ended well
	past         []Chain         // earlier ones, while members are in groups of theirs
	before       map[string]bool // groups that were answered before this operation
	exempt       map[string]bool // flows that an out-of-band change opened or closed
	outOfBand    bool            // whether this operation had an out-of-band change
	edited       map[string]bool // groups with an out-of-band change
	groupRemoved bool            // whether an out-of-band change removed a group
	adoptables   []*adoptable
	peers        []string          // existing groups of other accounts, and the one that rules name by its name
	gone         []string          // peers that their owners removed, and names with no match or several
	peerNames    map[string]string // how rules name a peer, by its ID, if by another name
	ipv6Egress   bool              // whether an egress rule for IPv6 was added out of band
	leftOut      bool              // whether a rollback left rules out, lacked the room for old and new ones together, or kept new ones instead of old ones
	creates      bool              // whether the operation creates the chain
	// releasing holds the groups that the chain has to release; released holds those that it has
	// released.
	releasing releasing
	released  map[string]bool
	failed    *Failure
	checks    map[string]int
}

// NewWatch starts a watch over a stack and its simulated EC2.
func NewWatch(cf *CloudFormation) *Watch {
	w := &Watch{cf: cf, exempt: map[string]bool{}, edited: map[string]bool{}, released: map[string]bool{}, checks: map[string]int{}}
	cf.World.After = w.call
	cf.OnMove = w.moved
	cf.OnViolation, cf.OnAnswer = w.violate, w.Answered
	cf.Excused = w.hasOutOfBandChange
	cf.OnLeftOut, cf.NamesReleased = w.noteLeftOut, w.namesReleased
	return w
}

// Failed returns the first broken promise, or nil.
func (w *Watch) Failed() *Failure {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}

// Checks counts how often each promise was checked.
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

// Begin notes the beginning of an operation that creates or changes the chain.
func (w *Watch) Begin(chain Chain, creates bool) {
	w.look.Lock()
	defer w.look.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inPlay = append(w.inPlay, chain)
	w.outOfBand = false
	w.beginAdoption(chain, creates)
	w.before = w.answered()
}

// answered returns the groups of the last answer.
func (w *Watch) answered() map[string]bool {
	ids := map[string]bool{}
	for _, id := range w.cf.GroupIDs() {
		ids[id] = true
	}
	return ids
}

// Settle notes that an operation ended well with a chain, or was rolled back to it. From then on
// that chain alone is in play, and members must reach each other exactly as it says.
func (w *Watch) Settle(chain Chain, back bool) {
	w.look.Lock()
	defer w.look.Unlock()
	w.mu.Lock()
	w.past = append(w.past, w.inPlay...)
	w.edited = map[string]bool{}
	w.inPlay, w.before = []Chain{chain}, w.answered()
	w.leftOut = w.leftOut && back
	if !w.leftOut && !slices.ContainsFunc(w.cf.Members(), func(m Member) bool { return !w.before[m.Group] }) {
		w.past = nil
	}
	if !w.outOfBand && !chain.Keep {
		w.exempt = map[string]bool{}
	}
	w.settleAdoption(chain, back)
	w.mu.Unlock()
	w.count(AnyToAny)
	w.eachWrongFlow(func(flow string, _, _, is bool) {
		w.violate(AnyToAny, fmt.Sprintf("%s is %s in a COMPLETE status", flow, openOrClosed(is)))
	})
	w.checkIPv6Egress(chain)
	w.checkUnmarked()
}

// unchanged notes that an operation failed and left everything as it was, including earlier
// out-of-band changes.
func (w *Watch) unchanged(outOfBand bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inPlay, w.before, w.outOfBand = w.inPlay[:len(w.inPlay)-1], w.answered(), w.outOfBand || outOfBand
}

// Empty notes that the chain is gone for good.
func (w *Watch) Empty() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.past = append(w.past, w.inPlay...)
	w.inPlay = nil
}

// hasOutOfBandChange reports whether this operation had an out-of-band change.
func (w *Watch) hasOutOfBandChange() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.outOfBand
}

// GroupRemoved reports whether an out-of-band change ever removed a group. The newest generation
// may be lost with it, and the chain then looks like the one before (docs/lifecycle.md).
func (w *Watch) GroupRemoved() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.groupRemoved
}

// Change makes an out-of-band change. Its effects are excused until the next operation without one.
func (w *Watch) Change(change world.OutOfBandChange) {
	w.look.Lock()
	defer w.look.Unlock()
	before := w.snapshot()
	target := w.cf.World.Apply(change)
	w.cf.step("out of band: %s (%d)", change.Deed, change.Pick)
	after := w.snapshot()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.outOfBand = true
	w.groupRemoved = w.groupRemoved || change.Deed == world.RemoveGroup
	w.ipv6Egress = w.ipv6Egress || change.Deed == world.AddIPv6Egress
	for _, group := range w.adoptables {
		group.kept = false
	}
	// The rest of this operation may rely on what the change removed.
	w.edited[target] = true
	for flow, was := range before {
		if after[flow] != was {
			w.exempt[flow] = true
		}
	}
}

// Answered counts an answer whose form was checked.
func (w *Watch) Answered() { w.count(OneAnswer) }

func (w *Watch) call(call world.Call) {
	if w.cf.Telling {
		w.cf.step("%.200s", call)
	}
	if !call.Write || call.Client == user {
		return
	}
	if call.Err != nil && strings.Contains(call.Err.Error(), noRoom) && strings.Contains(w.cf.StackStatus(), "ROLLBACK") {
		w.noteLeftOut()
	}
	w.look.Lock()
	defer w.look.Unlock()
	w.count(HandsOff)
	for id, tags := range call.Touched {
		if !w.owns(call, tags) && !w.mayWrite(call, id) {
			w.violate(HandsOff, fmt.Sprintf("%s touches group %s of another owner: %v", call, id, tags))
		}
	}
	w.checkSingleRun(call)
	w.checkOnlyTags(call)
	w.checkReleases(call)
	w.checkFlows()
	w.checkAdopted()
}

// moved checks the flows after a dependent moved.
func (w *Watch) moved() {
	w.look.Lock()
	defer w.look.Unlock()
	w.checkFlows()
}

// snapshot returns all flows between all groups of the chain, even without members.
func (w *Watch) snapshot() map[string]bool {
	var groups []Member
	for _, id := range w.cf.World.Groups() {
		if isOurs(w.cf.World.Tag(id, tagStackID)) {
			groups = append(groups, Member{Tier: w.cf.World.Tag(id, "sgchain:tier"), Group: id})
		}
	}
	all := map[string]bool{}
	look := w.cf.World.Look(questions, groupsOf(groups)...)
	for _, one := range probesOf(groups, nil) {
		all[one.String()] = one.isAllowed(look)
	}
	w.eachPeerFlow(groups, func(_ int, one flow, is bool) { all[one.String()] = is })
	return all
}
