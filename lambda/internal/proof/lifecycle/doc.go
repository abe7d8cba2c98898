// Package lifecycle is a CloudFormation for tests: it owns the record of a stack with
// one chain, sends the events that CloudFormation sends, in the order and with the
// mishaps of real stacks, and moves what depends on the chain from group to group as
// real dependents move. Where CloudFormation's behavior is not documented, [Habits]
// says which of the possibilities is played.
//
// A [History] is a whole life of a stack as plain data: what is deployed, what goes
// wrong at which call, what CloudFormation does. It can be drawn from a seed, printed
// as a story, shrunk and kept. A [Watch] holds the promises of the product against the
// world after every call. Nothing here knows the code under test, which is a
// [Function].
package lifecycle
