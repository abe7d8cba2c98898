package lifecycle

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"sgchain/lambda/internal/proof/world"
)

// The promises, by the names under which a broken one is reported.
const (
	NoGap     = "no gap"
	NoOpening = "no opening"
	AnyToAny  = "any to any"
	Crash     = "crash anywhere"
	HandsOff  = "hands off"
	OneAnswer = "one answer"
)

// Promises lists them.
func Promises() []string {
	return []string{NoGap, NoOpening, AnyToAny, Crash, HandsOff, OneAnswer, Adoption, Fence}
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
	peers   []string // groups of other accounts that are there
	gone    []string // and those that their owners removed
	ways    bool     // a stranger opened a way out by IPv6
	leftOut bool     // a way back left rules out, or had no room for old and new ones together
	anew    bool     // the operation makes the chain
	failed  *Failure
	checks  map[string]int
}

// NewWatch makes a watch over a stack and its world.
func NewWatch(cf *CloudFormation) *Watch {
	w := &Watch{cf: cf, exempt: map[string]bool{}, held: map[string]bool{}, checks: map[string]int{}}
	cf.World.After = w.call
	cf.OnMove = w.moved
	cf.OnViolation, cf.OnAnswer = w.violate, w.Answered
	cf.Excused = w.meddled
	cf.OnLeftOut = w.leavesOut
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
	if !slices.ContainsFunc(w.cf.Members(), func(m Member) bool { return !w.before[m.Group] }) {
		w.past = nil
	}
	if !w.hands && !chain.Keep {
		w.exempt = map[string]bool{}
	}
	w.settles(chain, back)
	w.leftOut = w.leftOut && back
	w.mu.Unlock()
	w.count(AnyToAny)
	w.judge(func(flow string, _, _, is bool) {
		w.violate(AnyToAny, fmt.Sprintf("at rest, %s is %s", flow, openOrShut(is)))
	})
	w.waysOut(chain)
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
	w.ways = w.ways || hand.Deed == world.AddWayOut
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
		if (tags["sgchain:stack-id"] != StackID || tags["sgchain:logical-id"] != LogicalID) && !w.mayWrite(call, id) {
			w.violate(HandsOff, fmt.Sprintf("%s touches group %s, which is not ours: %v", call, id, tags))
		}
	}
	w.alone(call)
	w.flows()
	w.adopted()
}

// moved looks at the flows after a dependent moved.
func (w *Watch) moved() {
	w.look.Lock()
	defer w.look.Unlock()
	w.flows()
}

// flows checks every flow: open where all chains in play allow it, shut where none
// lets the target take it or none lets the source send it. (One that only the old
// chain sends and only the new one takes may be open for a while: rules are
// authorized before others are revoked.)
func (w *Watch) flows() {
	w.count(NoGap)
	w.count(NoOpening)
	w.judge(func(flow string, must, may, is bool) {
		switch {
		case must && !is:
			w.violate(NoGap, flow+" is shut")
		case is && !may:
			w.violate(NoOpening, flow+" is open")
		}
	})
}

func openOrShut(is bool) string {
	if is {
		return "open"
	}
	return "shut"
}

// What flows are looked at: ports that chains open and one that none does, addresses
// inside and outside of what chains name.
func ports() []int { return []int{80, 443, 6060, 9999} }

var addresses = []netip.Addr{netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("198.51.100.1")}

// outsideV6 is in no VPC.
var outsideV6 = netip.MustParseAddr("2001:db8:ffff::1")

// judge goes through the flows of the members there are, and says of each that looks
// wrong whether all chains in play allow it, whether they may be taken to allow it, and
// whether the world does. Somebody who stayed in a group that an earlier operation
// left behind is owed nothing, and may do what any chain since then allowed.
func (w *Watch) judge(verdict func(flow string, must, may, is bool)) {
	members := w.cf.Members()
	w.mu.Lock()
	inPlay, everyone, exempt, known, leftOut := w.inPlay, slices.Concat(w.inPlay, w.past), w.exempt, w.cf.GroupIDs(), w.leftOut
	standing := make([]standing, len(members))
	for i, one := range members {
		standing[i] = w.standingOf(one.Group, known)
	}
	w.mu.Unlock()
	if len(inPlay) == 0 {
		return
	}
	w.peersFlows(members, func(at int, one flow, is bool) {
		may := one.maybe(inPlay)
		if standing[at].stale || standing[at].loose || is == may || (!is && (leftOut || standing[at].held || !one.owed(inPlay, true))) || exempt[one.String()] {
			return
		}
		verdict(one.String(), !is, may, is)
	})
	w.court.convene(members, inPlay, everyone, !strings.Contains(w.cf.StackStatus(), "ROLLBACK"))
	w.judgeWays(standing, leftOut, func(flow string, must, may, is bool) {
		if !exempt[flow] {
			verdict(flow, must, may, is)
		}
	})
}

