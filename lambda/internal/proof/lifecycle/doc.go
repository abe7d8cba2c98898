// Package lifecycle is a CloudFormation for tests. It owns the record of a stack with one chain. It
// sends the events that CloudFormation sends, in the order and with the mishaps of real stacks.
// Dependents of the chain move from group to group as real ones do. If CloudFormation's behavior is
// not documented, [Habits] selects one of the possibilities.
//
// A [History] is a whole simulated lifecycle as plain data: what is deployed, what goes wrong at
// which call, what CloudFormation does. It can be generated from a seed, printed as a story, shrunk
// and kept. A [Watch] checks the promises of the product after every call. Nothing here depends on
// the code under test, which is a [Function].
package lifecycle
