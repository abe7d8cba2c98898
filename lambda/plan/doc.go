// Package plan decides what has to happen to a chain's groups. It is pure, like
// package chain: states in, a sorted and printable [Plan] out.
//
//	Goal(new, old, current) -> State   what must hold once the run is over
//	Diff(current, goal)     -> Plan    the steps from here to there
//
// [Goal] is the one place that knows what holds while consumers move from one
// generation of groups to the next; [Diff] and the verification after a run
// both use it, so what is built is what is checked.
package plan
