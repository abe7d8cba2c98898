// Package plan decides what has to happen to a chain's groups. It is pure, like
// package chain: it takes states and returns a sorted, printable [Plan].
//
//	Goal(change, current, epoch) -> State   what must hold after the run
//	Diff(current, goal)          -> Plan    the steps from current to goal
//
// Only [Goal] knows what must hold while consumers move from one generation of
// groups to the next. [Diff] and the verification after a run both use it, so the
// run verifies exactly what it built.
package plan
