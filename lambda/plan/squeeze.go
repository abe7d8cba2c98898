package plan

import (
	"math"
	"math/bits"
	"slices"

	"sgchain/lambda/chain"
)

// squeeze finds the stages for one group and direction. Rules are represented by their indexes
// in the lists all and old. Old rules that share a flow with the same new rules form one class:
// they can be revoked at the same time.
//
// Cost: sets of rules are bit sets, so building and comparing them is much cheaper than
// comparing pairs of rules. A stage considers only the classes that there is room for. It
// recomputes the gain of only those that the previous stage changed.
type squeeze struct {
	weights    scale
	step       Step // the step that authorizes the new rules
	hasMembers bool
	byTier     bool
	first      []chain.Rule // the rules of the group before the change
	all        []chain.Rule // the new rules
	old        []chain.Rule // the rules that the change revokes

	stages []Step

	there, toCome counts // weights of the current rules and of the new rules that are missing
	came, gone    set    // the rules of all authorized and of old revoked by the stages so far

	weight  []counts // by rule of all
	classes []class
	needs   []counts // by class: weight of the new rules that it waits for
	left    []int    // by class: number of these rules
	free    []int    // classes that can be revoked now
	users   []set    // by rule of all: the classes that wait for it; built on first use

	peak     counts  // the most room so far
	small    []offer // the classes for which peak has room
	large    []int   // the other classes
	smallSet set     // the small ones
	least    [][]int // by rule of all: the small classes whose first missing rule it is
}

// offer describes a stage that would allow a small class to be revoked. Offers are separate
// from the classes, and compact, because each stage looks at all of them.
type offer struct {
	needs counts
	gain  int // weight that can be revoked after it, minus the weight that it adds
	class int
	first int // the class's first member; of offers with equal gain, the one with the lowest wins
}

// stale is the gain of an offer that must be recomputed.
const stale = math.MinInt

// class is a set of old rules that share flows with the same new rules.
type class struct {
	members []int
	frees   counts // weight of the members
	need    set    // the new rules to authorize first; of a large class, the initial set
	least   int    // the first of need, for a small class
	isSmall bool
	offer   int // the index of its offer
	isGone  bool
}

// fit finds stages until there is room for the rest. Every stage leaves fewer rules to
// authorize or to revoke than the previous one, so it ends.
func (s *squeeze) fit(ended func() error) (bool, error) {
	s.begin()
	for s.weights.lacksRoom(s.there, s.toCome) != "" {
		if err := ended(); err != nil {
			return false, err
		}
		if !s.revoke() && !s.authorize() {
			return false, nil
		}
	}
	return true, nil
}

func (s *squeeze) begin() {
	s.stages, s.classes, s.needs, s.left, s.free, s.users = nil, nil, nil, nil, nil, nil
	s.small, s.large, s.weight = nil, nil, make([]counts, len(s.all))
	s.came, s.gone = newSet(len(s.all)), newSet(len(s.old))
	s.there, s.toCome = s.weights.sum(s.first, s.step.Direction), counts{}
	for i, rule := range s.all {
		s.weight[i] = s.weights.weigh(rule)
		s.toCome = s.toCome.plus(s.weight[i])
	}
	needs := make([]set, len(s.old))
	if s.hasMembers {
		needs = sharing(s.old, s.all, s.byTier)
	}
	s.classify(needs)
	s.smallSet, s.least = newSet(len(s.classes)), make([][]int, len(s.all))
	s.peak = s.room()
	for i := range s.classes {
		if s.left[i] == 0 {
			s.classes[i].isGone = true
			s.free = append(s.free, i)
		} else {
			s.large = append(s.large, i)
		}
	}
	s.sift()
}

// classify groups old rules that wait for the same new rules.
func (s *squeeze) classify(needs []set) {
	known := map[string]int{}
	heavy := slicesOf(s.weight)
	var key []byte
	for i, rule := range s.old {
		key = needs[i].appendTo(key[:0])
		at, isKnown := known[string(key)]
		if !isKnown {
			at = len(s.classes)
			known[string(key)] = at
			s.classes = append(s.classes, class{need: needs[i]})
			s.needs, s.left = append(s.needs, heavy.weigh(needs[i])), append(s.left, needs[i].count())
		}
		one := &s.classes[at]
		one.members = append(one.members, i)
		one.frees = one.frees.plus(s.weights.weigh(rule))
	}
}

// room returns how many rules of each family can be added now.
func (s *squeeze) room() counts { return counts{s.weights.rules, s.weights.rules}.minus(s.there) }

func fitsIn(needs, room counts) bool {
	return (needs.v4 == 0 || needs.v4 <= room.v4) && (needs.v6 == 0 || needs.v6 <= room.v6)
}

// sift moves the large classes for which peak has room to the small ones.
func (s *squeeze) sift() {
	s.large = slices.DeleteFunc(s.large, func(i int) bool {
		one := &s.classes[i]
		if !one.isGone && !one.isSmall && fitsIn(s.needs[i], s.peak) {
			s.shrink(i)
		}
		return one.isGone || one.isSmall
	})
}

// shrink makes a class a small one.
func (s *squeeze) shrink(i int) {
	one := &s.classes[i]
	one.isSmall, one.least = true, -1
	one.need.subtract(s.came)
	s.smallSet.add(i)
	one.offer = len(s.small)
	s.small = append(s.small, offer{needs: s.needs[i], gain: stale, class: i, first: one.members[0]})
	s.register(i)
}