// judgeWays goes through the flows between members and from outside.
func (w *Watch) judgeWays(standing []standing, leftOut bool, verdict func(flow string, must, may, is bool)) {
	look := w.cf.World.Look(questions, w.court.groups...)
	for i := range w.court.ways {
		one := &w.court.ways[i]
		is := one.is(look)
		source, target := at(standing, one.sourceAt), at(standing, one.targetAt)
		stale, loose := source.stale || target.stale, source.loose || target.loose
		must := !stale && !leftOut && !source.held && !target.held && w.court.kinds[i].owed
		may := loose || (!stale && w.court.kinds[i].may) || (stale && is && w.court.ever(i))
		if (must && !is) || (is && !may) {
			verdict(one.String(), must, may, is)
		}
	}
}

// standing is what the watch knows of the group of a member: that an earlier operation left
// it behind, that a stranger's hand fell on it, that it may have more rules than the chain.
type standing struct{ stale, held, loose bool }

// standingOf is asked with the watch locked.
func (w *Watch) standingOf(group string, answered map[string]string) standing {
	known := w.before[group]
	for _, id := range answered {
		known = known || id == group
	}
	loose := false
	for _, made := range w.foreign {
		if made.id == group {
			loose = made.loose
		}
	}
	return standing{stale: !known, held: w.held[group], loose: loose}
}

// at is the standing of one end of a flow; somebody outside has none.
func at(all []standing, place int) standing {
	if place < 0 {
		return standing{}
	}
	return all[place]
}

// snapshot is all flows between all groups of the chain, whether anybody lives there
// by now or not.
func (w *Watch) snapshot() map[string]bool {
	var groups []Member
	for _, id := range w.cf.World.Groups() {
		if w.cf.World.Tag(id, "sgchain:stack-id") == StackID {
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

// flow is one way that traffic could take. Source or target is empty where it is
// somebody outside.
type flow struct {
	source, target Member
	peer           string // the source, where it is a group of another account
	address        netip.Addr
	port           int
}

func (f flow) String() string {
	end := func(m Member) string {
		switch {
		case m.Tier == "" && f.peer != "":
			return f.peer
		case m.Tier == "":
			return f.address.String()
		}
		return m.Tier + " (" + m.Group + ")"
	}
	return end(f.source) + " -> " + end(f.target) + " on " + strconv.Itoa(f.port)
}

func (f flow) taken(c Chain) bool {
	switch {
	case f.target.Tier == "":
		return true
	case f.peer != "":
		return c.takes(f.peer, f.target.Tier, f.port)
	case f.source.Tier == "":
		return c.allowsFrom(f.address, f.target.Tier, f.port)
	}
	return c.takes(f.source.Tier, f.target.Tier, f.port)
}

func (f flow) sent(c Chain) bool {
	switch {
	case f.target.Tier == "":
		return c.allowsTo(f.source.Tier, f.address, f.port)
	case f.source.Tier == "":
		return true
	}
	return c.sends(f.source.Tier, f.target.Tier, f.port)
}

func (f flow) allowed(c Chain) bool { return f.taken(c) && f.sent(c) }

// owed says whether all chains in play allow a flow. To the members of a tier that
// leaves, the doors between them and others that name a tier are owed until they are
// gone; not so where that is being taken back.
func (f flow) owed(chains []Chain, forward bool) bool {
	if forward && len(chains) == 2 && f.source.Tier != "" && f.target.Tier != "" && chains[0].leaves(chains[1], f) {
		return true
	}
	return !slices.ContainsFunc(chains, func(c Chain) bool { return !f.allowed(c) })
}

// leaves says whether a flow of the old chain is by a door that names tiers, of which
// one or both are not in the new chain any more.
func (c Chain) leaves(now Chain, f flow) bool {
	from, wasFrom := c.tier(f.source.Tier)
	to, wasTo := c.tier(f.target.Tier)
	if !wasFrom || !wasTo || !c.admits(to, from.Name, netip.Addr{}, f.port) || from.Egress == "none" {
		return false
	}
	stays, isFrom := now.tier(from.Name)
	_, isTo := now.tier(to.Name)
	switch {
	case !isFrom:
		return true // what it may send is as it was, and who stays keeps doors that name it
	case !isTo:
		return from.Egress == "chain" || stays.Egress == "all"
	default:
		return false
	}
}
