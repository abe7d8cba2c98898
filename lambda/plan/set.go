package plan

import (
	"encoding/binary"
	"iter"
	"math/bits"

	"sgchain/lambda/chain"
)

const wordBits = 64

// set is a set of list indexes, one bit for each.
type set []uint64

func newSet(size int) set { return make(set, (size+wordBits-1)/wordBits) }

// full returns the set of all indexes of a list.
func full(size int) set {
	all := newSet(size)
	for i := range all {
		all[i] = ^uint64(0)
	}
	if rest := size % wordBits; rest > 0 {
		all[len(all)-1] = 1<<rest - 1
	}
	return all
}

func (s set) add(place int)    { s[place/wordBits] |= 1 << (place % wordBits) }
func (s set) remove(place int) { s[place/wordBits] &^= 1 << (place % wordBits) }

func (s set) has(place int) bool { return s[place/wordBits]&(1<<(place%wordBits)) != 0 }

func (s set) union(other set) {
	for i := range other {
		s[i] |= other[i]
	}
}

func (s set) intersect(other set) {
	for i := range other {
		s[i] &= other[i]
	}
}

func (s set) subtract(other set) {
	for i := range other {
		s[i] &^= other[i]
	}
}

// unionWithout adds the elements of one that other lacks.
func (s set) unionWithout(one, other set) {
	for i := range one {
		s[i] |= one[i] &^ other[i]
	}
}

func (s set) clone() set { return append(set(nil), s...) }

func (s set) isPartOf(other set) bool {
	for i := range s {
		if s[i]&^other[i] != 0 {
			return false
		}
	}
	return true
}

func (s set) count() int {
	sum := 0
	for _, word := range s {
		sum += bits.OnesCount64(word)
	}
	return sum
}

// countWith returns the size of the intersection.
func (s set) countWith(other set) int {
	sum := 0
	for i := range s {
		sum += bits.OnesCount64(s[i] & other[i])
	}
	return sum
}

// first returns the lowest element, or -1 if the set is empty.
func (s set) first() int {
	for i, word := range s {
		if word != 0 {
			return i*wordBits + bits.TrailingZeros64(word)
		}
	}
	return -1
}

// places returns the elements in ascending order. The loop may remove the current one.
func (s set) places() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, word := range s {
			for ; word != 0; word &= word - 1 {
				if !yield(i*wordBits + bits.TrailingZeros64(word)) {
					return
				}
			}
		}
	}
}

// appendTo appends the set as bytes, for use as a map key.
func (s set) appendTo(text []byte) []byte {
	for _, word := range s {
		text = binary.LittleEndian.AppendUint64(text, word)
	}
	return text
}

// of returns the rules of a list that are in the set, others returns the rest.
func (s set) of(list []chain.Rule) []chain.Rule     { return s.pick(list, true) }
func (s set) others(list []chain.Rule) []chain.Rule { return s.pick(list, false) }

func (s set) pick(list []chain.Rule, has bool) []chain.Rule {
	var rules []chain.Rule
	for i, rule := range list {
		if s.has(i) == has {
			rules = append(rules, rule)
		}
	}
	return rules
}

// weightSlices holds weights as sets, one for each binary digit. So weighing a set takes
// only a few operations per word.
type weightSlices struct{ v4, v6 []set }

func slicesOf(weights []counts) weightSlices {
	digits := func(of func(counts) int) []set {
		var all []set
		for i, weight := range weights {
			for digit, rest := 0, of(weight); rest > 0; digit, rest = digit+1, rest>>1 {
				if digit == len(all) {
					all = append(all, newSet(len(weights)))
				}
				if rest&1 != 0 {
					all[digit].add(i)
				}
			}
		}
		return all
	}
	return weightSlices{
		v4: digits(func(c counts) int { return c.v4 }),
		v6: digits(func(c counts) int { return c.v6 }),
	}
}

func (w weightSlices) weigh(places set) counts {
	var sum counts
	for digit, of := range w.v4 {
		sum.v4 += places.countWith(of) << digit
	}
	for digit, of := range w.v6 {
		sum.v6 += places.countWith(of) << digit
	}
	return sum
}