// removeOffer removes the offer of a class that can be revoked.
func (s *squeeze) removeOffer(i int) {
	one, last := &s.classes[i], s.small[len(s.small)-1]
	s.small[one.offer] = last
	s.classes[last.class].offer = one.offer
	s.small = s.small[:len(s.small)-1]
	s.smallSet.remove(i)
}

// register records a small class under the first rule that it waits for.
func (s *squeeze) register(i int) {
	one := &s.classes[i]
	if first := one.need.first(); first != one.least {
		one.least = first
		s.least[first] = append(s.least[first], i)
	}
}

// revoke adds a stage that revokes the rules that share no flow with a missing new rule.
func (s *squeeze) revoke() bool {
	if len(s.free) == 0 {
		return false
	}
	var places []int
	for _, i := range s.free {
		places = append(places, s.classes[i].members...)
		s.there = s.there.minus(s.classes[i].frees)
	}
	s.free = nil
	slices.Sort(places)
	rules := make([]chain.Rule, 0, len(places))
	for _, i := range places {
		s.gone.add(i)
		rules = append(rules, s.old[i])
	}
	s.stage(RevokeRules, rules)
	if room := s.room(); room.v4 > s.peak.v4 || room.v6 > s.peak.v6 {
		s.peak = counts{max(room.v4, s.peak.v4), max(room.v6, s.peak.v6)}
		s.sift()
	}
	return true
}

// authorize adds a stage with the new rules that one class waits for. Of the classes that
// there is room for, it chooses the one with the most gain.
func (s *squeeze) authorize() bool {
	if s.users == nil {
		s.users = s.waiting()
	}
	best, room := offer{class: -1}, s.room()
	for i := range s.small {
		one := &s.small[i]
		if !fitsIn(one.needs, room) {
			continue
		}
		if one.gain == stale {
			one.gain = s.weightFreed(one.class) - one.needs.both()
		}
		if best.class < 0 || one.gain > best.gain || (one.gain == best.gain && one.first < best.first) {
			best = *one
		}
	}
	if best.class < 0 {
		return false
	}
	s.authorizeRules(slices.Collect(s.classes[best.class].need.places()))
	return true
}

// weightFreed returns the weight of the classes that can be revoked after one has all that it waits for.
func (s *squeeze) weightFreed(one int) int {
	sum, need := 0, s.classes[one].need
	for rule := range need.places() {
		for _, i := range s.least[rule] {
			if other := &s.classes[i]; !other.isGone && s.left[i] <= s.left[one] && other.need.isPartOf(need) {
				sum += other.frees.both()
			}
		}
	}
	return sum
}

// authorizeRules stages rules, and updates the classes that wait for them.
func (s *squeeze) authorizeRules(places []int) {
	rules := make([]chain.Rule, 0, len(places))
	touched := newSet(len(s.classes))
	for _, place := range places {
		rules = append(rules, s.all[place])
		s.came.add(place)
		weight, users := s.weight[place], s.users[place]
		s.there, s.toCome = s.there.plus(weight), s.toCome.minus(weight)
		touched.union(users)
		for at, word := range users {
			for ; word != 0; word &= word - 1 {
				i := at*wordBits + bits.TrailingZeros64(word)
				s.left[i]--
				s.needs[i] = s.needs[i].minus(weight)
			}
		}
	}
	s.stage(AuthorizeRules, rules)
	for i := range touched.places() {
		if !fitsIn(s.needs[i], s.peak) {
			continue // most classes, if rules overlap much
		}
		switch one := &s.classes[i]; {
		case s.left[i] == 0:
			one.isGone = true
			s.free = append(s.free, i)
			if one.isSmall {
				s.removeOffer(i)
			}
		case one.isSmall:
			one.need.subtract(s.came)
			s.small[one.offer].needs = s.needs[i]
			s.register(i)
		default:
			s.shrink(i)
		}
	}
	touched.intersect(s.smallSet)
	s.outdate(touched)
}

// outdate marks the gains that may have changed: those of the small classes that wait for
// fewer rules now. A class that waits for all the rules of such a class is marked, too.
func (s *squeeze) outdate(changed set) {
	for i := range changed.places() {
		one := &s.classes[i]
		s.small[one.offer].gain = stale
		waiting := s.users[one.least]
		for word := range waiting {
			for both := waiting[word] & s.smallSet[word]; both != 0; both &= both - 1 {
				s.small[s.classes[word*wordBits+bits.TrailingZeros64(both)].offer].gain = stale
			}
		}
	}
}

// waiting returns for each new rule the classes that wait for it.
func (s *squeeze) waiting() []set {
	heads := make([]chain.Rule, len(s.classes))
	for i, one := range s.classes {
		heads[i] = s.old[one.members[0]]
	}
	return sharing(s.all, heads, s.byTier)
}

func (s *squeeze) stage(action Action, rules []chain.Rule) {
	if s.stages == nil {
		s.stages = make([]Step, 0, len(s.classes)) // an estimate: if each class is revoked alone, it is half of them
	}
	s.stages = append(s.stages, Step{
		Phase: MakeRoom, Stage: len(s.stages) + 1, Action: action, Group: s.step.Group, Direction: s.step.Direction, Rules: rules,
	})
}

// coming returns the new rules that remain after the stages, going the old ones.
func (s *squeeze) coming() []chain.Rule { return s.came.others(s.all) }
func (s *squeeze) going() []chain.Rule  { return s.gone.others(s.old) }

// present returns the rules of the group after the stages.
func (s *squeeze) present() []chain.Rule {
	return slices.Concat(missing(s.gone.of(s.old), s.first), s.came.of(s.all))
}
